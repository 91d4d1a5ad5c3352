"""What a curve is made from, checked: rows of one length, binned by the thresholds."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


class Frame(NamedTuple):
    """Hold the checked inputs; `bins` is the first threshold that routes a row cheap, or T."""

    bins: NDArray[np.intp]
    traffic: FloatArray
    cost_cheap: FloatArray
    cost_expensive: FloatArray
    cost_baseline: FloatArray
    weight: FloatArray
    adequate: FloatArray
    harm: FloatArray
    has_adequate: NDArray[np.bool_]
    has_harm: NDArray[np.bool_]
    n_thresholds: int


def checked_thresholds(thresholds: ArrayLike) -> FloatArray:
    """Return the thresholds as an array of shape (T,)."""
    grid = np.array(thresholds, dtype=np.float64)
    if grid.ndim != 1 or not np.isfinite(grid).all() or not (np.diff(grid) > 0).all():
        raise ValueError("thresholds must be finite, strictly increasing and of shape (T,)")
    return grid


def checked_frame(
    score: ArrayLike,
    traffic: ArrayLike,
    cost_cheap: ArrayLike,
    cost_expensive: ArrayLike,
    weight: ArrayLike,
    rated: ArrayLike,
    adequate: ArrayLike,
    harm: ArrayLike,
    grid: FloatArray,
    cost_baseline: ArrayLike,
) -> Frame:
    """Return the inputs as arrays of one length, refusing what no frame holds."""
    scores, requests, cheap, expensive, alone, weights, adequates, harms = (
        np.asarray(values, dtype=np.float64)
        for values in (
            score, traffic, cost_cheap, cost_expensive, cost_baseline, weight, adequate, harm
        )
    )  # fmt: skip
    is_rated = boolean(rated)
    check_shapes(scores, requests, cheap, expensive, alone, weights, is_rated, adequates, harms)
    _check_scores(scores)
    _check_weights("weight", weights[is_rated])
    _check_weights("traffic", requests)
    _check_costs(cost_cheap=cheap, cost_expensive=expensive, cost_baseline=alone)
    has_adequate = is_rated & ~_unit("adequate", adequates)
    has_harm = is_rated & ~_unit("harm", harms)
    bins = np.searchsorted(grid, scores, side="right")
    return Frame(
        bins=bins,
        traffic=requests,
        cost_cheap=cheap,
        cost_expensive=expensive,
        cost_baseline=alone,
        weight=weights,
        adequate=adequates,
        harm=harms,
        has_adequate=has_adequate,
        has_harm=has_harm,
        n_thresholds=grid.size,
    )


def boolean(rated: ArrayLike) -> NDArray[np.bool_]:
    """Return the mask; a float mask is refused because nan would read as True."""
    mask = np.asarray(rated)
    if mask.size and mask.dtype != np.bool_:
        raise ValueError("rated and drawable must be boolean")
    return mask.astype(np.bool_)


def check_shapes(*arrays: NDArray[Any]) -> None:
    """Refuse inputs that do not describe the same N rows."""
    shapes = {array.shape for array in arrays}
    if len(shapes) > 1 or arrays[0].ndim != 1:
        raise ValueError(f"every input must have the same shape (N,), got {sorted(shapes)}")


def _check_scores(scores: FloatArray) -> None:
    """Refuse an impossible score; nan means that the router gave none and stays."""
    if not (np.isnan(scores) | ((scores >= 0) & (scores <= 1))).all():
        raise ValueError("score must lie in [0, 1], or be nan where the router gave none")


def _check_weights(name: str, weights: FloatArray) -> None:
    """Refuse a row that could not have been sampled."""
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError(f"{name} must be finite and above 0 on every row that counts")


def _check_costs(**named: FloatArray) -> None:
    """Refuse negative and infinite costs; nan means unknown and stays."""
    for name, costs in named.items():
        if not (np.isnan(costs) | (np.isfinite(costs) & (costs >= 0))).all():
            raise ValueError(f"{name} must be finite and not negative, or nan where unknown")


def _unit(name: str, values: FloatArray) -> NDArray[np.bool_]:
    """Return where values are missing, refusing those outside [0, 1]."""
    missing = np.isnan(values)
    if not (missing | ((values >= 0) & (values <= 1))).all():
        raise ValueError(f"{name} must lie in [0, 1], or be nan where unrated")
    return missing
