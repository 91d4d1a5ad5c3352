import numpy as np

from routing.retrieval import reranking
from routing.retrieval.base import Found

TEXTS = ["All about coffee.", "Long talk of coffee. The tray is empty. More coffee.", "Coffee."]


def embed(text):
    return np.array([1.0, 0.0]) if "tray" in text else np.array([0.0, 1.0])


def found(n=3):
    return Found(np.arange(n), np.linspace(1, 0.9, n).astype(np.float32))


def test_best_sentence_lifts_its_passage():
    rerank = reranking.by_sentences(TEXTS.__getitem__, embed, part=0.9)
    assert rerank("tray", found()).rows.tolist() == [1, 0, 2]


def test_a_part_of_nothing_changes_nothing():
    rerank = reranking.by_sentences(TEXTS.__getitem__, embed, part=0.0)
    assert rerank("tray", found()).rows.tolist() == [0, 1, 2]


def test_what_is_below_stays_below():
    n = reranking.ROWS + 5
    rerank = reranking.by_sentences(lambda row: "tray" if row > 20 else "", embed, part=0.9)
    assert rerank("tray", found(n)).rows.tolist() == list(range(n))


def test_one_row_or_none_stays():
    rerank = reranking.by_sentences(TEXTS.__getitem__, embed)
    assert rerank("tray", found(1)).rows.tolist() == [0]
    assert rerank("tray", found(0)).rows.size == 0
