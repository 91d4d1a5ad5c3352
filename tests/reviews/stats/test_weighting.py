"""Weighted means: known figures, agreement of estimators, coverage, refusals."""

import numpy as np
import pytest

from reviews.stats.intervals import korn_graubard
from reviews.stats.weighting import (
    deff_weights,
    domain_mean,
    hajek,
    horvitz_thompson,
    kish_n,
)

Z = np.array([0, 0, 1, 0, 0, 1, 0, 0, 0, 0])
WEIGHT = np.array([2, 2, 2, 2, 2, 5, 5, 5, 10, 10])
NAN = float("nan")


def test_hajek_reproduces_the_reference_example():
    # Computed with statsmodels 0.15.0.
    estimate = hajek(Z, WEIGHT)
    assert estimate.mean == pytest.approx(0.1555555556, abs=5e-11)
    assert estimate.variance**0.5 == pytest.approx(0.1219774190, abs=5e-11)
    assert estimate.n_kish == pytest.approx(6.8644067797, abs=5e-11)
    assert estimate.n == 10


def test_korn_graubard_of_hajek_reproduces_the_reference_example():
    assert korn_graubard(*hajek(Z, WEIGHT)) == pytest.approx((0.00939744, 0.53633823), abs=5e-9)


def test_horvitz_thompson_reproduces_the_reference_example():
    # Inclusion probability .5 on six rows, .25 on six; five rows drawn with values 1, 0, 1, 0, 1.
    estimate = horvitz_thompson([1, 0, 1, 0, 1], [2, 2, 2, 4, 4], n_frame=12)
    assert estimate.mean == pytest.approx(0.6666666667, abs=5e-11)
    assert estimate.stream_variance**0.5 == pytest.approx(0.3760507165, abs=5e-11)


def test_stream_variance_is_the_variance_of_the_zero_filled_frame():
    rng = np.random.default_rng(1)
    weight, z = rng.uniform(1, 9, 40), rng.uniform(size=40)
    filled = np.concatenate([weight * z, np.zeros(160)])
    estimate = horvitz_thompson(z, weight, n_frame=200)
    assert estimate.stream_variance == pytest.approx(filled.var(ddof=1) / 200, rel=1e-12)


def test_window_variance_is_unbiased_over_every_possible_sample():
    z, pi = np.array([1.0, 0.4, 0.0, 0.7]), np.array([0.5, 0.2, 0.9, 1.0])
    probabilities, means, variances = [], [], []
    for code in range(2**4):
        drawn = np.array([bool(code >> bit & 1) for bit in range(4)])
        probabilities.append(np.where(drawn, pi, 1 - pi).prod())
        estimate = horvitz_thompson(z[drawn], 1 / pi[drawn], n_frame=4)
        means.append(estimate.mean)
        variances.append(estimate.window_variance)
    p, m = np.array(probabilities), np.array(means)
    assert p @ m == pytest.approx(z.mean(), rel=1e-12)
    assert p @ variances == pytest.approx(p @ (m - z.mean()) ** 2, rel=1e-12)


def test_a_census_has_no_sampling_error():
    estimate = horvitz_thompson([1, 0, 0, 1], [1, 1, 1, 1], n_frame=4)
    assert estimate.mean == 0.5
    assert estimate.window_variance == 0
    assert estimate.stream_variance == pytest.approx(1 / 12)


def test_equal_weights_make_hajek_the_plain_mean():
    z = np.random.default_rng(2).uniform(size=50)
    estimate = hajek(z, np.full(50, 7.0))
    assert estimate.mean == pytest.approx(z.mean(), rel=1e-12)
    assert estimate.variance == pytest.approx(z.var(ddof=1) / 50, rel=1e-12)
    assert estimate.n_kish == pytest.approx(50)


def test_hajek_does_not_depend_on_the_scale_of_the_weights():
    assert hajek(Z, WEIGHT / 45) == pytest.approx(hajek(Z, WEIGHT), rel=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_a_share_of_everything_is_exactly_one(seed):
    weight = np.random.default_rng(seed).uniform(1, 50, 31)
    estimate = hajek(np.ones(31), weight)
    assert estimate.mean == 1
    assert korn_graubard(*estimate).high == 1


def test_domain_mean_linearises_over_the_whole_sample():
    domain = np.array([True] * 6 + [False] * 4)
    estimate = domain_mean(Z, WEIGHT, domain)
    total = (WEIGHT * domain).sum()
    mean = (WEIGHT * domain * Z).sum() / total
    u = WEIGHT * domain * (Z - mean) / total
    assert estimate.mean == pytest.approx(mean, rel=1e-12)
    assert estimate.variance == pytest.approx(6 / 5 * (u**2).sum(), rel=1e-12)
    assert estimate.n == 6
    assert estimate.n_kish == pytest.approx(15**2 / 45)


def test_domain_mean_does_not_look_outside_the_domain():
    inside = domain_mean([1, 0, NAN], [2, 3, NAN], [True, True, False])
    assert inside == hajek([1, 0], [2, 3])


def test_two_weights_to_one_cost_a_ninth():
    assert deff_weights([1, 1, 2, 2]) == pytest.approx(10 / 9)
    assert kish_n([1, 1, 2, 2]) == pytest.approx(3.6)
    assert deff_weights([3, 3, 3]) == pytest.approx(1)


def test_nothing_is_filled_in_where_nothing_can_be_estimated():
    empty, single = hajek([], []), hajek([1], [4])
    assert np.isnan([empty.mean, empty.variance, single.variance, deff_weights([])]).all()
    assert (empty.n, empty.n_kish, single.mean, single.n) == (0, 0, 1, 1)
    assert np.isnan(horvitz_thompson([], [], n_frame=0)).all()
    assert np.isnan(horvitz_thompson([1], [1], n_frame=1).stream_variance)
    assert horvitz_thompson([], [], n_frame=9).mean == 0


@pytest.mark.parametrize("pi_high", [0.1, 0.3], ids=["equal weights", "weights 3 to 1"])
def test_korn_graubard_covers_the_true_share(pi_high):
    reps, n_frame, level = 400, 4_000, 0.95
    rng = np.random.default_rng(20)
    covered, widths, spreads = [], [], []
    for _ in range(reps):
        risky = rng.random(n_frame) < 0.5
        pi = np.where(risky, pi_high, 0.1)
        harm = rng.random(n_frame) < np.where(risky, 0.08, 0.02)
        drawn = rng.random(n_frame) < pi
        estimate = hajek(harm[drawn], 1 / pi[drawn])
        low, high = korn_graubard(*estimate, level=level)
        covered.append(low <= 0.05 <= high)
        widths.append(high - low)
        spreads.append(estimate.variance**0.5)
    standard_error = (level * (1 - level) / reps) ** 0.5
    assert np.mean(covered) >= level - 3 * standard_error
    # Wide enough to cover is not enough: [0, 1] would be.
    assert np.mean(widths) < 1.3 * 2 * 1.96 * np.mean(spreads)


@pytest.mark.parametrize("weight", [[1, 0], [1, -1], [1, NAN], [1, float("inf")]])
def test_impossible_weight_is_refused(weight):
    for refused in (
        lambda: hajek([0, 1], weight),
        lambda: kish_n(weight),
        lambda: deff_weights(weight),
        lambda: horvitz_thompson([0, 1], weight, n_frame=5),
        lambda: domain_mean([0, 1], weight, [True, True]),
    ):
        with pytest.raises(ValueError, match="weight must be finite"):
            refused()


def test_inclusion_probability_above_one_is_refused():
    with pytest.raises(ValueError, match="cannot exceed 1"):
        horvitz_thompson([0, 1], [1, 0.9], n_frame=5)


def test_more_rows_than_the_frame_holds_are_refused():
    with pytest.raises(ValueError, match="cannot come from a frame of 1"):
        horvitz_thompson([0, 1], [1, 1], n_frame=1)


@pytest.mark.parametrize("estimator", [hajek, lambda z, w: horvitz_thompson(z, w, n_frame=9)])
def test_mismatched_or_missing_values_are_refused(estimator):
    with pytest.raises(ValueError, match="same length"):
        estimator([0, 1, 1], [1, 1])
    with pytest.raises(ValueError, match="z must be finite"):
        estimator([0, NAN], [1, 1])


def test_scalar_weight_is_refused():
    with pytest.raises(ValueError, match="shape"):
        hajek(1, 2)


def test_impossible_domain_is_refused():
    with pytest.raises(ValueError, match="domain must be boolean"):
        domain_mean([0, 1], [1, 1], [1, 0])
    with pytest.raises(ValueError, match="same length"):
        domain_mean([0, 1], [1, 1], [True])
