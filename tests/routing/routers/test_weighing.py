"""A retrieval's confidence beside a score: order, ends, fit, and what it leaves alone."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.errors import RouterError
from routing.routers import assembled, constant
from routing.routers.assembled import Parts
from routing.routers.weighing import Weighing, applied, fit, weighed
from routing.types import Score

SHARES = st.floats(0, 1)
SLOPES = st.floats(0.1, 10)
USUAL = Weighing()


def test_high_confidence_makes_a_score_lower_and_low_makes_it_higher():
    assert USUAL.of(0.5, 1.0) == pytest.approx(0.378, abs=1e-3)
    assert USUAL.of(0.5, 0.0) == pytest.approx(0.622, abs=1e-3)
    assert USUAL.of(0.3, 0.5) == pytest.approx(0.3)
    assert USUAL.of(0.3, None) == 0.3


@given(st.floats(-5, 5), st.floats(-5, 5), SLOPES, SLOPES, SHARES)
def test_for_one_confidence_a_higher_score_stays_the_higher(low, high, one, other, sure):
    lines = Weighing(low, high, one, other)
    scores = [0.0, 1e-9, 0.001, 0.3, 0.5, 0.500001, 0.9, 0.999, 1 - 1e-9, 1.0]
    said = [lines.of(score, sure) for score in scores]
    assert all(a < b for a, b in itertools.pairwise(said))
    assert (said[0], said[-1]) == (0.0, 1.0)


@given(SHARES, SHARES, SLOPES)
def test_it_stays_in_range_and_never_fails(score, sure, slope):
    assert 0.0 <= Weighing(5, -5, slope, slope).of(score, sure) <= 1.0


@pytest.mark.parametrize(
    "lines", [(0, 0, 0, 1), (0, 0, 1, -1), (math.nan, 0, 1, 1), (0, math.inf, 1, 1)]
)
def test_lines_that_do_not_rise_are_refused(lines):
    with pytest.raises(ValueError, match="rise"):
        Weighing(*lines)


@pytest.mark.parametrize(
    "score",
    [Score(0.5, "code"), Score(0.5, "unfamiliar"), Score(0.2, needs_answer=True), Score(1.5)],
)
def test_rules_and_lowest_possible_scores_stay(score):
    assert applied(USUAL, score, 1.0) is score
    assert applied(USUAL, Score(0.5), None) == Score(0.5)


def made(n, seed=3, high=-2.0):
    rng = np.random.default_rng(seed)
    score, sure = rng.uniform(0.05, 0.95, n), rng.uniform(0, 1, n)
    true = np.array(
        [Weighing(1.0, high, 1.5, 0.7).of(s, c) for s, c in zip(score, sure, strict=True)]
    )
    return score, sure, (rng.uniform(size=n) < true).astype(float), np.ones(n)


def test_a_fit_finds_what_made_the_labels():
    lines = fit(*made(20_000)).lines
    assert lines == pytest.approx((1.0, -2.0, 1.5, 0.7), abs=0.15)
    assert fit(*made(20_000)).lines == lines


def test_what_has_no_confidence_is_left_out():
    score, sure, need, weight = made(2_000)
    some = np.where(np.arange(2_000) % 2, sure, np.nan)
    kept = np.isfinite(some)
    half = fit(score[kept], sure[kept], need[kept], weight[kept])
    assert fit(score, some, need, weight) == half
    assert fit(score, np.full(2_000, np.nan), need, weight) == USUAL


def test_weights_count_as_so_many_labels():
    score, sure, need, weight = made(1_000)
    twice = [np.concatenate([x, x[:300]]) for x in (score, sure, need, weight)]
    doubled = weight + (np.arange(1_000) < 300)
    # Held to the default by as much, whatever the number of labels: nearly the same.
    assert fit(*twice).lines == pytest.approx(fit(score, sure, need, doubled).lines, abs=0.05)


def test_few_labels_leave_the_default():
    assert fit(*made(199)) == USUAL
    score, sure, _, weight = made(500)
    assert fit(score, sure, np.zeros(500), weight) == USUAL


def test_labels_against_all_order_keep_a_slope():
    score, sure, _, weight = made(2_000)
    lines = fit(score, sure, (score < 0.5).astype(float), weight)
    assert lines.low_slope == pytest.approx(0.1)
    assert lines.of(0.4, 0.7) < lines.of(0.6, 0.7)


def test_an_artifact_carries_it():
    lines = Weighing(0.2, -1.0, 1.1, 0.9)
    bare = constant.dumps(0.5)
    artifact = assembled.dumps(bare, weighing=lines)
    assert assembled.parts(artifact).weighing == lines
    assert assembled.parts(bare).weighing is None
    assert assembled.dumps(artifact) == artifact


def test_an_assembled_router_weighs_its_scores():
    inner = constant.KINDS[0].loads(constant.dumps(0.5), "")
    router = assembled.assemble(inner, Parts(weighing=Weighing(0.0, -2.0)), None)
    score = router.score("hello")
    assert weighed(router, score, None) == score
    assert weighed(router, score, 1.0).value == router.weigh(score, 1.0).value < 0.2
    assert assembled.assemble(inner, Parts(), None).weighing == USUAL
    assert weighed(object(), score, 1.0) is score


def test_a_damaged_one_is_refused():
    held = assembled.arrays.loads(constant.dumps(0.5))
    with pytest.raises(ValueError, match="weighing"):
        assembled.parts(assembled.arrays.dumps({**held, "weighing": np.zeros(3)}))
    with pytest.raises(ValueError, match="rise"):
        assembled.parts(assembled.arrays.dumps({**held, "weighing": np.zeros(4)}))


class PlugIn:
    def weigh(self, score, confidence):
        raise SystemExit


def test_a_plug_in_is_not_asked_without_a_confidence_and_cannot_end_the_service():
    assert weighed(PlugIn(), Score(0.4), None) == Score(0.4)
    with pytest.raises(RouterError, match="SystemExit"):
        weighed(PlugIn(), Score(0.4), 0.5)
