from types import SimpleNamespace

import numpy as np
import pytest

from routing.retrieval import bm25, features, trials
from routing.retrieval.base import Found
from routing.retrieval.choosing import CHOICES, Choice
from routing.retrieval.judgements import Judged

TEXTS = ["The printer tray.", "Printer paper.", "Holidays in July.", "The printer is broken."]
KEYS = ["a", "a", "b", "c"]


class Nearest:
    def search(self, vector, k):
        rows = np.argsort(-vector, kind="stable")[:k]
        return Found(rows, vector[rows].astype(np.float32))


@pytest.fixture
def index(tmp_path):
    bm25.build(TEXTS, tmp_path)
    return SimpleNamespace(
        bm25=bm25.BM25.open(tmp_path), dense=Nearest(), keys=lambda rows: [KEYS[r] for r in rows]
    )


def judged(query, key, group="g"):
    return Judged(query, query, {key: 1}, group, ())


def test_documents_count_by_their_best_chunk(index):
    seen = []
    tried = trials.run(
        index, lambda query: np.array([0.9, 0.8, 0.1, 0.7]), [judged("holidays", "b")], k=2,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(1, 1)]
    assert tried.measured([Choice("bm25")])["ndcg"].tolist() == [1]
    assert tried.measured([Choice("dense")])["ndcg"].tolist() == [0]


def test_worth_has_a_column_for_each_choice(index):
    tried = trials.run(index, lambda query: np.array([0.9, 0.8, 0.1, 0.7]), [judged("tray", "a")])
    assert tried.worth().tolist() == [[1.0] * len(CHOICES)]


def test_noise_cannot_be_learnt(index):
    rng = np.random.default_rng(5)
    n = 120
    lists = [SimpleNamespace(signals=dict(zip(features.NAMES, rng.normal(size=25), strict=True))
                             | {"bm25_found": 1.0}) for _ in range(n)]  # fmt: skip
    queries = [judged(str(i), "a", group=str(i // 3)) for i in range(n)]
    tried = trials.Trials(index, queries, [], lists, 10)
    worth = rng.uniform(size=(n, len(CHOICES)))
    found = trials.cross_fitted(tried, worth)
    assert abs(found.mean() - 0.5) < 0.06
    assert (found == trials.cross_fitted(tried, worth)).all()
    assert (found != trials.cross_fitted(tried, worth, seed=8)).any()
