"""The A/A floor: how often an answer is called better although the same model gave both.

Pairs whose question EXPENSIVE was asked twice are handed out among the others, see `asides`.
Source: statistics.md in docs, section "A/A floor".
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from reviews import asides, blinding
from reviews.models import Rater, Slot, Study, Verdict
from reviews.stats import intervals
from routing.models import RepeatPair

_PREFERENCE = Verdict.Preference
ASIDE = asides.Aside(Slot.Kind.AGAIN.value, RepeatPair, turn="again", place="repeat")


class Floor(NamedTuple):
    """What people said of repeats; the shares are None where nothing is rated.

    Attributes:
        n_rated: repeats rated.
        worse: share in which the second answer lost: the first was called better.
        low: of the Wilson interval of `worse`, at 95 %.
        high: likewise.
        better: share in which the second answer won; chance alone makes both alike.
        ties: share in which neither was called better, both bad included.
    """

    n_rated: int
    worse: float | None = None
    low: float | None = None
    high: float | None = None
    better: float | None = None
    ties: float | None = None


def due(study: Study, rater: Rater) -> Slot | None:
    """Write and return the repeat that is the rater's turn, if one is; see `asides.due`."""
    return asides.due(study, rater, ASIDE)


def floor(study: Study) -> Floor:
    """Return how often people called the first of two answers of one model the better one.

    Every repeat weighs the same. To be set against the share of cheap answers that were worse, not
    against degradation: that is a share of all requests.
    """
    said = Counter(blinding.meaning(row).preference for row in asides.newest(study, ASIDE))
    n, worse, better = said.total(), said[_PREFERENCE.EXPENSIVE], said[_PREFERENCE.CHEAP]
    if not n:
        return Floor(0)
    low, high = intervals.wilson(float(worse), float(n))
    return Floor(n, worse / n, float(low), float(high), better / n, (n - worse - better) / n)
