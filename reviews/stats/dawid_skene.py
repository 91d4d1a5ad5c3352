"""What several raters' labels say together: likely true labels, and each rater's errors.

For the page about raters and for cleaning labels. No estimate of quality rests on it: it makes
items depend on each other and answers another question than "what would a rater say".
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

FloatArray = NDArray[np.float64]

# Stands for probability 0 where logarithms are added up; such a label then rules a class out.
_NEVER = np.finfo(np.float64).tiny


@dataclass(frozen=True, eq=False)
class Consensus:
    """Hold the fitted model of n items, K raters and q labels.

    Attributes:
        prevalence: (q,) share of each true label.
        confusion: (K, q, q) P(rater k says l | truth is j) at [k, j, l]; nan where no item that k
            labelled is likely to be j.
        posterior: (n, q) P(truth is j | everything said).
        log_likelihood: of the labels under the model, after each iteration.
        converged: whether the posterior stood still before the iterations ran out.
        one_label: whether nobody ever used a second label; the confusion is then the identity
            because nothing else could be seen, not because raters are perfect.
        overlap: share of items with three raters or more; where it is small the fit guesses.
    """

    prevalence: FloatArray
    confusion: FloatArray
    posterior: FloatArray
    log_likelihood: FloatArray
    converged: bool
    one_label: bool
    overlap: float


class Pooled(NamedTuple):
    """Hold counts with the raters who gave few labels as one; `rater` is each one's new place."""

    counts: FloatArray
    rater: NDArray[np.intp]


def fit(
    counts: ArrayLike, smoothing: float = 0.01, tolerance: float = 1e-8, most_iterations: int = 1000
) -> Consensus:
    """Fit the model by expectation maximisation, from the shares of votes.

    Args:
        counts: (n, K, q) times rater k gave item i label l; usually 0 or 1, more if asked again.
        smoothing: a0, added to each cell of each confusion; 0 is the estimate of 1979, which calls
            impossible what was not seen.
        tolerance: largest change of the posterior that counts as standing still.
        most_iterations: where to stop otherwise.

    Raises:
        ValueError: counts not of shape (n, K, q) with two labels or more, negative, or an item
            without labels; smoothing negative.

    Source:
        Dawid and Skene 1979, Applied Statistics 28, 20-28.

    Example:
        >>> said = np.eye(2)[[[0, 0, 0], [0, 0, 1], [1, 1, 1], [1, 1, 0]]]
        >>> fit(said).posterior.argmax(axis=1).tolist()
        [0, 0, 1, 1]
    """
    said = _checked(counts, smoothing)
    votes = said.sum(axis=1)
    posterior = votes / votes.sum(axis=1, keepdims=True)
    overlap = float(((said.sum(axis=2) > 0).sum(axis=1) >= 3).mean())
    if (votes.sum(axis=0) > 0).sum() == 1:
        return _unanimous(said, posterior, overlap)
    path: list[float] = []
    converged = False
    while not converged and len(path) < most_iterations:
        prevalence, confusion = _maximised(said, posterior, smoothing)
        before, (posterior, likelihood) = posterior, _expected(said, prevalence, confusion)
        path.append(likelihood)
        converged = bool(np.abs(posterior - before).max() < tolerance)
    return Consensus(prevalence, confusion, posterior, np.array(path), converged, False, overlap)


def pooled(counts: ArrayLike, fewest: int = 20) -> Pooled:
    """Take raters with few items together as one, for whom no confusion could be estimated.

    Args:
        counts: (n, K, q) as in `fit`.
        fewest: items below which a rater is pooled.

    Returns:
        The counts of the remaining raters in their order, the pool last if there is one.

    Example:
        >>> said = np.ones((3, 4, 2))
        >>> said[1:, 1:3] = 0
        >>> pooled(said, fewest=2).counts.shape, pooled(said, fewest=2).rater.tolist()
        ((3, 3, 2), [0, 2, 2, 1])
    """
    said = np.asarray(counts, dtype=np.float64)
    few = (said.sum(axis=2) > 0).sum(axis=0) < fewest
    own = said[:, ~few]
    rater = np.where(few, own.shape[1], np.cumsum(~few) - 1)
    if not few.any():
        return Pooled(own, rater)
    return Pooled(np.concatenate([own, said[:, few].sum(axis=1, keepdims=True)], axis=1), rater)


def _maximised(
    said: FloatArray, posterior: FloatArray, smoothing: float
) -> tuple[FloatArray, FloatArray]:
    """Return prevalence and confusion as if the posterior were known."""
    n, raters, labels = said.shape
    mass = posterior.T @ said.reshape(n, raters * labels)
    cells = mass.reshape(labels, raters, labels).swapaxes(0, 1) + smoothing
    rows = cells.sum(axis=2, keepdims=True)
    confusion = np.full(cells.shape, np.nan)
    np.divide(cells, rows, out=confusion, where=rows > 0)
    return posterior.mean(axis=0), confusion


def _expected(
    said: FloatArray, prevalence: FloatArray, confusion: FloatArray
) -> tuple[FloatArray, float]:
    """Return the posterior of each item, and the log-likelihood of all labels."""
    n, raters, labels = said.shape
    chances = np.log(np.maximum(np.nan_to_num(confusion), _NEVER)).swapaxes(1, 2)
    spoken = said.reshape(n, raters * labels) @ chances.reshape(raters * labels, labels)
    joint = np.log(np.maximum(prevalence, _NEVER)) + spoken
    total = special.logsumexp(joint, axis=1, keepdims=True)
    return np.exp(joint - total), float(total.sum())


def _unanimous(said: FloatArray, posterior: FloatArray, overlap: float) -> Consensus:
    """Return the one label that was ever given."""
    _, raters, labels = said.shape
    identity = np.tile(np.eye(labels), (raters, 1, 1))
    return Consensus(posterior.mean(axis=0), identity, posterior, np.zeros(0), True, True, overlap)


def _checked(counts: ArrayLike, smoothing: float) -> FloatArray:
    """Return the counts, refusing what no raters produce."""
    said = np.asarray(counts, dtype=np.float64)
    if said.ndim != 3 or said.shape[2] < 2:
        raise ValueError(f"counts must have shape (n, K, q) with q of 2 or more, got {said.shape}")
    if not (np.isfinite(said) & (said >= 0)).all():
        raise ValueError("counts must be finite and not negative")
    if said.size == 0 or (said.sum(axis=(1, 2)) == 0).any():
        raise ValueError("every item needs a label")
    if not smoothing >= 0:
        raise ValueError(f"smoothing must not be negative, got {smoothing}")
    return said
