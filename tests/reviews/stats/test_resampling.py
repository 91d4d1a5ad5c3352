"""The bootstrap: what is drawn, and when its intervals say nothing."""

import numpy as np
import pytest

from reviews.stats.resampling import multiplicities, percentile_interval, within_strata

NAN, INF = float("nan"), float("inf")


def test_each_resample_draws_as_many_items_as_there_are():
    drawn = multiplicities(30, np.random.default_rng(1), resamples=200)
    assert drawn.shape == (200, 30)
    assert (drawn.sum(axis=1) == 30).all()
    # Multinomial: mean 1, variance 1 - 1/n.
    assert drawn.var() == pytest.approx(1 - 1 / 30, abs=0.1)


def test_the_seed_decides():
    again = [multiplicities(9, np.random.default_rng(seed), resamples=5) for seed in (3, 3, 4)]
    assert (again[0] == again[1]).all()
    assert (again[0] != again[2]).any()


def test_nothing_to_draw_from_gives_empty_resamples():
    assert multiplicities(0, np.random.default_rng(1), resamples=5).shape == (5, 0)


def test_tails_are_cut_at_the_level():
    draws = np.random.default_rng(2).permutation(np.arange(1001.0))
    assert percentile_interval(draws, level=0.95) == (25, 975)
    assert percentile_interval(draws, level=0.5) == (250, 750)


def test_infinite_draws_stay_infinite():
    assert percentile_interval([1.0] * 50 + [INF] * 50) == (1, INF)


@pytest.mark.parametrize(
    "draws", [[], [NAN] * 9, [0.5] * 9, [INF] * 9, [1, 1 - 1e-15] * 9, [0, 1] * 45 + [NAN] * 10]
)
def test_resamples_that_cannot_tell_give_no_interval(draws):
    assert np.isnan(percentile_interval(draws)).all()


def test_undefined_resamples_fewer_than_a_tail_are_left_out():
    assert percentile_interval([0, 1] * 49 + [NAN] * 2) == (0, 1)


@pytest.mark.parametrize("level", [0, 1, 95, NAN])
def test_impossible_level_is_refused(level):
    with pytest.raises(ValueError, match="level must lie"):
        percentile_interval([0, 1], level)


def test_strata_keep_their_weight_in_every_draw():
    stratum = np.array([0] * 5 + [1] * 3 + [2] * 2)
    for part in within_strata(stratum, np.random.default_rng(1), resamples=20):
        assert np.bincount(stratum, weights=part) == pytest.approx([5, 3, 2])


def test_the_spread_of_stratified_draws_is_that_of_the_mean():
    rng = np.random.default_rng(2)
    stratum, values = np.repeat([0, 1], [4, 6]), rng.normal(size=10)
    share = np.array([0.7] * 4 + [0.3] * 6) / np.array([4] * 4 + [6] * 6)
    drawn = [share @ (part * values) for part in within_strata(stratum, rng, 20_000)]
    variances = [values[stratum == h].var(ddof=1) / n for h, n in ((0, 4), (1, 6))]
    assert np.var(drawn) == pytest.approx(0.49 * variances[0] + 0.09 * variances[1], rel=0.05)


def test_a_stratum_of_one_item_varies_with_its_neighbour():
    for stratum in ([0, 1, 1, 1], [0, 0, 0, 1]):
        parts = list(within_strata(stratum, np.random.default_rng(3), resamples=50))
        assert np.ptp([part[0] for part in parts]) > 0
        assert np.ptp([part[3] for part in parts]) > 0
    (alone,) = within_strata([0], np.random.default_rng(4), resamples=1)
    assert alone.tolist() == [1]
