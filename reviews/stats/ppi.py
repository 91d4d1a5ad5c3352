"""A mean over everything from a judge's predictions of all rows and people's losses of some.

People correct the judge: its mean over all rows, plus the mean of what people say beyond it on the
rows that they rated. No judge makes that biased; a poor one makes it wide. `lam` says how far the
judge is heard: 0 not at all, 1 fully, tuned to the smallest variance when None. Tuned and judged on
the same ratings, an interval of fewer than some 200 ratings or 15 losses covers too rarely: what
must be there first is `judge.too_little`. The same at every threshold lives in `ppi_curve`, a judge
that is trained on these ratings in `cross_ppi`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reviews.stats.intervals import Interval

FloatArray = NDArray[np.float64]

#: A stratum tunes its own lam from so many ratings and losses on; the others share one.
_FEWEST_RATED, _FEWEST_EVENTS = 30, 5


class Corrected(NamedTuple):
    """Hold a mean of people's losses that a judge made surer.

    Attributes:
        mean: nan where nothing was rated.
        variance: nan for fewer than two rows.
        lam: how far the judge was heard, in [0, 1] when tuned.
        n: rows that people rated.
    """

    mean: float
    variance: float
    lam: float
    n: int

    def interval(self, level: float = 0.95) -> Interval[float]:
        """Return the normal interval, not cut to where the loss lies."""
        half = z_of(level) * float(np.sqrt(self.variance))
        return Interval(self.mean - half, self.mean + half)


class Stratum(NamedTuple):
    """Hold one stratum: losses and predictions of rated rows, predictions of all the others."""

    loss: ArrayLike
    judge: ArrayLike
    judge_unrated: ArrayLike


class _Moments(NamedTuple):
    """Hold what a stratum says of its loss and its predictions."""

    n: int
    n_unrated: int
    loss: float
    judge: float
    judge_unrated: float
    covariance: float
    spread: float


def pseudo_outcomes(
    loss: ArrayLike, judge: ArrayLike, rated: ArrayLike, pi: ArrayLike, lam: float
) -> FloatArray:
    """Return Z = lam f + w (y - lam f) of each row, whose mean is the mean loss for any fixed lam.

    Args:
        loss: (N,) in [0, 1], y; read on rated rows only and free to be nan elsewhere.
        judge: (N,) in [0, 1], f; 0 where the judge did not speak.
        rated: (N,) boolean.
        pi: (N,) in (0, 1], P(rated), fixed before any rating; w = 1/pi on rated rows, else 0.
        lam: how far the judge is heard.

    Returns:
        (N,), between -lam (1/pi - 1) and 1/pi.

    Raises:
        ValueError: shapes differ, a value or probability outside its range, rated not boolean.

    Source:
        Robins, Rotnitzky and Zhao 1994, JASA 89; with lam, Angelopoulos, Duchi and Zrnic 2023.

    Example:
        >>> pseudo_outcomes([1, 0], [0.5, 0.5], [True, False], [0.5, 0.5], lam=1).tolist()
        [1.5, 0.5]
    """
    y, f, w, _ = _checked(loss, judge, rated, pi)
    return np.asarray(lam * f + w * (y - lam * f))


def power(loss: ArrayLike, judge: ArrayLike, rated: ArrayLike, pi: ArrayLike) -> float:
    """Return the lam of the smallest variance, neither cut to [0, 1] nor shrunk; 0 if none helps.

    sum w (w - 1) y f over sum (1/pi - 1) f^2, over all rows below.

    Args:
        loss: (N,) as in `pseudo_outcomes`, like the others.
        judge: (N,).
        rated: (N,).
        pi: (N,).

    Source:
        Angelopoulos, Duchi and Zrnic 2023, PPI++, section 6, for unequal probabilities.

    Example:
        >>> power([1, 0], [0.5, 0.5], [True, False], [0.5, 0.5])
        2.0
    """
    y, f, w, p = _checked(loss, judge, rated, pi)
    return _over(float((w * (w - 1) * y * f).sum()), float(((1 / p - 1) * f * f).sum()))


def inverse_probability(
    loss: ArrayLike, judge: ArrayLike, rated: ArrayLike, pi: ArrayLike, lam: float | None = None
) -> Corrected:
    """Estimate the mean loss as the mean of the pseudo-outcomes; lam 0 is Horvitz-Thompson.

    Args:
        loss: (N,) as in `pseudo_outcomes`, like the others.
        judge: (N,).
        rated: (N,).
        pi: (N,).
        lam: tuned and cut to [0, 1] when None.

    Example:
        >>> estimate = inverse_probability([1, 0], [0.5, 0.5], [True, False], [0.5, 0.5])
        >>> estimate.mean, estimate.variance, estimate.lam
        (1.0, 0.25, 1.0)
    """
    heard = _cut(power(loss, judge, rated, pi)) if lam is None else lam
    z = pseudo_outcomes(loss, judge, rated, pi, heard)
    n = int(np.asarray(rated).sum())
    mean = float(z.mean()) if n else np.nan
    return Corrected(mean, float(z.var(ddof=1) / z.size) if z.size > 1 and n else np.nan, heard, n)


def equal_probability(
    loss: ArrayLike, judge: ArrayLike, judge_unrated: ArrayLike, lam: float | None = None
) -> Corrected:
    """Estimate the mean loss where every row was as likely to be rated: PPI++.

    ybar + lam (mean f of unrated rows - mean f of rated ones).

    Args:
        loss: (n,) of the rated rows.
        judge: (n,) of the same rows; on any scale.
        judge_unrated: (m,) of all others.
        lam: tuned and cut to [0, 1] when None.

    Raises:
        ValueError: lengths differ, or a value is not finite.

    Source:
        Angelopoulos, Duchi and Zrnic 2023, PPI++: Efficient Prediction-Powered Inference.

    Example:
        >>> estimate = equal_probability([1, 0, 1, 0], [1, 0, 1, 0], [0, 0, 1, 0], lam=1)
        >>> estimate.mean, estimate.variance
        (0.25, 0.046875)
    """
    about = _moments(Stratum(loss, judge, judge_unrated))
    heard = _cut(_best([about], [1.0])) if lam is None else lam
    return _of_stratum(Stratum(loss, judge, judge_unrated), about, heard)


def stratified(strata: Sequence[Stratum]) -> Corrected:
    """Estimate the mean loss over strata of equal probabilities each: sum W_h theta_h.

    A stratum of 30 ratings and 5 losses tunes its own lam; the others share the best common one.

    Args:
        strata: one entry each; W_h is its share of all rows.

    Returns:
        The estimate, nan where a stratum has no rating; its lam is the mean over the rows.

    Source:
        Fisch et al. 2024, Stratified Prediction-Powered Inference, arXiv 2406.04291.
    """
    about = [_moments(stratum) for stratum in strata]
    rows = np.array([one.n + one.n_unrated for one in about], dtype=np.float64)
    share = rows / rows.sum()
    common = _cut(_best(about, share))
    lams = [
        _cut(_best([one], [1.0])) if _can_tune(stratum) else common
        for stratum, one in zip(strata, about, strict=True)
    ]
    found = [_of_stratum(*args) for args in zip(strata, about, lams, strict=True)]
    return Corrected(
        mean=float(share @ np.array([one.mean for one in found])),
        variance=float(share**2 @ np.array([one.variance for one in found])),
        lam=float(share @ np.array(lams)),
        n=sum(one.n for one in found),
    )


def width_ratio(rho: float, n: int, n_unrated: int) -> float:
    """Return how wide an interval with the judge is beside one without: 1 gains nothing.

    Args:
        rho: correlation of judge and loss.
        n: rows that people rated.
        n_unrated: rows that only the judge rated.

    Example:
        >>> round(width_ratio(0.6, 200, 9_800), 3)
        0.804
    """
    return float(np.sqrt(1 - rho**2 * n_unrated / (n + n_unrated)))


def z_of(level: float) -> float:
    """Return how many standard errors a two-sided interval reaches to either side."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie strictly between 0 and 1, got {level}")
    return float(special.ndtri((1 + level) / 2))


def _moments(stratum: Stratum) -> _Moments:
    y, f, other = (np.asarray(values, dtype=np.float64) for values in stratum)
    if y.shape != f.shape or y.ndim != 1 or other.ndim != 1:
        raise ValueError("loss and judge must have the same shape (n,), judge_unrated (m,)")
    if not all(np.isfinite(values).all() for values in (y, f, other)):
        raise ValueError("loss and predictions must be finite")
    everything = np.append(f, other)
    return _Moments(
        n=y.size,
        n_unrated=other.size,
        loss=float(y.mean()) if y.size else np.nan,
        judge=float(f.mean()) if f.size else np.nan,
        judge_unrated=float(other.mean()) if other.size else np.nan,
        covariance=float(np.cov(y, f, ddof=0)[0, 1]) if y.size else 0.0,
        spread=float(everything.var(ddof=1)) if everything.size > 1 else 0.0,
    )


def _best(about: Sequence[_Moments], share: ArrayLike) -> float:
    """Return the common lam with which the weighted strata have the smallest variance."""
    rated = [(w, one) for w, one in zip(np.asarray(share), about, strict=True) if one.n]
    over = [(w, one) for w, one in rated if one.n_unrated]
    shared = sum(float(w**2) * one.covariance / one.n for w, one in over)
    spread = sum(float(w**2) * one.spread * (1 / one.n + 1 / one.n_unrated) for w, one in over)
    return _over(shared, spread)


def _of_stratum(stratum: Stratum, about: _Moments, lam: float) -> Corrected:
    """Return the estimate of one stratum; without unrated rows the judge has nothing to add."""
    if about.n == 0:
        return Corrected(np.nan, np.nan, lam, 0)
    y, f, other = (np.asarray(values, dtype=np.float64) for values in stratum)
    if not about.n_unrated:
        return Corrected(about.loss, _variance_of_mean(y), 0.0, about.n)
    mean = about.loss + lam * (about.judge_unrated - about.judge)
    beyond = _variance_of_mean(y - lam * f)
    return Corrected(mean, lam**2 * float(other.var()) / other.size + beyond, lam, about.n)


def _variance_of_mean(values: FloatArray) -> float:
    return float(values.var() / values.size) if values.size > 1 else np.nan


def _can_tune(stratum: Stratum) -> bool:
    events = int((np.asarray(stratum.loss) > 0).sum())
    return np.size(stratum.loss) >= _FEWEST_RATED and events >= _FEWEST_EVENTS


def _over(shared: float, spread: float) -> float:
    return shared / spread if spread > 0 else 0.0


def _cut(lam: float) -> float:
    return float(np.clip(lam, 0.0, 1.0))


def _checked(
    loss: Any, judge: Any, rated: Any, pi: Any
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return y (0 where unrated), f, w and pi as arrays of one length."""
    mask = np.asarray(rated)
    if mask.size and mask.dtype != np.bool_:
        raise ValueError("rated must be boolean")
    mask = mask.astype(np.bool_)
    y, f, p = (np.asarray(values, dtype=np.float64) for values in (loss, judge, pi))
    if not y.shape == f.shape == mask.shape == p.shape or y.ndim != 1:
        raise ValueError("every input must have the same shape (N,)")
    y = np.where(mask, y, 0.0)
    if not all(((values >= 0) & (values <= 1)).all() for values in (y, f)):
        raise ValueError("loss and judge must lie in [0, 1]")
    if not ((p > 0) & (p <= 1)).all():
        raise ValueError("pi must lie in (0, 1]")
    return y, f, mask / p, p
