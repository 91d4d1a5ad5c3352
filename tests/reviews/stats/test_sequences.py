"""Known answers are those of confseq, run on the same values."""

import numpy as np
import pytest

from reviews.stats import sequences

X = [0, 1, 0, 0, 1, 0, 0, 0, 1, 0] * 10


def test_asymptotic_radius_has_its_known_answer():
    assert float(sequences.radius(100, 0.4, delta=0.05, n_star=100)) == pytest.approx(
        0.1214083596, abs=1e-9
    )


def test_empirical_bernstein_has_its_known_answer():
    bound = sequences.empirical_bernstein(X, delta=0.05)
    assert bound.low[-1] == pytest.approx(0.1399037232, abs=1e-9)
    assert bound.high[-1] == pytest.approx(0.4669240095, abs=1e-9)


def test_betting_has_its_known_answers():
    bound = sequences.betting_sequence(X, delta=0.05)
    assert (bound.low[-1], bound.high[-1]) == pytest.approx((0.166, 0.449), abs=1e-9)
    assert sequences.betting_interval(X, delta=0.05) == pytest.approx((0.191, 0.436), abs=1e-9)


def test_one_look_is_worth_a_shorter_interval_than_many():
    low, high = sequences.betting_interval(X, delta=0.05)
    always = sequences.betting_sequence(X, delta=0.05)
    assert always.low[-1] < low < 0.3 < high < always.high[-1]


@pytest.mark.parametrize("bound", [sequences.empirical_bernstein, sequences.betting_sequence])
def test_sequences_mirror_when_losses_and_gains_change_places(bound):
    ours, mirrored = bound(X, delta=0.05), bound(1 - np.array(X), delta=0.05)
    assert ours.low == pytest.approx(1 - mirrored.high, abs=1e-9)


@pytest.mark.parametrize("bound", [sequences.empirical_bernstein, sequences.betting_sequence])
def test_smaller_error_makes_wider_bounds(bound):
    assert bound(X, delta=0.01).high[-1] > bound(X, delta=0.05).high[-1]


def test_asymptotic_sequence_says_nothing_before_its_limit_is_near():
    z = np.array(X * 2, dtype=float) * 10
    bound = sequences.asymptotic(z, delta=0.05, n_star=200)
    assert np.isnan(bound.low[:99]).all()
    assert np.isfinite(bound.low[99:]).all()
    assert bound.low[-1] < 3 < bound.high[-1]
    rare = sequences.asymptotic(np.arange(300) % 20 == 0, delta=0.05, n_star=300)
    assert np.isnan(rare.high).all()


def test_asymptotic_sequence_is_shortest_near_its_plan():
    at_plan = sequences.radius(500, 1.0, delta=0.05, n_star=500)
    assert at_plan < sequences.radius(500, 1.0, delta=0.05, n_star=50)
    assert at_plan < sequences.radius(500, 1.0, delta=0.05, n_star=5000)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_values_without_spread_keep_an_interval(value):
    bound = sequences.betting_sequence(np.full(200, value), delta=0.05)
    assert bound.low[-1] <= value <= bound.high[-1]
    assert 0.01 < bound.high[-1] - bound.low[-1] < 0.2


def test_sequences_hold_at_all_times_together():
    rng = np.random.default_rng(2)
    misses = {"bernstein": 0, "betting": 0}
    for _ in range(100):
        x = rng.random(150) < 0.2
        for name, bound in (
            ("bernstein", sequences.empirical_bernstein(x, delta=0.1)),
            ("betting", sequences.betting_sequence(x, delta=0.1, breaks=100)),
        ):
            misses[name] += bool(((bound.low > 0.2) | (bound.high < 0.2)).any())
    assert max(misses.values()) <= 19  # .1 and three standard errors


@pytest.mark.parametrize("x", [[], [1.1], [-0.1], [np.nan], [[0.5]]])
def test_values_outside_the_unit_interval_are_refused(x):
    for bound in (
        sequences.empirical_bernstein,
        sequences.betting_sequence,
        sequences.betting_interval,
    ):
        with pytest.raises(ValueError):
            bound(x, delta=0.05)


@pytest.mark.parametrize("delta", [0, 1])
def test_errors_outside_their_range_are_refused(delta):
    with pytest.raises(ValueError):
        sequences.empirical_bernstein(X, delta=delta)
    with pytest.raises(ValueError):
        sequences.asymptotic(X, delta=delta, n_star=100)


def test_plans_without_rows_are_refused():
    with pytest.raises(ValueError):
        sequences.radius(10, 1.0, delta=0.05, n_star=0)
    with pytest.raises(ValueError):
        sequences.asymptotic([np.inf], delta=0.05, n_star=10)
