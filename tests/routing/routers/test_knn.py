"""Neighbours: the mean label of what is near, the same each time, with a k that suits."""

import numpy as np
import pytest

from routing import embedders, routers
from routing.embedders import ids
from routing.routers import assembled, knn, rules
from routing.routers.kinds import Examples
from routing.routers.near import Stored

EASY = [f"What colour is {what}?" for what in ("grass", "snow", "milk", "coal", "blood", "rust")]
HARD = [
    f"Prove that the {what} of two compact spaces is compact."
    for what in ("union", "product", "sum", "join", "cone", "closure")
]


def labelled(**said):
    queries = (*EASY, *HARD)
    cheap_ok = np.array([1.0] * len(EASY) + [0.0] * len(HARD))
    return Examples(queries, cheap_ok, np.ones(12), said.pop("weight", np.ones(12)), **said)


def load(artifact):
    return routers.load(knn.NAME, assembled.dumps(artifact, rules=rules.NONE), ids.STATIC)


def test_near_labels_decide_and_scores_come_back():
    artifact = knn.fit(labelled(), ids.STATIC, 1, {"k": 5})
    router = load(artifact)
    easy, hard = "What colour is ash?", "Prove that the quotient of two compact spaces is compact."
    assert router.score(easy).value < 0.1
    assert router.score(hard).value > 0.9
    assert router.recall(hard) == router.score(hard)
    assert router.is_instant
    assert artifact == knn.fit(labelled(), ids.STATIC, 1, {"k": 5})


def test_the_mean_counts_cosine_and_weight():
    weight = np.arange(1.0, 13.0)
    router = load(knn.fit(labelled(weight=weight), ids.STATIC, 1, {"k": 12})).inner
    query = "Which colour is the closure?"
    vector = embedders.get(ids.STATIC).embed(query)
    votes = np.maximum(router.vectors @ vector, 1e-3) * weight
    assert router.score(query).value == pytest.approx(votes[6:].sum() / votes.sum(), rel=1e-5)


def test_k_is_small_where_clusters_are_and_large_where_labels_are_noise():
    rng = np.random.default_rng(1)
    made = rng.normal(size=(400, 16))
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    groups = rng.normal(size=(80, 16))[np.repeat(np.arange(80), 5)] + rng.normal(0, 0.01, (400, 16))
    groups /= np.linalg.norm(groups, axis=1, keepdims=True)
    own = np.repeat(rng.integers(0, 2, 80), 5).astype(float)
    noise = rng.integers(0, 2, 400).astype(float)
    assert knn.best_k(groups.astype(np.float32), own, np.ones(400)) == 5
    assert knn.best_k(made.astype(np.float32), noise, np.ones(400)) >= 40


def test_more_labels_than_are_kept_are_drawn_by_the_seed():
    rng = np.random.default_rng(1)
    n = knn.MOST + 200
    made = rng.normal(size=(n, 256)).astype(np.float32)
    many = Examples(("q",) * n, rng.uniform(size=n), np.ones(n), np.ones(n), vectors=made)
    first, again, other = (knn.fit(many, ids.STATIC, seed, {"k": 10}) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert load(first).inner.vectors.shape == (knn.MOST, 256)


@pytest.mark.parametrize("n", [1, 49, 50, 51, 120])
def test_products_in_pieces_are_the_product(n):
    rng = np.random.default_rng(n)
    made, one = rng.normal(size=(n, 8)), rng.normal(size=8)
    assert Stored(made).cosines(one) == pytest.approx(made @ one, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [({"k": 0}, "whole number"), ({"k": True}, "whole number"), ({"n": 3}, "no option 'n'")],
)
def test_options_that_cannot_be_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        knn.fit(labelled(), ids.STATIC, 1, options)


def test_too_few_labels_are_refused():
    few = Examples(tuple(EASY), np.ones(6), np.ones(6), np.ones(6))
    with pytest.raises(ValueError, match="ten labels"):
        knn.fit(few, ids.STATIC, 1, {})


@pytest.mark.parametrize(
    ("made", "needs", "k"),
    [
        (np.ones((3, 255)), [0, 1, 0], 1),
        (np.ones((3, 256)), [0, 1], 1),
        (np.ones((3, 256)), [0, 1, 2], 1),
        (np.ones((3, 256)), [0, 1, 0], 4),
        (np.full((3, 256), np.nan), [0, 1, 0], 1),
    ],
)
def test_a_damaged_artifact_is_refused(made, needs, k):
    with pytest.raises(ValueError):
        knn.loads(knn.dumps(made, np.array(needs), np.ones(len(needs)), k), ids.STATIC)
