"""Calibrated scores are probabilities in the order of the raw ones, and as many different ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.routers import calibration
from routing.routers.calibration import Calibration

SCORE = st.integers(0, 10**6).map(lambda n: n / 10**6)


def drawn(n, seed=1, slope=1.0, shift=0.0):
    """Scores, and labels whose true probability is sigmoid(slope * logit + shift)."""
    rng = np.random.default_rng(seed)
    s = rng.uniform(0.02, 0.98, n)
    p = 1 / (1 + np.exp(-(slope * np.log(s / (1 - s)) + shift)))
    return s, (rng.uniform(size=n) < p).astype(float), np.ones(n), p


@settings(max_examples=60)
@given(
    st.lists(st.tuples(SCORE, st.sampled_from([0.0, 0.3, 1.0])), min_size=1, max_size=60),
    st.lists(SCORE, min_size=2, max_size=20, unique=True),
    st.sampled_from([1, 1200]),
)
def test_no_two_scores_change_places_or_become_one(labelled, asked, repeated):
    s, y = (np.repeat(column, repeated) for column in np.array(labelled).T)
    fitted = calibration.fit(s, y, np.ones(len(s)))
    told = [fitted.of(value) for value in sorted(asked)]
    assert (np.diff(told) > 0).all()
    assert told[0] >= 0
    assert told[-1] <= 1


@pytest.mark.parametrize(("n", "how"), [(600, "platt"), (20_000, "isotonic")])
def test_both_ways_find_the_probability_behind_the_scores(n, how):
    s, y, w, p = drawn(n, slope=0.6, shift=-1.0)
    assert calibration.method(y) == how
    fitted = calibration.fit(s, y, w)
    told = np.array([fitted.of(value) for value in s])
    assert np.abs(told - p).mean() < 0.03
    assert np.mean((told - p) ** 2) < np.mean((s - p) ** 2) / 10


def test_few_events_take_two_numbers_however_many_labels_there_are():
    rare = np.zeros(5_000)
    rare[:49] = 1
    assert calibration.method(rare) == calibration.method(1 - rare) == "platt"
    rare[:50] = 1
    assert calibration.method(rare) == "isotonic"


def test_weights_count_like_repetitions():
    s, y, _, _ = drawn(300)
    weight = np.random.default_rng(2).integers(1, 4, 300)
    weighted = calibration.fit(s, y, weight)
    repeated = calibration.fit(*(np.repeat(one, weight) for one in (s, y)), np.ones(weight.sum()))
    # Not to the last digit: Platt's targets count labels, and weights are brought to a mean of one.
    assert [weighted.of(v) for v in (0.1, 0.5, 0.9)] == pytest.approx(
        [repeated.of(v) for v in (0.1, 0.5, 0.9)], abs=0.02
    )


def test_scores_that_order_labels_the_wrong_way_round_become_the_base_rate():
    s, y, w, _ = drawn(500)
    fitted = calibration.fit(1 - s, y, w)
    assert [fitted.of(v) for v in (0.1, 0.9)] == pytest.approx([y.mean()] * 2, abs=0.02)


def test_labels_of_one_kind_promise_no_certainty():
    s = np.linspace(0.1, 0.9, 20)
    fitted = calibration.fit(s, np.zeros(20), np.ones(20))
    assert 0 < fitted.of(0.5) < 0.1


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0, 1], [0.5, 0.5]),
        ([0, 1], [1, 0]),
        ([0, 0.5, 0.5, 1], [0, 0.1, 0.2, 1]),
        ([0.1, 1], [0, 1]),
        ([0, 1], [-0.1, 1]),
        ([0, 1], [0, np.nan]),
        ([0, 1], [0, 0.5, 1]),
        ([0], [0]),
    ],
)
def test_a_map_that_does_not_rise_is_refused(x, y):
    with pytest.raises(ValueError, match="calibration"):
        Calibration(np.array(x, float), np.array(y, float))


@pytest.mark.parametrize(
    ("s", "y", "w"), [([], [], []), ([0.5], [2], [1]), ([0.5], [1], [0]), ([1.5], [1], [1])]
)
def test_labels_that_are_none_are_refused(s, y, w):
    with pytest.raises(ValueError, match="calibration"):
        calibration.fit(np.array(s), np.array(y), np.array(w))
