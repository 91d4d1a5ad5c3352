"""Whether what is missing is missing more often in some groups than in the rest."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

# The chi-square distribution is trusted from this expected count on; below it, Fisher's exact test.
_FEWEST_EXPECTED = 5.0


class Missingness(NamedTuple):
    """Hold each group's test against all the others.

    Attributes:
        share: (k,) missing of the group's total; nan for an empty group.
        p_bonferroni: (k,) allows for all groups looked at; 1 where there is nothing to compare.
        differs: (k,) below alpha.
    """

    share: NDArray[np.float64]
    p_bonferroni: NDArray[np.float64]
    differs: NDArray[np.bool_]


def compare(missing: ArrayLike, total: ArrayLike, alpha: float = 0.05) -> Missingness:
    """Test each group's share of missing rows against that of all the other groups together.

    Args:
        missing: (k,) rows of each group that are missing.
        total: (k,) rows of each group.
        alpha: probability of marking any group when none differs.

    Raises:
        ValueError: shapes differ, a count is not whole or negative, or more are missing than
            there are.

    Source:
        Pearson's chi-square of a 2 x 2 table without correction; Fisher's exact test where an
        expected count is below 5; Bonferroni over the groups that can be compared.

    Example:
        >>> found = compare([30, 10], [100, 100])
        >>> found.share.tolist(), found.p_bonferroni.round(6).tolist()
        ([0.3, 0.1], [0.000814, 0.000814])
    """
    gone, there = _checked(missing, total)
    p = np.array(
        [_p_value(x, n, gone.sum(), there.sum()) for x, n in zip(gone, there, strict=True)]
    )
    compared = int((~np.isnan(p)).sum())
    adjusted = np.minimum(np.nan_to_num(p, nan=1.0) * max(compared, 1), 1.0)
    share = np.full(gone.size, np.nan)
    np.divide(gone, there, out=share, where=there > 0)
    return Missingness(share, adjusted, adjusted < alpha)


def _p_value(gone: int, there: int, all_gone: int, everything: int) -> float:
    """Return the p-value of one group against the rest; nan where either is empty."""
    rest = everything - there
    table = np.array([[gone, there - gone], [all_gone - gone, rest - (all_gone - gone)]])
    if not table.sum(axis=1).all() or not table.sum(axis=0).all():
        return float("nan")
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    if expected.min() < _FEWEST_EXPECTED:
        return float(stats.fisher_exact(table).pvalue)
    return float(stats.chi2.sf(((table - expected) ** 2 / expected).sum(), 1))


def _checked(missing: ArrayLike, total: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the counts, refusing what no groups have."""
    gone, there = np.asarray(missing), np.asarray(total)
    if gone.shape != there.shape or gone.ndim != 1:
        raise ValueError("missing and total must have the same shape (k,)")
    if gone.size and not (
        np.issubdtype(gone.dtype, np.integer) and np.issubdtype(there.dtype, np.integer)
    ):
        raise ValueError("counts must be whole numbers")
    if (gone < 0).any() or (gone > there).any():
        raise ValueError("missing must lie in [0, total]")
    return gone.astype(np.int64), there.astype(np.int64)
