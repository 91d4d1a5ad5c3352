"""Intervals for a proportion: printed figures, a second implementation, refusals."""

import numpy as np
import pytest
from scipy import stats

from reviews.stats.intervals import (
    Interval,
    clopper_pearson,
    effective_n,
    korn_graubard,
    wilson,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("x", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_reproduces_newcombe_1998_table_1(x, n, low, high):
    assert wilson(x, n) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("x", "n", "low", "high"),
    [
        (81, 263, 0.2527, 0.3676),
        (15, 148, 0.0578, 0.1617),
        (0, 20, 0, 0.1684),
        (1, 29, 0.0009, 0.1776),
    ],
)
def test_clopper_pearson_reproduces_newcombe_1998_table_1(x, n, low, high):
    assert clopper_pearson(x, n) == pytest.approx((low, high), abs=5e-5)


def test_seven_of_fifty_reproduces_the_scipy_documentation():
    exact = (0.05819170033997342, 0.26739600249700846)
    assert clopper_pearson(7, 50) == pytest.approx(exact, rel=1e-12)
    assert wilson(7, 50) == pytest.approx((0.0695083343, 0.2618619371), abs=5e-11)


@pytest.mark.parametrize(
    ("x", "n", "high"), [(0, 59, 0.049508), (0, 58, 0.050339), (3, 100, 0.075711)]
)
def test_one_sided_upper_bound_reproduces_scipy(x, n, high):
    assert clopper_pearson(x, n, side="upper") == pytest.approx((0, high), abs=5e-7)


def test_one_sided_lower_bound_mirrors_the_upper_one():
    upper = clopper_pearson(3, 100, side="upper").high
    assert clopper_pearson(97, 100, side="lower") == pytest.approx((1 - upper, 1), rel=1e-12)


@pytest.mark.parametrize("level", [0.8, 0.95, 0.995])
@pytest.mark.parametrize("x", [0, 1, 20, 39, 40])
def test_counts_agree_with_scipy_at_every_level(x, level):
    oracle = stats.binomtest(x, 40)
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        theirs = oracle.proportion_ci(confidence_level=level, method=method)
        assert ours(x, 40, level) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_real_valued_clopper_pearson_inverts_the_beta_tails():
    low, high = clopper_pearson(1.3734, 8.8287, level=0.9)
    assert stats.beta.cdf(low, 1.3734, 8.8287 - 1.3734 + 1) == pytest.approx(0.05, rel=1e-10)
    assert stats.beta.sf(high, 1.3734 + 1, 8.8287 - 1.3734) == pytest.approx(0.05, rel=1e-10)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99, 0.995])
@pytest.mark.parametrize("method", [wilson, clopper_pearson])
def test_ends_are_exact_without_successes_or_failures(method, level):
    # Over many sizes, because the plain formula misses the end by rounding at some of them only.
    n = np.arange(400.0)
    assert (method(0 * n, n, level).low == 0).all()
    assert (method(n, n, level).high == 1).all()
    assert method(0, 0, level) == (0, 1)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99, 0.995])
def test_wilson_stays_inside_the_unit_range_next_to_its_ends(level):
    n = np.repeat(np.arange(1.0, 300), 80)
    x = np.tile(10.0 ** np.arange(-20, 0, 0.25), 299)
    assert (wilson(x, n, level).low >= 0).all()
    assert (wilson(n - x, n, level).high <= 1).all()


def test_korn_graubard_reproduces_the_statsmodels_beta_interval():
    d, v, kish = 0.15555555555555556, 0.1219774190**2, 6.8644067797
    assert effective_n(d, v, 10, kish) == pytest.approx(8.8287197232, rel=1e-8)
    assert korn_graubard(d, v, 10, kish) == pytest.approx((0.00939744, 0.53633823), abs=5e-9)


def test_korn_graubard_with_equal_weights_is_close_to_the_plain_count():
    d, n = 0.1, 200
    assert korn_graubard(d, d * (1 - d) / n, n, n) == pytest.approx(clopper_pearson(20, 200))


def test_effective_size_never_exceeds_the_rated_rows():
    assert effective_n(0.5, 0.001, 100, 90) == 100
    assert effective_n(0.5, 0.005, 100, 90) == pytest.approx(50)


@pytest.mark.parametrize("estimate", [0.0, 1.0, 1 / 3])
def test_without_spread_the_kish_size_stands_in(estimate):
    assert effective_n(estimate, 0.0, 100, 60) == 60
    expected = clopper_pearson(60 * estimate, 60)
    assert korn_graubard(estimate, 0.0, 100, 60) == pytest.approx(expected, rel=1e-12)


def test_rounding_in_place_of_a_zero_variance_is_no_information():
    assert effective_n(1 / 3, 1e-18, 100, 60) == 60


def test_zero_harm_upper_bound_depends_on_the_kish_size_only():
    assert korn_graubard(0.0, 0.0, 80, 59).high == pytest.approx(1 - 0.025 ** (1 / 59))


@pytest.mark.parametrize(
    ("estimate", "variance", "n", "n_kish"),
    [(NAN, NAN, 0, 0), (0.0, NAN, 1, 1), (0.5, 0.26, 5, 4)],
    ids=["no rows", "one row", "less than one effective row"],
)
def test_too_little_to_say_gives_the_whole_range(estimate, variance, n, n_kish):
    assert korn_graubard(estimate, variance, n, n_kish) == (0, 1)


def test_arrays_give_what_scalars_give_one_by_one():
    d = np.array([NAN, 0.0, 0.0, 0.2, 1.0, 1 / 3])
    v = np.array([NAN, NAN, 0.0, 0.01, 0.0, 0.0])
    n = np.array([0, 1, 20, 30, 40, 50])
    kish = np.array([0, 1, 15, 25, 30, 45.5])
    together = korn_graubard(d, v, n, kish, level=0.9)
    one_by_one = [korn_graubard(d[i], v[i], float(n[i]), kish[i], level=0.9) for i in range(6)]
    assert isinstance(together, Interval)
    np.testing.assert_array_equal(np.column_stack(together), one_by_one)


def test_scalars_give_floats():
    for interval in (wilson(1, 9), clopper_pearson(1, 9), korn_graubard(0.1, 0.01, 9, 9)):
        assert [isinstance(end, float) for end in interval] == [True, True]


@pytest.mark.parametrize("d", [0.0, 0.001, 0.3, 0.999, 1.0])
def test_higher_level_widens_around_the_estimate(d):
    narrow, wide = (korn_graubard(d, d * (1 - d) / 50, 80, 60, level) for level in (0.8, 0.99))
    assert wide.low <= narrow.low <= d <= narrow.high <= wide.high
    assert wide.high - wide.low > narrow.high - narrow.low


@pytest.mark.parametrize("method", [wilson, clopper_pearson])
@pytest.mark.parametrize(("x", "n"), [(-1, 5), (6, 5), (NAN, 5), (1, NAN), (1, float("inf"))])
def test_impossible_counts_are_refused(method, x, n):
    with pytest.raises(ValueError, match="successes must lie in"):
        method(x, n)


@pytest.mark.parametrize("level", [0, 1, -0.5, 95, NAN])
def test_impossible_level_is_refused(level):
    for refused in (
        lambda: wilson(1, 5, level),
        lambda: clopper_pearson(1, 5, level),
        lambda: korn_graubard(0.5, 0.01, 9, 9, level),
    ):
        with pytest.raises(ValueError, match="level must lie"):
            refused()


@pytest.mark.parametrize("side", ["greater", "", None])
def test_unknown_side_is_refused(side):
    with pytest.raises(ValueError, match="side must be"):
        clopper_pearson(1, 5, side=side)


@pytest.mark.parametrize(
    ("estimate", "variance", "n", "n_kish", "reason"),
    [
        (1.1, 0.01, 9, 9, "estimate must lie"),
        (NAN, 0.01, 9, 9, "estimate must lie"),
        (0.5, -0.01, 9, 9, "variance must be"),
        (0.5, NAN, 9, 9, "variance must be"),
        (0.5, 0.01, 9, 0, "n_kish must lie"),
        (0.5, 0.01, 9, 10, "n_kish must lie"),
        (0.5, 0.01, -1, 1, "n must be"),
        (0.5, 0.01, NAN, 1, "n must be"),
    ],
)
def test_impossible_weighted_sample_is_refused(estimate, variance, n, n_kish, reason):
    with pytest.raises(ValueError, match=reason):
        korn_graubard(estimate, variance, n, n_kish)
