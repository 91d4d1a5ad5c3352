import math

import numpy as np
import pytest
from scipy import stats

from reviews.stats import planner
from reviews.stats.rows import Rows

#: floor, true degradation, normal 80 %, exact 80 %, exact 90 %; an independent search.
TABLE = [
    (0.02, 0.005, 373, 386, 456),
    (0.02, 0.010, 986, 969, 1331),
    (0.02, 0.014, 3010, 3047, 4098),
    (0.05, 0.0, 51, 59, 59),
    (0.05, 0.0125, 145, 153, 208),
    (0.05, 0.025, 384, 410, 554),
    (0.05, 0.030, 630, 671, 900),
    (0.05, 0.035, 1170, 1237, 1657),
    (0.05, 0.040, 2740, 2869, 3871),
    (0.10, 0.025, 69, 76, 103),
    (0.10, 0.050, 183, 203, 263),
    (0.10, 0.070, 557, 593, 792),
    (0.10, 0.080, 1302, 1365, 1845),
]


@pytest.mark.parametrize(("floor", "true", "normal", "exact80", "exact90"), TABLE)
def test_sample_sizes_are_those_of_the_table(floor, true, normal, exact80, exact90):
    assert round(planner.normal_n(floor, true)) == normal
    assert planner.exact_n(floor, true) == exact80
    assert planner.exact_n(floor, true, power=0.9) == exact90


@pytest.mark.parametrize(("floor", "true"), [(0.05, 0.03), (0.02, 0.01)])
def test_power_holds_with_a_few_ratings_more(floor, true):
    n = planner.exact_n(floor, true)
    assert (planner.power(n + np.arange(21), true, floor=floor) >= 0.8).all()
    assert planner.power(n - 1, true, floor=floor) < 0.8


def test_power_is_that_of_the_test_itself():
    n, floor, true = 410, 0.05, 0.025
    certifying = stats.binom.cdf(np.arange(n + 1), n, floor) <= 0.05
    assert planner.power(n, true, floor=floor) == pytest.approx(
        stats.binom.pmf(np.arange(n + 1), n, true)[certifying].sum()
    )


def test_power_curve_falls_with_harm_and_is_small_at_the_floor():
    curve = planner.power(400, np.arange(0, 51) / 1000, floor=0.05)
    assert (np.diff(curve) <= 0).all()
    assert curve[0] == 1
    assert curve[-1] <= 0.05


def test_too_few_ratings_have_no_power():
    assert planner.power(58, 0.0, floor=0.05) == 0
    assert planner.power(59, 0.0, floor=0.05) == 1
    assert [planner.zero_harm_n(f, 0.05) for f in (0.02, 0.05, 0.1)] == [149, 59, 29]


@pytest.mark.parametrize("true", [0.05, 0.2])
def test_harm_at_the_floor_or_above_is_impossible(true):
    assert planner.exact_n(0.05, true) is None
    assert planner.ratings(0.05, true) is None


def test_harm_just_below_the_floor_needs_what_the_normal_approximation_says():
    n = planner.exact_n(0.05, 0.049)
    assert n == math.ceil(planner.normal_n(0.05, 0.049)) > 100_000


@pytest.mark.parametrize("floor", [0.005, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.8])
@pytest.mark.parametrize("power", [0.5, 0.99])
def test_every_floor_has_a_sample_size(floor, part, power):
    n = planner.exact_n(floor, floor * part, power=power)
    assert planner.power(n, floor * part, floor=floor) >= power


@pytest.mark.parametrize(
    ("factor", "times"),
    [
        ({"share": 0.5}, 0.5),
        ({"deff_weights": 2.0}, 2.0),
        ({"judge_phi": 0.6}, 0.82),
        ({"judge_phi": -0.6}, 0.82),
        ({"response": 0.8}, 1.25),
        ({"second_share": 0.15}, 1.15),
    ],
)
def test_each_factor_moves_the_ratings(factor, times):
    needs = planner.ratings(0.05, 0.025, **factor)
    assert needs.ratings == math.ceil(410 * 1.15 * times - 1e-9)
    assert needs.exact == 410
    assert needs.fewest == 59


def test_smaller_error_and_more_power_need_more():
    plain = planner.ratings(0.05, 0.025).ratings
    assert planner.ratings(0.05, 0.025, delta=0.04).ratings > plain
    assert planner.ratings(0.05, 0.025, power=0.9).ratings > plain


def test_reachable_floor_is_where_the_power_begins():
    floor = planner.reachable_floor(410, 0.025)
    assert floor == 0.05
    assert planner.power(410, 0.025, floor=floor) >= 0.8
    assert planner.power(410, 0.025, floor=floor - 0.001) < 0.8
    assert planner.reachable_floor(1, 0.5) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"share": 1.1},
        {"deff_weights": 0.9},
        {"judge_phi": 1.5},
        {"response": 0.0},
        {"second_share": -0.1},
        {"delta": 0.0},
        {"power": 1.0},
    ],
)
def test_factors_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError):
        planner.ratings(0.05, 0.025, **wrong)


@pytest.mark.parametrize(("floor", "true"), [(0, 0), (1, 0), (0.05, -0.1), (0.05, 1.1)])
def test_impossible_harm_is_refused(floor, true):
    with pytest.raises(ValueError):
        planner.exact_n(floor, true)


# How many more.


def so_far(n_rows, every=10, harms=0):
    rated = np.arange(n_rows) % every == 0
    loss = np.zeros(n_rows)
    loss[np.flatnonzero(rated)[:: max(1, rated.sum() // max(harms, 1))][:harms]] = 1
    return Rows(np.full(n_rows, 0.2), np.full(n_rows, 1 / every), rated, loss)


def more(rows, thresholds=(0.5,), **settings):
    defaults = {"floor": 0.05, "delta": 0.05, "n_plan": 4000}
    return planner.more(rows, thresholds, **defaults | settings)


def test_fewer_are_lacking_the_further_it_has_come():
    lacking = [float(more(so_far(n))[0]) for n in (200, 400, 800)]
    assert lacking == sorted(lacking, reverse=True)
    assert lacking[-1] > 0


@pytest.mark.parametrize("n", [200, 400, 800, 1200])
def test_as_many_more_as_it_says_do_certify_when_nothing_changes(n):
    lacking = int(more(so_far(n))[0])
    assert more(so_far(n + 10 * round(lacking * 0.8)))[0] > 0
    assert more(so_far(n + 10 * round(lacking * 1.15)))[0] == 0


def test_a_plan_that_has_run_out_is_made_anew():
    assert np.isfinite(more(so_far(800, harms=2), n_plan=800)[0])


def test_losses_seen_raise_what_is_lacking():
    assert more(so_far(2000, harms=4))[0] > more(so_far(2000, harms=2))[0]


def test_losses_above_the_floor_never_end():
    assert more(so_far(2000, harms=20))[0] == np.inf


def test_what_is_certified_lacks_nothing():
    assert more(so_far(4000), n_plan=4000)[0] == 0


def test_nothing_rated_has_no_expectation():
    rows = so_far(100)._replace(rated=np.zeros(100, dtype=bool))
    assert more(rows)[0] == np.inf


def test_each_threshold_is_told_apart():
    rows = so_far(2000, harms=3)
    low, high = more(rows, [0.1, 0.5])
    assert low < high
