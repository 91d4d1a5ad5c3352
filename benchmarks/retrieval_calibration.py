"""How far probabilities can be trusted: order, error and level, with intervals.

Intervals are 95 %, by drawing conversations. `Told` holds n examples: what was told of each,
whether it held, how often it counts, and its conversation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BINS, RESAMPLES, SEED = 10, 500, 7
#: Edges of a reliability table.
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class Told(NamedTuple):
    """All of shape (n,)."""

    told: np.ndarray
    held: np.ndarray
    weight: np.ndarray
    groups: np.ndarray

    def only(self, rows: np.ndarray) -> Told:
        return Told(*(part[rows] for part in self))


def auroc(one: Told) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(one.held, one.told, sample_weight=one.weight))


def errors(one: Told) -> np.ndarray:
    """Return each example's part of the Brier score."""
    return (one.told - one.held) ** 2


def brier(one: Told) -> float:
    return float(np.average(errors(one), weights=one.weight))


def bins(told: np.ndarray) -> np.ndarray:
    """Return of each example which of ten bins of equal size it is in."""
    ranks = np.argsort(np.argsort(told, kind="stable"), kind="stable")
    return ranks * BINS // told.size


def ece(one: Told, draws: np.ndarray | None = None) -> np.ndarray:
    """Return the calibration error, of each draw of `drawn` or of all."""
    gaps = by_group(one, (one.told - one.held)[:, None] * np.eye(BINS)[bins(one.told)])
    total = by_group(one, np.ones((one.told.size, 1)))
    draws = np.ones((1, len(gaps))) if draws is None else draws
    return np.abs(draws @ gaps).sum(axis=1) / (draws @ total)[:, 0]


def by_group(one: Told, values: np.ndarray) -> np.ndarray:
    """Return weighted sums of values (n, m) by conversation, shape (groups, m)."""
    names, where = np.unique(one.groups, return_inverse=True)
    total = np.zeros((names.size, values.shape[1]))
    np.add.at(total, where, values * one.weight[:, None])
    return total


def drawn(one: Told) -> np.ndarray:
    """Return how often each conversation is drawn, shape (RESAMPLES, groups)."""
    n = np.unique(one.groups).size
    return np.random.default_rng(SEED).multinomial(n, np.full(n, 1 / n), RESAMPLES)


def mean(one: Told, values: np.ndarray) -> str:
    """Return a weighted mean with its interval, in words."""
    sums = by_group(one, np.stack([values, np.ones(values.size)], axis=1))
    draws = drawn(one) @ sums
    low, high = np.percentile(draws[:, 0] / draws[:, 1], [2.5, 97.5])
    return f"{np.average(values, weights=one.weight):+.4f} ({low:+.4f} to {high:+.4f})"


def figures(one: Told) -> list[str]:
    """Return held, told, AUROC, Brier and ECE; level and ECE with their intervals."""
    low, high = np.percentile(ece(one, drawn(one)), [2.5, 97.5])
    return [
        f"{np.average(one.held, weights=one.weight):.3f}",
        mean(one, one.told - one.held),
        f"{auroc(one):.3f}",
        f"{brier(one):.4f}",
        f"{ece(one)[0]:.3f} ({low:.3f} to {high:.3f})",
    ]


def reliability(one: Told) -> list[str]:
    """Return by told probability how often it held, with its interval and part of all."""
    cells = []
    for low, high in zip(EDGES, EDGES[1:], strict=False):
        rows = (one.told >= low) & ((one.told < high) | (high == 1))
        part = one.weight[rows].sum() / one.weight.sum()
        cells.append(f"{_interval(one.only(rows))} of {part:.0%}" if rows.any() else "none")
    return cells


def _interval(one: Told) -> str:
    sums = by_group(one, np.stack([one.held, np.ones(one.held.size)], axis=1))
    draws = drawn(one) @ sums
    low, high = np.percentile(draws[:, 0] / draws[:, 1], [2.5, 97.5])
    return f"{np.average(one.held, weights=one.weight):.2f} ({low:.2f}-{high:.2f})"
