"""What agreement rests on: how many raters put each item in each category.

One item's contribution to every coefficient in `agreement` is a fixed row of numbers, so a
coefficient over resampled or weighted items is a weighted sum of rows. Formulas live in
`agreement`.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


class Tally(NamedTuple):
    """Hold n items, each with its count per category.

    Attributes:
        counts: (n, q) raters who put the item in the category.
        categories: (q,) the categories' values, in the order the caller gave.
        weight: (n,) the items' weights, scaled to a mean of 1 over items with two ratings or more.
    """

    counts: FloatArray
    categories: FloatArray
    weight: FloatArray


class Totals(NamedTuple):
    """Hold weighted sums over items; the leading axis B counts sets of weights.

    Attributes:
        pairable: (B,) weight of the items with two ratings or more.
        agreeing: (B,) the same, each times the share of its pairs of raters who agree.
        rated: (B,) weight of the items with one rating or more.
        shares: (B, q) the same, each times the share of its raters in the category.
        coincidences: (B, q, q) ordered pairs of ratings within items, each item counting its
            number of ratings.
    """

    pairable: FloatArray
    agreeing: FloatArray
    rated: FloatArray
    shares: FloatArray
    coincidences: FloatArray


def tally(ratings: ArrayLike, categories: ArrayLike, weight: ArrayLike | None = None) -> Tally:
    """Count ratings per item and category.

    Args:
        ratings: (n, R) what each of R raters said of each item, nan where nothing.
        categories: (q,) every value the form offers, chosen or not; in order where order matters.
        weight: (n,) 1 / P(the item was drawn), on any scale; equal when None.

    Raises:
        ValueError: ratings not of shape (n, R), fewer than two categories or one twice, a rating
            that is none of them, or a weight not finite, not above 0 or not one per item.

    Example:
        >>> tally([[0, 1, 1], [0, 0, np.nan]], categories=[0, 1]).counts.tolist()
        [[1.0, 2.0], [2.0, 0.0]]
    """
    said, values = np.asarray(ratings, dtype=np.float64), np.asarray(categories, dtype=np.float64)
    _check(said, values)
    matches = said[:, :, None] == values
    if (matches.any(axis=2) == np.isnan(said)).any():
        raise ValueError("every rating must be one of the categories, or nan")
    counts = matches.sum(axis=1).astype(np.float64)
    return Tally(counts, values, _scaled(weight, counts.sum(axis=1) >= 2))


def totals(tallied: Tally, weights: FloatArray) -> Totals:
    """Sum the items' rows under each of B sets of weights.

    Args:
        tallied: n items.
        weights: (B, n); `tallied.weight[None]` for the sample as it is.

    Example:
        >>> pair = tally([[0, 0], [0, 1]], categories=[0, 1])
        >>> sums = totals(pair, pair.weight[None])
        >>> sums.agreeing.tolist(), sums.coincidences.tolist()
        ([1.0], [[[2.0, 1.0], [1.0, 0.0]]])
    """
    n, q = tallied.counts.shape
    coincidences = _coincidences(tallied.counts)
    per_item = np.column_stack([*_per_item(tallied.counts), coincidences.reshape(n, q * q)])
    sums = weights @ per_item
    return Totals(
        pairable=sums[:, 0],
        agreeing=sums[:, 1],
        rated=sums[:, 2],
        shares=sums[:, 3 : 3 + q],
        coincidences=sums[:, 3 + q :].reshape(-1, q, q),
    )


def agreeing(counts: FloatArray) -> FloatArray:
    """Return each item's share of pairs of raters who agree: (n,); 0 where there is no pair.

    Args:
        counts: (n, q) raters who put the item in the category.

    Example:
        >>> agreeing(np.array([[2.0, 0.0], [2.0, 2.0], [1.0, 0.0]])).round(4).tolist()
        [1.0, 0.3333, 0.0]
    """
    n_ratings = counts.sum(axis=1)
    pairs = np.maximum(n_ratings * (n_ratings - 1), 1)
    return np.asarray((counts * (counts - 1)).sum(axis=1) / pairs)


def _per_item(counts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return whether two rated, the share of agreeing pairs, whether one rated, the shares."""
    n_ratings = counts.sum(axis=1)
    shares = counts / np.maximum(n_ratings, 1)[:, None]
    return (n_ratings >= 2) * 1.0, agreeing(counts), (n_ratings >= 1) * 1.0, shares


def _coincidences(counts: FloatArray) -> FloatArray:
    """Return each item's ordered pairs of ratings by two raters, over its ratings less one."""
    n_ratings = counts.sum(axis=1)
    pairs = counts[:, :, None] * counts[:, None, :]
    diagonal = np.arange(counts.shape[1])
    pairs[:, diagonal, diagonal] -= counts
    return np.asarray(pairs / np.maximum(n_ratings - 1, 1)[:, None, None])


def _check(ratings: FloatArray, categories: FloatArray) -> None:
    """Refuse shapes and categories no form produces."""
    if ratings.ndim != 2:
        raise ValueError(f"ratings must have shape (n, R), got {ratings.shape}")
    if categories.ndim != 1 or categories.size < 2 or not np.isfinite(categories).all():
        raise ValueError("categories must be two or more finite values of shape (q,)")
    if np.unique(categories).size != categories.size:
        raise ValueError("categories must not repeat a value")


def _scaled(weight: ArrayLike | None, pairable: NDArray[np.bool_]) -> FloatArray:
    """Return weights with a mean of 1 where it matters, so that sizes stay counts of ratings."""
    weights = np.ones(pairable.size) if weight is None else np.asarray(weight, dtype=np.float64)
    if weights.shape != pairable.shape:
        raise ValueError("weight must have one value per item")
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise ValueError("weight must be finite and above 0")
    return weights / weights[pairable].mean() if pairable.any() else weights
