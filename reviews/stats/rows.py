"""The rows that a test of thresholds reads, checked once, and what the plan alone says of them.

Nothing here looks at a loss except to check it: bounds, prior spread and prior weight follow from
scores, inclusion probabilities and traffic, so that they are known before any rating.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

#: The plan's guess of the spread weighs as much as the rows that hold so many losses at the floor.
_PRIOR_EVENTS = 20


class Rows(NamedTuple):
    """Hold N rows in the order in which a test takes them; every array has shape (N,).

    Attributes:
        score: in [0, 1]; nan where the router gave none, which is never routed cheap.
        pi: inclusion probability in [0, 1], fixed by the plan; 0 only above every threshold tested.
        rated: boolean, drawn and due: the loss of such a row counts.
        loss: in [0, 1], read where rated; nan there stands for a rating that never came and counts
            as 1.
        judge: a guess of the loss in [0, 1] on every row, nan for no guess; None for no judge.
        traffic: requests that a row stands for, above 0; None where all stand for as many.
        known: boolean, rated rows whose loss is known without a draw or a rating; None for none.
    """

    score: ArrayLike
    pi: ArrayLike
    rated: ArrayLike
    loss: ArrayLike
    judge: ArrayLike | None = None
    traffic: ArrayLike | None = None
    known: ArrayLike | None = None


class Arrays(NamedTuple):
    """Hold `Rows` whose columns are arrays already."""

    score: FloatArray
    pi: FloatArray
    rated: NDArray[np.bool_]
    loss: FloatArray
    judge: FloatArray | None
    traffic: FloatArray | None
    known: NDArray[np.bool_] | None

    @property
    def spoken(self) -> NDArray[np.bool_]:
        """Return which rows somebody rated: (N,)."""
        rated = self.rated & ~np.isnan(self.loss)
        return rated if self.known is None else rated & ~self.known

    def only(self, mine: NDArray[np.bool_]) -> "Arrays":
        """Return the rows that are marked."""
        return Arrays(
            score=self.score[mine],
            pi=self.pi[mine],
            rated=self.rated[mine],
            loss=self.loss[mine],
            judge=None if self.judge is None else self.judge[mine],
            traffic=None if self.traffic is None else self.traffic[mine],
            known=None if self.known is None else self.known[mine],
        )


class Checked(NamedTuple):
    """Hold rows as `checked` leaves them.

    Attributes:
        bins: (N,) the first threshold that routes the row cheap, T where none does.
        pi: (N,) with 1 in place of 0.
        drawable: (N,) boolean, pi above 0.
        rated: (N,) boolean.
        loss: (N,) 0 where not rated, 1 where the rating never came.
        judge: (N,) 0 without a guess; None for no judge.
        traffic: (N,) with a mean of 1.
        thresholds: (T,) strictly increasing.
        known: (N,) boolean, rated without a draw or a rating.
        spoken: (N,) boolean, rated by somebody.
    """

    bins: NDArray[np.intp]
    pi: FloatArray
    drawable: NDArray[np.bool_]
    rated: NDArray[np.bool_]
    loss: FloatArray
    judge: FloatArray | None
    traffic: FloatArray
    thresholds: FloatArray
    known: NDArray[np.bool_]
    spoken: NDArray[np.bool_]


class Constants(NamedTuple):
    """Hold what the plan says of each threshold; the bet may use it before the first rating.

    Attributes:
        heaviest: (T,) largest traffic / pi of a row routed cheap; 1 where none is.
        slack: (T,) largest traffic (1 / pi - 1) of such a row: how far below 0 a judge takes Z.
        mean_square: (T,) mean of traffic^2 / pi over the rows routed cheap; 1 where none is.
        mean_traffic_square: mean of traffic^2 over all rows.
        least_traffic: the smallest.
        most_traffic: the largest.
        mean_pi: over the rows that could be drawn.
    """

    heaviest: FloatArray
    slack: FloatArray
    mean_square: FloatArray
    mean_traffic_square: float
    least_traffic: float
    most_traffic: float
    mean_pi: float

    def spread(self, floor: FloatArray, index: IntArray) -> FloatArray:
        """Return the variance of Z that degradation of exactly the floor would have: (C,)."""
        return floor * self.mean_square[index] - floor**2 * self.mean_traffic_square

    def prior_rows(self, floor: FloatArray) -> FloatArray:
        """Return how many rows the prior variance weighs as much as: (C,)."""
        return _PRIOR_EVENTS / (floor * self.mean_pi)


def arrays(rows: Rows) -> Arrays:
    """Return the rows with their columns as arrays, unchecked."""
    score, pi, loss = (np.asarray(v, dtype=np.float64) for v in (rows.score, rows.pi, rows.loss))
    judge, traffic = (
        None if v is None else np.asarray(v, dtype=np.float64) for v in (rows.judge, rows.traffic)
    )
    known = None if rows.known is None else _boolean(rows.known)
    return Arrays(score, pi, _boolean(rows.rated), loss, judge, traffic, known)


def checked(rows: Rows | Arrays, thresholds: ArrayLike) -> Checked:
    """Return the rows as arrays of one length, refusing what no frame holds.

    Raises:
        ValueError: lengths differ; score, pi, loss or judge outside [0, 1]; rated not boolean;
            traffic not above 0; a rated row that could not be drawn; thresholds not increasing; or
            one that would route a row that could not be drawn, so that its harm stayed unseen.
    """
    grid = _grid(thresholds)
    plain = arrays(Rows(*rows))
    score, pi, rated, loss, judge, given, known = plain
    traffic = np.ones(score.shape) if given is None else given
    _check_shapes(
        score, pi, loss, rated, traffic, *(one for one in (judge, known) if one is not None)
    )
    _check_values(score, pi, loss[rated], judge, traffic)
    drawable = pi > 0
    if (rated & ~drawable).any():
        raise ValueError("a rated row must have been drawable: its pi cannot be 0")
    bins = np.searchsorted(grid, np.where(np.isnan(score), np.inf, score), side="right")
    if (bins[~drawable] < grid.size).any():
        raise ValueError("a threshold would route rows whose pi is 0: nobody could see their harm")
    return Checked(
        bins=bins,
        pi=np.where(drawable, pi, 1.0),
        drawable=drawable,
        rated=rated,
        loss=np.where(rated, np.where(np.isnan(loss), 1.0, loss), 0.0),
        judge=None if judge is None else np.where(np.isnan(judge), 0.0, judge),
        traffic=traffic / traffic.mean() if traffic.size else traffic,
        thresholds=grid,
        known=np.zeros(rated.shape, dtype=bool) if known is None else known,
        spoken=plain.spoken,
    )


def constants(frame: Checked) -> Constants:
    """Return what scores, probabilities and traffic alone say of each threshold."""
    n = below(frame, np.ones(frame.bins.size))
    weight = frame.traffic / frame.pi
    square = below(frame, frame.traffic * weight)
    traffic = frame.traffic if frame.traffic.size else np.ones(1)
    return Constants(
        heaviest=np.where(n > 0, most_below(frame, weight), 1.0),
        slack=most_below(frame, weight - frame.traffic),
        mean_square=np.divide(square, n, out=np.ones(n.size), where=n > 0),
        mean_traffic_square=float((traffic**2).mean()),
        least_traffic=float(traffic.min()),
        most_traffic=float(traffic.max()),
        mean_pi=float(frame.pi[frame.drawable].mean()) if frame.drawable.any() else 1.0,
    )


def below(frame: Checked, term: NDArray[np.float64]) -> FloatArray:
    """Sum a term over the rows below each threshold: (T,)."""
    n_bins = frame.thresholds.size + 1
    sums = np.cumsum(np.bincount(frame.bins, weights=term, minlength=n_bins))
    return np.asarray(sums[:-1], dtype=np.float64)


def most_below(frame: Checked, term: FloatArray) -> FloatArray:
    """Return the largest value, 0 or more, of a term below each threshold: (T,)."""
    most = np.zeros(frame.thresholds.size + 1)
    np.maximum.at(most, frame.bins, term)
    return np.maximum.accumulate(most)[:-1]


def cheap_share(frame: Checked) -> FloatArray:
    """Return the share of the traffic below each threshold; 0 for an empty frame: (T,)."""
    return below(frame, frame.traffic) / max(frame.bins.size, 1)


def _grid(thresholds: ArrayLike) -> FloatArray:
    grid = np.asarray(thresholds, dtype=np.float64)
    if grid.ndim != 1 or not np.isfinite(grid).all() or not (np.diff(grid) > 0).all():
        raise ValueError("thresholds must be finite, strictly increasing and of shape (T,)")
    return grid


def _boolean(rated: ArrayLike) -> NDArray[np.bool_]:
    mask = np.asarray(rated)
    if mask.size and mask.dtype != np.bool_:
        raise ValueError("rated must be boolean")
    return mask.astype(np.bool_)


def _check_shapes(*arrays: NDArray[np.generic]) -> None:
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim != 1:
        raise ValueError(f"every array must have the same shape (N,), got {sorted(shapes)}")


def _check_values(
    score: FloatArray,
    pi: FloatArray,
    loss: FloatArray,
    judge: FloatArray | None,
    traffic: FloatArray,
) -> None:
    _check_unit("score", score, may_be_nan=True)
    _check_unit("pi", pi, may_be_nan=False)
    _check_unit("loss", loss, may_be_nan=True)
    if judge is not None:
        _check_unit("judge", judge, may_be_nan=True)
    if not (np.isfinite(traffic) & (traffic > 0)).all():
        raise ValueError("traffic must be finite and above 0")


def _check_unit(name: str, values: FloatArray, *, may_be_nan: bool) -> None:
    fits = (values >= 0) & (values <= 1)
    if not (fits | np.isnan(values) if may_be_nan else fits).all():
        raise ValueError(f"{name} must lie in [0, 1]")
