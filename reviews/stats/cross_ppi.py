"""A mean over everything from predictions that were fitted on these very ratings.

What was fitted on a rating knows it, so each rating is predicted by a fit without it. For a judge
that was frozen before the first rating `ppi` is enough.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reviews.stats.ppi import Corrected

FloatArray = NDArray[np.float64]
#: From columns (n, p) and losses (n,) to what predicts the losses of other columns.
Fit = Callable[[FloatArray, FloatArray], Callable[[FloatArray], FloatArray]]


def cross(
    columns: ArrayLike,
    loss: ArrayLike,
    columns_unrated: ArrayLike,
    fit: Fit,
    rng: np.random.Generator,
    folds: int = 5,
    resamples: int = 200,
) -> Corrected:
    """Estimate the mean loss from fits on all folds but one, each corrected on the fold left out.

    The variance is that of whole repetitions on resampled rows, fits included. Copies of one row
    stay in one fold: apart, the fit would know what it is corrected by.

    Args:
        columns: (n, p) of rated rows, each as likely to be rated as any other.
        loss: (n,) of the same rows.
        columns_unrated: (m, p) of all others.
        fit: makes a predictor.
        rng: seeded by the caller; it deals the folds and resamples.
        folds: K, at most n.
        resamples: B.

    Returns:
        The estimate with lam 1.

    Raises:
        ValueError: lengths differ, there are no unrated rows, or fewer ratings than folds.

    Source:
        Zrnic and Candes 2024, Cross-prediction-powered inference, PNAS 121.
    """
    x, y = np.asarray(columns, dtype=np.float64), np.asarray(loss, dtype=np.float64)
    other = np.asarray(columns_unrated, dtype=np.float64)
    if x.ndim != 2 or other.ndim != 2 or x.shape != (y.size, other.shape[1]):
        raise ValueError("columns must have shape (n, p), columns_unrated (m, p), loss (n,)")
    if not other.shape[0] or not 2 <= folds <= y.size:
        raise ValueError("there must be unrated rows, and a rating or more in each of 2 folds")
    fold = rng.permutation(np.arange(y.size) % folds)
    mean = _mean(x, y, other, fold, fit)
    drawn = np.array([_resampled(x, y, other, fold, fit, rng) for _ in range(resamples)])
    return Corrected(mean, float(drawn.var(ddof=1)), 1.0, y.size)


def _resampled(
    x: FloatArray,
    y: FloatArray,
    other: FloatArray,
    fold: NDArray[np.int64],
    fit: Fit,
    rng: np.random.Generator,
) -> float:
    rated = rng.integers(y.size, size=y.size)
    unrated = rng.integers(other.shape[0], size=other.shape[0])
    return _mean(x[rated], y[rated], other[unrated], fold[rated], fit)


def _mean(
    x: FloatArray, y: FloatArray, other: FloatArray, fold: NDArray[np.int64], fit: Fit
) -> float:
    """Return the mean prediction of unrated rows, plus what ratings say beyond theirs."""
    everywhere, beyond = [], 0.0
    for one in np.unique(fold):
        out = fold == one
        predict = fit(x[~out], y[~out])
        everywhere.append(float(predict(other).mean()))
        beyond += float((y[out] - predict(x[out])).sum())
    return float(np.mean(everywhere)) + beyond / y.size
