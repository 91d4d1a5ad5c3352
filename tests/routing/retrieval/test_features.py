from types import SimpleNamespace

import numpy as np
import pytest

from routing.retrieval import bm25, features
from routing.retrieval.base import Found

LEXICON = SimpleNamespace(
    size=100,
    terms=lambda query: query.lower().split(),
    frequency=lambda term: {"the": 100, "printer": 9}.get(term, 0),
)


def of(query):
    return features.of_query(query, LEXICON)


def found(pairs):
    rows, scores = zip(*pairs, strict=True) if pairs else ((), ())
    return Found(np.array(rows, np.int64), np.array(scores, np.float32))


def test_rarity_is_against_the_collection():
    said = of("the printer broke")
    assert said["rarity_min"] == pytest.approx(0, abs=1e-9)
    assert said["rarity_max"] == 1
    assert said["unknown"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("query", "n"),
    [("E-1042 error", 1), ("max_tokens", 1), ("the VAT form", 1), ("getUser", 1), ("who left", 0)],
)
def test_identifiers(query, n):
    assert of(query)["identifiers"] == n


@pytest.mark.parametrize(
    ("query", "is_one"),
    [("What is VAT", 1), ("vat refund?", 1), ("vat refund", 0), ("whatever works", 0)],
)
def test_questions(query, is_one):
    assert of(query)["question"] == is_one


@pytest.mark.parametrize(
    ("query", "is_one"), [("vat refund deadline", 1), ("the vat refund", 0), ("", 0)]
)
def test_keywords_have_no_function_words(query, is_one):
    assert of(query)["keywords"] == is_one


@pytest.mark.parametrize(("query", "is_one"), [('say "no tray"', 1), ("don't say it's", 0)])
def test_quotations(query, is_one):
    assert of(query)["quoted"] == is_one


@pytest.mark.parametrize("query", ["", "   ", "?", "\x00", "请问", "a" * 5000])
def test_any_text_has_finite_numbers(query):
    assert all(np.isfinite(value) for value in of(query).values())


def test_lists_compare_each_other():
    said = features.of_lists(found([(1, 8.0), (2, 6.0)]), found([(2, 0.9), (3, 0.5)]), most=10)
    assert said["overlap"] == 0.5
    assert said["bm25_first"] == 0
    assert said["dense_first"] == 0.5
    assert said["bm25_cover"] == pytest.approx(0.8)
    assert said["bm25_gap"] == pytest.approx(0.25)
    assert said["dense_gap"] == pytest.approx(0.4, abs=1e-6)


def test_empty_lists_have_numbers():
    said = features.of_lists(found([]), found([]), most=0)
    assert not any(said.values())


def test_names_are_all_that_there_are():
    both = features.of_lists(found([(1, 8.0)]), found([(1, 0.5)]), most=10)
    assert set(features.NAMES) == set(of("printer")) | set(both)


def test_no_text_passes_the_ceiling(tmp_path):
    bm25.build(["printer " * 50 + "tray", "keys", "paper"], tmp_path)
    opened = bm25.BM25.open(tmp_path)
    most = features.ceiling("printer tray", opened)
    assert 0.5 * most < opened.search("printer tray", 1).scores[0] < most
