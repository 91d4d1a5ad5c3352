"""Predictions fitted on the ratings themselves: unbiased where a plain fit flatters itself."""

import numpy as np
import pytest

from reviews.stats import cross_ppi, logistic, ppi


def mean_of_nothing(x, y):
    return lambda other: np.zeros(len(other))


def memory(x, y):
    """Know each row that was seen, and guess none of the others."""
    known = {float(row[0]): value for row, value in zip(x, y, strict=True)}
    return lambda other: np.array([known.get(float(row[0]), 0.0) for row in other])


def regression(x, y):
    beta = logistic.fit(x, y).coefficients
    return lambda other: 1 / (1 + np.exp(-(beta[0] + other @ beta[1:])))


def test_a_fit_that_predicts_nothing_leaves_the_mean_of_the_ratings():
    rng = np.random.default_rng(1)
    y = rng.random(40) < 0.3
    found = cross_ppi.cross(rng.random((40, 1)), y, rng.random((90, 1)), mean_of_nothing, rng)
    assert found.mean == pytest.approx(y.mean())
    assert found.variance == pytest.approx(y.var() / 40, rel=0.4)


def test_a_fit_that_remembers_its_rows_gains_nothing():
    rng = np.random.default_rng(2)
    x, y = np.arange(50.0)[:, None], rng.random(50) < 0.4
    found = cross_ppi.cross(x, y, np.arange(50.0, 90.0)[:, None], memory, rng, resamples=100)
    assert found.mean == pytest.approx(y.mean())
    # Had copies of a row fallen into several folds, resamples would be predicted by heart.
    assert found.variance == pytest.approx(y.var() / 50, rel=0.5)


def test_a_fit_that_learns_narrows_the_interval():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(3000, 1))
    y = rng.random(3000) < 1 / (1 + np.exp(-(3 * x[:, 0] - 1)))
    found = cross_ppi.cross(x[:300], y[:300], x[300:], regression, rng, resamples=100)
    alone = ppi.equal_probability(y[:300], np.zeros(300), np.zeros(2700))
    assert found.variance < 0.75 * alone.variance
    low, high = found.interval(0.999)
    assert low < y.mean() < high


def test_the_same_seed_gives_the_same_answer():
    x, y = np.arange(20.0)[:, None], np.arange(20) % 2
    one, other = (
        cross_ppi.cross(x, y, x, memory, np.random.default_rng(4), resamples=20) for _ in range(2)
    )
    assert one == other


@pytest.mark.parametrize(
    ("n", "unrated", "folds", "words"),
    [(5, 1, 6, "fold"), (5, 0, 2, "unrated"), (5, 1, 1, "fold")],
)
def test_too_little_is_refused(n, unrated, folds, words):
    x, other = np.zeros((n, 1)), np.zeros((unrated, 1))
    with pytest.raises(ValueError, match=words):
        cross_ppi.cross(x, np.zeros(n), other, memory, np.random.default_rng(5), folds)


def test_lengths_must_fit():
    with pytest.raises(ValueError, match="shape"):
        cross_ppi.cross([[1.0]], [1, 0], [[1.0]], memory, np.random.default_rng(6))
