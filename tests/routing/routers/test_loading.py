"""A stored version is loaded by its kind; what does not fit is refused."""

import numpy as np
import pytest

from routing import embedders, routers
from routing.embedders import ids
from routing.routers import arrays, constant, embedding
from routing.types import Score


def test_rules_need_no_embedder_and_are_instant():
    router = routers.load(constant.KIND, constant.dumps(0.25), "")
    assert router.score("Why is the sky blue?") == Score(0.25)
    assert router.score("thanks!") == Score(0.0, "greeting")
    assert router.recall("Why is the sky blue?") == Score(0.25)
    assert router.is_instant


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_constant_outside_its_range_is_refused(value):
    with pytest.raises(ValueError, match="outside"):
        routers.load(constant.KIND, constant.dumps(value), "")


@pytest.mark.parametrize(
    "arrays_of",
    [{"value": [0.5, 0.6]}, {"value": 1j}, {"value": "x"},
     {"value": 0.5, "rules": np.frombuffer(b"[" * 100_000, np.uint8)}],
)  # fmt: skip
def test_arrays_of_odd_types_are_refused_like_any_others(arrays_of):
    with pytest.raises(ValueError):
        routers.load(
            "rules", arrays.dumps({name: np.asarray(one) for name, one in arrays_of.items()}), ""
        )


def test_neighbours_of_endless_weight_are_refused():
    held = {"vectors": np.eye(20, 256, dtype=np.float32), "needs": np.zeros(20), "k": np.int64(5)}
    with pytest.raises(ValueError, match="outside"):
        routers.load("knn", arrays.dumps({**held, "weight": np.full(20, np.inf)}), ids.STATIC)


def test_rules_that_name_an_embedder_are_refused():
    with pytest.raises(ValueError, match="no embedder"):
        routers.load(constant.KIND, constant.dumps(0.5), ids.STATIC)


@pytest.mark.parametrize(
    ("kind", "embedder", "expected"),
    [
        ("oracle", ids.STATIC, "no kind of router 'oracle'"),
        (embedding.KIND, "word2vec", "no embedder 'word2vec'"),
        (embedding.KIND, "", "no embedder ''"),
    ],
)
def test_an_unknown_kind_or_embedder_is_named(kind, embedder, expected):
    with pytest.raises(KeyError, match=expected):
        routers.load(kind, embedding.dumps(np.zeros(256), 0.0), embedder)


@pytest.mark.parametrize(
    ("coef", "intercept"),
    [(np.zeros(384), 0.0), (np.zeros((256, 1)), 0.0), (np.full(256, np.nan), 0.0)],
)
def test_a_head_that_does_not_fit_its_embedder_is_refused(coef, intercept):
    with pytest.raises(ValueError, match="does not fit"):
        routers.load(embedding.KIND, embedding.dumps(coef, intercept), ids.STATIC)


def test_a_score_is_the_logistic_of_the_heads_product():
    coef = np.linspace(-1, 1, 256)
    router = routers.load(embedding.KIND, embedding.dumps(coef, 0.3), ids.STATIC)
    text = "How many weeks of notice do I have to give?"
    logit = coef @ embedders.get(ids.STATIC).embed(text) + 0.3
    assert router.score(text).value == pytest.approx(1 / (1 + np.exp(-logit)))
    assert router.is_instant


def test_a_slow_router_recalls_what_it_scored_and_what_rules_say():
    router = routers.load(embedding.KIND, embedding.dumps(np.ones(384), 0.0), ids.MINILM)
    text = "A question that nobody asked this process before"
    assert not router.is_instant
    assert router.recall(text) is None
    scored = router.score(text)
    assert router.recall(text) == scored
    assert router.recall("hello") == Score(0.0, "greeting")
