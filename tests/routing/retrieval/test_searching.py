from types import SimpleNamespace

import numpy as np
import pytest

from routing.retrieval import bm25, searching
from routing.retrieval.base import Found
from routing.retrieval.choosing import Choice

TEXTS = [
    "Invoices are paid within 30 days.",
    "The printer says E-1042 when its tray is empty.",
    "Who leaves early hands over the keys.",
    "Paper is in the cupboard beside the printer.",
]


class Nearest:
    def search(self, vector, k):
        rows = np.argsort(-vector, kind="stable")[:k]
        return Found(rows, vector[rows].astype(np.float32))


class Always:
    name = "trained"

    def __init__(self, strategy):
        self.strategy = strategy

    def choose(self, signals):
        return Choice(self.strategy)


@pytest.fixture
def index(tmp_path):
    bm25.build(TEXTS, tmp_path)
    return SimpleNamespace(bm25=bm25.BM25.open(tmp_path), dense=Nearest())


#: The cosines that the stand-in finds: row 3 first.
VECTOR = np.array([0.1, 0.4, 0.2, 0.7], np.float32)


def test_each_strategy_finds_its_list(index):
    def rows(asked):
        return searching.search(index, "printer E-1042", VECTOR, asked, 2).found.rows.tolist()

    assert rows("bm25") == [1, 3]
    assert rows("dense") == [3, 1]
    assert rows("hybrid") == [1, 3]


def test_one_list_is_enough_for_its_signals_and_confidence(index):
    words = searching.search(index, "printer tray", VECTOR, "bm25", 2)
    meaning = searching.search(index, "printer tray", VECTOR, "dense", 2)
    assert "dense_max" not in words.signals
    assert "bm25_cover" not in meaning.signals
    assert 0 < words.confidence < 1
    assert 0 < meaning.confidence < 1


def test_chooser_decides_auto_and_nothing_else(index):
    chosen = searching.search(index, "printer", VECTOR, "auto", 2, Always("dense"))
    asked = searching.search(index, "printer", VECTOR, "bm25", 2, Always("dense"))
    assert (chosen.strategy, chosen.chooser) == ("dense", "trained")
    assert (asked.strategy, asked.chooser) == ("bm25", "asked")


def test_auto_goes_by_rules_when_untrained(index):
    found = searching.search(index, "E-1042", VECTOR, "auto", 1)
    assert (found.strategy, found.chooser) == ("bm25", "rules")


def test_other_language_goes_by_meaning_and_is_less_sure(index):
    known = searching.search(index, "where is the printer paper", VECTOR, "auto", 2)
    strange = searching.search(index, "wo liegt Papier", VECTOR / 4, "auto", 2)
    assert strange.strategy == "dense"
    assert strange.found.rows.size == 2
    assert strange.confidence < known.confidence


def test_hybrid_without_a_known_word_is_dense(index):
    found = searching.search(index, "wo liegt Papier", VECTOR, "hybrid", 4).found
    assert found.rows.tolist() == [3, 1, 2, 0]


def test_words_that_nobody_wrote_find_nothing_and_are_not_trusted(index):
    none = searching.search(index, "wo liegt Papier", VECTOR, "bm25", 2)
    assert none.found.rows.size == 0
    assert none.confidence == 0


def test_reranking_comes_before_the_cut(index):
    def backwards(query, found):
        return Found(found.rows[::-1], found.scores)

    found = searching.search(index, "printer", VECTOR, "dense", 1, rerank=backwards).found
    assert found.rows.tolist() == [0]


def test_unknown_strategy_is_refused(index):
    with pytest.raises(ValueError, match="No strategy 'both'"):
        searching.search(index, "printer", VECTOR, "both", 2)


def test_signals_are_numbers(index):
    signals = searching.search(index, "printer", VECTOR, "auto", 2).signals
    assert all(type(value) is float and np.isfinite(value) for value in signals.values())


@pytest.mark.parametrize(
    ("strategy", "signals", "other"),
    [
        ("bm25", None, "dense"),
        ("dense", {"kept_dense": 1.0}, "bm25"),
        ("hybrid", {"kept_bm25": 0.4, "kept_dense": 0.6}, "bm25"),
        ("hybrid", {"kept_bm25": 0.6, "kept_dense": 0.4}, "dense"),
        ("hybrid", None, "dense"),
    ],
)
def test_alternative_finds_the_most_other_rows(strategy, signals, other):
    assert searching.alternative(strategy, signals) == other
