"""How each rater errs, as far as the others together know better. No estimate rests on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from reviews import panels
from reviews.models import Verdict
from reviews.stats import dawid_skene
from reviews.votes import Vote

#: Fewer pairs with three raters, or a smaller share of them, and the fit guesses.
FEWEST_PAIRS, LEAST_OVERLAP = 20, 0.5
_FEWEST_LABELS = 20
_LABELS = [value for value in Verdict.Preference.values if value != Verdict.Preference.CANNOT]
_NAMES = dict(Verdict.Preference.choices)


@dataclass(frozen=True)
class Confusions:
    """What raters say of pairs whose likely verdict is known from all of them.

    Attributes:
        n_pairs: pairs rated twice or more.
        n_thrice: of them, with three raters or more.
        labels: the verdicts, as columns.
        rows: each rater's id, or None for those with few ratings taken together, and by verdict
            the probability of saying the same; None where no pair is likely to be that. Empty
            when too few pairs have three raters.
    """

    n_pairs: int
    n_thrice: int
    labels: list[str]
    rows: list[tuple[int | None, list[float | None]]]


def of(said: Iterable[Vote]) -> Confusions:
    """Fit Dawid and Skene's model, where enough pairs have three raters."""
    pairs = panels.shared(said)
    n_thrice = sum(len(together) > 2 for together in pairs)
    labels = [_NAMES[value] for value in _LABELS]
    if n_thrice < FEWEST_PAIRS or n_thrice < LEAST_OVERLAP * len(pairs):
        return Confusions(len(pairs), n_thrice, labels, [])
    raters = sorted({vote.rater_id for together in pairs for vote in together})
    pooled = dawid_skene.pooled(_counts(pairs, raters), _FEWEST_LABELS)
    right = dawid_skene.fit(pooled.counts).confusion.diagonal(axis1=1, axis2=2)
    names: dict[int, int | None] = {}
    for rater, place in zip(raters, pooled.rater.tolist(), strict=True):
        names[place] = None if pooled.rater.tolist().count(place) > 1 else rater
    rows = [(names[place], [_known(p) for p in right[place]]) for place in sorted(names)]
    return Confusions(len(pairs), n_thrice, labels, rows)


def _counts(pairs: list[list[Vote]], raters: list[int]) -> np.ndarray:
    """Return how often each rater gave each pair each verdict: (n, K, q)."""
    counts = np.zeros((len(pairs), len(raters), len(_LABELS)))
    place = {rater: column for column, rater in enumerate(raters)}
    for row, together in enumerate(pairs):
        for vote in together:
            counts[row, place[vote.rater_id], _LABELS.index(vote.preference)] += 1
    return counts


def _known(share: float) -> float | None:
    return None if math.isnan(share) else float(share)
