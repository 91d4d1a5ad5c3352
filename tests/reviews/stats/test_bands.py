import numpy as np
import pytest

from reviews.stats import bands
from reviews.stats.curve import curve
from reviews.stats.rows import Rows

GRID = np.append(np.arange(0, 101) / 100, 1.01)


def frame(n=4000, seed=0, pi=lambda s: np.full(s.size, 0.1), harm=0.1):
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    odds = pi(score)
    rated = rng.random(n) < odds
    return Rows(score, odds, rated, (rng.random(n) < harm * score) * 1.0)


def steep(score):
    return np.where(score < 0.3, 0.03, 0.3)


def test_band_never_falls_and_never_crosses():
    band = bands.degradation(frame(), GRID)
    assert (np.diff(band.low) >= 0).all()
    assert (np.diff(band.high) >= 0).all()
    assert (band.low <= band.high).all()
    assert band.method == "korn_graubard"


def test_band_is_wider_than_pointwise_intervals_where_the_error_is_shared():
    rows = frame()
    zeros = np.zeros(4000)
    alone = curve(
        rows.score, zeros, zeros, 1 / rows.pi, rows.rated, zeros, rows.loss, GRID
    ).degradation_interval
    band = bands.degradation(rows, GRID)
    assert band.high[-1] > alone.high[-1]
    assert band.low[-1] < alone.low[-1]


def test_between_two_thresholds_the_lower_end_comes_from_below_and_the_upper_from_above():
    rows = frame()
    band = bands.degradation(rows, GRID)
    assert np.unique(band.high).size <= 11
    assert np.unique(band.low).size <= 11
    fewer = bands.degradation(rows, [0.5, 1.01])
    assert fewer.high[0] < fewer.high[1]


def test_unequal_weights_with_few_events_switch_to_betting():
    band = bands.degradation(frame(pi=steep), GRID)
    assert band.method == "betting"
    assert (np.diff(band.high) >= 0).all()
    assert 0 < band.high[-1] < 0.3
    assert band.low[-1] > 0


def test_rows_that_could_not_be_drawn_dilute_the_loss():
    rows = frame(pi=lambda s: np.where(s < 0.5, 0.2, 0.0))
    band = bands.degradation(rows, [0.25, 0.5])
    only = rows.score < 0.5
    alone = bands.degradation(Rows(*(c[only] for c in rows[:4])), [0.25, 0.5])
    assert band.high[-1] == pytest.approx(alone.high[-1] * only.mean())


def test_where_nothing_is_routed_nothing_can_be_worse():
    band = bands.degradation(frame(), GRID)
    assert (band.low[0], band.high[0]) == (0, 0)


def test_no_ratings_say_nothing():
    rows = frame()._replace(rated=np.zeros(4000, dtype=bool))
    band = bands.degradation(rows, [0.5, 1.01])
    assert band.low.tolist() == [0, 0]
    assert band.high.tolist() == [1, 1]
    nothing = bands.degradation(Rows([], [], np.array([], dtype=bool), []), [0.5, 1.01])
    assert nothing.high.tolist() == [1, 1]
    assert bands.degradation(rows, []).low.size == 0


def test_whole_curve_lies_in_the_band_as_often_as_promised():
    misses = {"equal": 0, "steep": 0}
    for seed in range(60):
        for name, pi in (("equal", lambda s: np.full(s.size, 0.1)), ("steep", steep)):
            band = bands.degradation(frame(seed=seed, pi=pi), GRID[::5])
            truth = 0.05 * np.minimum(band.thresholds, 1) ** 2
            misses[name] += bool(((band.low > truth) | (band.high < truth)).any())
    assert max(misses.values()) <= 8  # .05 and three standard errors


def test_adequacy_says_nothing_between_its_thresholds():
    rows = frame()
    adequate = 1 - rows.loss
    band = bands.adequacy(rows, GRID, adequate)
    assert band.thresholds.size <= 50
    assert set(band.thresholds) <= set(GRID)
    assert band.thresholds[-1] == 1.01
    assert (band.low < band.high).all()
    assert band.low[-1] < 0.95 < band.high[-1]


def test_all_adequate_keeps_a_lower_end_below_one():
    band = bands.adequacy(frame(), [0.5, 1.01], np.ones(4000))
    assert (band.high == 1).all()
    assert (band.low < 1).all()


def test_unspoken_adequacy_is_left_out():
    band = bands.adequacy(frame(), [1.01], np.full(4000, np.nan))
    assert (band.low[0], band.high[0]) == (0, 1)


def test_error_is_shared_by_all_thresholds():
    narrow = bands.degradation(frame(), GRID, delta=0.2)
    wide = bands.degradation(frame(), GRID, delta=0.01)
    assert wide.high[-1] > narrow.high[-1]


def test_impossible_inputs_are_refused():
    with pytest.raises(ValueError, match="delta"):
        bands.degradation(frame(), GRID, delta=0)
    with pytest.raises(ValueError, match="delta"):
        bands.adequacy(frame(), GRID, np.ones(4000), delta=1)
    with pytest.raises(ValueError, match="per row"):
        bands.adequacy(frame(), GRID, np.ones(3))
