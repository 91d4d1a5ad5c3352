import numpy as np
import pytest

from reviews.stats import estimates
from reviews.stats.curve import curve
from reviews.stats.rows import Rows, checked

GRID = [0.25, 0.5, 0.75]


def frame(seed=0, n=2000):
    """Return rows drawn more often where scores are high and never from .75 up, with traffic."""
    rng = np.random.default_rng(seed)
    score = rng.random(n)
    pi = np.where(score < 0.4, 0.1, np.where(score < 0.75, 0.3, 0.0))
    rated, loss = rng.random(n) < pi, rng.choice([0, 0.5, 1], n, p=[0.8, 0.1, 0.1])
    return Rows(score, pi, rated, loss, traffic=rng.choice([1.0, 4.0], n))


def test_estimates_agree_with_the_curve():
    rows = frame()
    adequate, zeros = 1 - rows.loss, np.zeros(2000)
    drawable = rows.pi > 0
    seen = curve(
        rows.score,
        zeros,
        zeros,
        rows.traffic / np.where(drawable, rows.pi, 1.0),
        rows.rated,
        adequate,
        rows.loss,
        GRID,
        traffic=rows.traffic,
        drawable=drawable,
    )
    ours = checked(rows, GRID)
    for i in range(3):
        degradation = estimates.covered(ours) * estimates.degradation(ours, i).mean
        assert degradation == pytest.approx(seen.degradation[i])
        assert estimates.adequacy(ours, adequate, i).mean == pytest.approx(seen.adequacy[i])


def test_weights_with_few_events_where_they_are_largest_are_too_unequal():
    rows = frame()
    assert estimates.too_unequal(checked(rows._replace(loss=np.zeros(2000)), GRID))
    assert not estimates.too_unequal(checked(rows._replace(loss=np.ones(2000)), GRID))
    unrated = rows._replace(rated=np.zeros(2000, dtype=bool))
    assert not estimates.too_unequal(checked(unrated, GRID))


def test_silence_about_adequacy_is_left_out():
    rows = frame()
    half = np.where(np.arange(2000) % 2, 1.0, np.nan)
    mean = estimates.adequacy(checked(rows, GRID), half, 2)
    assert mean.mean == 1.0
    assert mean.n == (rows.rated & (np.arange(2000) % 2 == 1)).sum()
