"""Rules, then familiarity, then the calibrated score; artifacts of before stay as they were."""

import io
from dataclasses import dataclass

import numpy as np
import pytest

from routing import embedders, routers
from routing.embedders import ids
from routing.routers import arrays, assembled, constant, embedding, rules
from routing.routers.assembled import Assembled, Parts
from routing.routers.base import UNFAMILIAR
from routing.routers.calibration import Calibration
from routing.routers.familiar import Familiar
from routing.routers.rules import Rule, Rules
from routing.types import Score

HALVED = Calibration(np.array([0.0, 1.0]), np.array([0.0, 0.5]))
ONLY = Rules((Rule("shout", "matches", 1.0, pattern="!!!"),))
INVOICES = [
    f"When is the {what} {n} from {month} due?"
    for n in range(7)
    for what in ("invoice number", "payment of invoice")
    for month in ("March", "April", "May", "June")
]


@dataclass(frozen=True)
class Says:
    said: object
    is_instant: bool = True

    def score(self, query):
        return self.said

    def recall(self, query):
        return self.said


def vectors():
    return np.stack([embedders.get(ids.STATIC).embed(text) for text in INVOICES])


def test_parts_come_back_as_they_were():
    near = Familiar.fit(vectors())
    artifact = assembled.dumps(constant.dumps(0.4), rules=ONLY, familiar=near, calibration=HALVED)
    found = assembled.parts(artifact)
    assert found.rules == ONLY
    assert np.array_equal(found.familiar.vectors, near.vectors)
    assert (found.familiar.limit, found.familiar.k) == (near.limit, near.k)
    assert np.array_equal(found.calibration.y, HALVED.y)
    assert constant.loads(artifact).value == 0.4


def test_the_same_parts_give_the_same_bytes():
    made = [assembled.dumps(constant.dumps(0.4), rules=ONLY, calibration=HALVED) for _ in "ab"]
    assert made[0] == made[1]


def test_a_part_is_replaced_and_the_others_stay():
    first = assembled.dumps(constant.dumps(0.4), rules=ONLY, calibration=HALVED)
    found = assembled.parts(assembled.dumps(first, rules=rules.NONE))
    assert found.rules == rules.NONE
    assert found.calibration is not None


def test_an_artifact_of_before_has_the_usual_rules_and_nothing_else():
    buffer = io.BytesIO()
    np.savez(buffer, coef=np.ones(256), intercept=np.float64(0.5))  # as they were written
    router = routers.load(embedding.KIND, buffer.getvalue(), ids.STATIC)
    assert (router.rules, router.familiar, router.calibration) == (Rules(), None, None)
    text = "When is my invoice due?"
    logit = float(np.ones(256) @ embedders.get(ids.STATIC).embed(text)) + 0.5
    assert router.score(text).value == float(1 / (1 + np.exp(-logit)))


def test_rules_come_first_and_their_scores_stay():
    artifact = assembled.dumps(constant.dumps(0.4), rules=ONLY, calibration=HALVED)
    router = routers.load(constant.KIND, artifact, "")
    assert router.score("Now!!!") == router.recall("Now!!!") == Score(1.0, "shout")
    assert router.score("hello") == Score(0.2)
    assert router.is_instant


def test_what_is_unlike_the_training_queries_is_told_so():
    coef = np.zeros(256)
    artifact = assembled.dumps(embedding.dumps(coef, 0.0), familiar=Familiar.fit(vectors()))
    router = routers.load(embedding.KIND, artifact, ids.STATIC)
    assert router.score("When is the invoice number 3 from July due?") == Score(0.5)
    far = "Prove that every compact Riemannian manifold is complete."
    assert router.score(far) == router.recall(far) == Score(1.0, UNFAMILIAR)
    assert router.score("thanks") == Score(0.0, "greeting")
    assert router.recall("A question that nobody asked yet, about nothing") is None


def test_familiarity_without_the_embedder_of_its_vectors_is_refused():
    artifact = assembled.dumps(constant.dumps(0.4), familiar=Familiar.fit(vectors()))
    with pytest.raises(ValueError, match="do not fit"):
        routers.load(constant.KIND, artifact, "")
    wide = assembled.dumps(embedding.dumps(np.zeros(384), 0.0), familiar=Familiar.fit(vectors()))
    with pytest.raises(ValueError, match="do not fit"):
        routers.load(embedding.KIND, wide, ids.MINILM)


@pytest.mark.parametrize(
    "said",
    [
        None,
        0.3,
        Score("0.3"),
        Score(None),
        Score(True),
        Score(0.3, "two words\n"),
        Score(0.3, "x" * 61),
        Score(0.3, None),
        Score(0.3, needs_answer=True),
    ],
)
def test_what_no_decision_can_keep_is_no_score(said):
    with pytest.raises((TypeError, AttributeError)):
        Assembled(Says(said), rules.NONE).score("q")


@pytest.mark.parametrize("value", [1.7, -0.1, float("inf"), float("nan")])
def test_no_map_makes_a_wrong_score_look_right(value):
    made = Assembled(Says(Score(value)), rules.NONE, calibration=HALVED).score("q")
    assert made.value == pytest.approx(value, nan_ok=True)


def test_numbers_of_numpy_become_plain_ones():
    made = Assembled(Says(Score(np.float32(0.5))), rules.NONE).score("q")
    assert (type(made.value), made.value) == (float, 0.5)


def test_a_plug_in_is_never_instant_and_asked_nothing_on_the_way():
    class Liar:
        @property
        def is_instant(self):
            raise AssertionError("asked")

        recall = is_instant

    router = assembled.assemble(Liar(), Parts(rules=ONLY), None, is_trusted=False)
    assert not router.is_instant
    assert router.recall("q") is None
    assert router.recall("q!!!") == Score(1.0, "shout")


class Asking(Says):
    asks = "once"

    def judge(self, query, before, seen):
        return (query, before, seen)


def test_a_router_that_asks_first_still_does_within_its_parts():
    before = Score(0.3, needs_answer=True)
    router = assembled.assemble(Asking(before), Parts(rules=ONLY), None)
    assert (router.asks, router.score("q")) == ("once", before)
    assert router.judge("q", before, "seen") == ("q", before, "seen")
    assert router.score("q!!!") == Score(1.0, "shout")
    assert not hasattr(assembled.assemble(Says(Score(0.3)), Parts(), None), "judge")
    with pytest.raises(ValueError, match="not calibrated"):
        assembled.assemble(Asking(before), Parts(calibration=HALVED), None)


@pytest.mark.parametrize(
    "change",
    [
        {"rules": arrays.of_json([{"name": "x"}])},
        {"rules": np.array([255], np.uint8)},
        {"calibration_x": np.array([0.0, 1.0]), "calibration_y": np.array([0.9, 0.1])},
        {"familiar_vectors": np.ones(3), "familiar_limit": 0.1, "familiar_k": 2},
        {"familiar_vectors": np.ones((3, 2)), "familiar_limit": 0.1, "familiar_k": 4},
        {"familiar_vectors": np.ones((3, 2))},
        {"calibration_x": np.array([0.0, 1.0])},
    ],
)
def test_a_damaged_part_is_refused(change):
    artifact = arrays.dumps({"value": np.float64(0.4), **change})
    with pytest.raises(ValueError):
        routers.load(constant.KIND, artifact, "")


@pytest.mark.parametrize("artifact", [b"", b"PK\x03\x04", b"\x80\x04K\x01."])
def test_what_is_no_artifact_is_refused(artifact):
    with pytest.raises(ValueError, match="no artifact"):
        routers.load(constant.KIND, artifact, "")
    with pytest.raises(ValueError, match="no artifact"):
        assembled.dumps(artifact)
