"""Means of outcomes and stratified differences: known answers, coverage, and what is refused."""

import numpy as np
import pytest
from scipy import stats

from reviews.stats.contrasts import LEAST, contrast, mean
from reviews.stats.intervals import wilson


def arms(n_first, n_second, x_first, x_second, score=0.31, group=0):
    """Return the columns of `contrast` for two arms of 0 and 1 in one stratum."""
    n = n_first + n_second
    said = np.repeat(
        [1.0, 0.0, 1.0, 0.0], [x_first, n_first - x_first, x_second, n_second - x_second]
    )
    return [
        np.full(n, score),
        np.full(n, group),
        np.repeat([True, False], [n_first, n_second]),
        said,
    ]


def together(*strata):
    return [np.concatenate(columns) for columns in zip(*strata, strict=True)]


# Newcombe 1998, Statistics in Medicine 17, 873-890, table II, method 10, rows (a) and (d).
@pytest.mark.parametrize(
    ("x", "m", "y", "n", "low", "high"),
    [
        (56, 70, 48, 80, 0.0524, 0.3339),
        (5, 56, 0, 29, -0.0381, 0.1926),
    ],
)
def test_one_stratum_is_newcombes_score_interval(x, m, y, n, low, high):
    found = contrast(*arms(m, n, x, y), 0.4, is_share=True)
    assert (found.difference, found.low, found.high) == pytest.approx(
        (x / m - y / n, low, high), abs=5e-5
    )
    assert (found.n, found.n_all, found.coverage) == (m + n, m + n, 1.0)


def test_strata_weigh_by_their_values():
    found = contrast(*together(arms(50, 50, 50, 0), arms(100, 200, 0, 200, 0.55)), 1, is_share=True)
    assert found.difference == pytest.approx(100 / 400 * 1 + 300 / 400 * -1)


def test_a_stratum_with_one_arm_is_left_out_and_said_to_be():
    found = contrast(
        *together(arms(50, 50, 25, 25), arms(100, LEAST - 1, 0, LEAST - 1, 0.55)), 1, is_share=True
    )
    assert (found.difference, found.n, found.n_all) == (0.0, 100, 100 + 100 + LEAST - 1)
    assert found.coverage == 100 / 219


def test_nothing_to_compare_is_no_number():
    found = contrast(*arms(500, 0, 20, 0), 1, is_share=True)
    assert np.isnan([found.difference, found.low, found.high]).all()
    assert (found.n, found.n_all, found.coverage) == (0, 500, 0.0)
    assert contrast(*arms(50, 50, 20, 20), 0.1, is_share=True).coverage == 0.0


def test_groups_are_never_compared_with_each_other():
    apart = together(arms(50, 0, 50, 0, group=1), arms(0, 50, 0, 0, group=2))
    assert contrast(*apart, 1, is_share=True).n == 0


def test_only_what_is_below_the_threshold_counts():
    both = together(arms(50, 50, 50, 0, 0.31), arms(50, 50, 0, 50, 0.36))
    assert contrast(*both, 0.36, is_share=True).difference == 1.0
    assert contrast(*both, 0.37, is_share=True).difference == 0.0


def test_each_row_may_have_a_threshold_of_its_own():
    both = together(arms(50, 50, 50, 0, 0.31), arms(50, 50, 0, 50, 0.31, group=2))
    for at, expected in (((0.4, 0.0), 1.0), ((0.0, 0.4), -1.0), ((0.4, 0.4), 0.0)):
        found = contrast(*both, np.repeat(at, 100), is_share=True)
        assert found.difference == expected


def test_the_score_decides_the_band_at_its_edges():
    edge = together(
        arms(LEAST, 0, 0, 0, 0.3), arms(0, LEAST, 0, 0, 0.39), arms(0, LEAST, 0, 0, 0.29)
    )
    assert contrast(*edge, 1, is_share=True).n == 2 * LEAST


def test_a_confounded_difference_of_means_is_none_within_strata():
    """Easy questions go to the first arm more often; both arms do alike on each."""
    rng = np.random.default_rng(3)
    score = rng.random(20_000)
    first = rng.random(20_000) < np.where(score < 0.5, 0.9, 0.1)
    said = (rng.random(20_000) < 1 - 0.6 * np.floor(score * 10) / 10).astype(float)
    assert said[first].mean() - said[~first].mean() > 0.15
    found = contrast(score, np.zeros(20_000, int), first, said, 1.0, is_share=True)
    assert found.low < 0 < found.high
    assert found.high - found.low < 0.05


@pytest.mark.parametrize("is_share", [True, False])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(is_share):
    rng, hits, runs = np.random.default_rng(11), 0, 400
    for _ in range(runs):
        score, first = rng.choice([0.15, 0.25, 0.35], 300), rng.random(300) < 0.5
        p = 0.5 + score - 0.1 * first
        said = (rng.random(300) < p).astype(float) if is_share else rng.beta(4 * p, 4 * (1 - p))
        found = contrast(score, np.zeros(300, int), first, said, 1.0, is_share=is_share)
        hits += found.low <= -0.1 <= found.high
    assert 0.92 <= hits / runs <= 0.985


def test_a_mean_of_scores_has_students_interval():
    x = np.array([0.2, 0.4, 0.6, 0.7, 0.5])
    low, high = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    assert mean(x, is_share=False, level=0.9)[:3] == pytest.approx((x.mean(), low, high))


def test_scores_that_are_all_alike_have_an_interval_all_the_same():
    found = mean(np.full(30, 0.5), is_share=False)
    assert (found.low, found.high) == pytest.approx(wilson(15.0, 30.0))
    assert mean(np.ones(30), is_share=False).low < 0.9


def test_no_value_has_no_mean():
    found = mean(np.empty(0), is_share=True)
    assert np.isnan(found[:3]).all()
    assert found.n == 0


def test_values_outside_their_range_are_refused():
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        mean(np.array([0.5, 1.5]), is_share=False)
