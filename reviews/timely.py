"""Up to when what is said of a pair of the living sample counts: fixed before anybody rates it.

A day that waited for its last pair would hold up all later ones for ever. So each pair is settled
at a midnight that its arrival and its own ratings decide, and what is said later changes nothing:
every look at the bets is a look at one and the same capital.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reviews.inputs import DAY_S

#: Days that people have after the one on which a request came. Another number would move what was
#: settled.
RATED_WITHIN = 14


class Spoken(NamedTuple):
    """One verdict.

    Attributes:
        number: of its row.
        rater: who said it.
        at: when, in seconds since 1970.
        is_last: whether no other is waited for: nobody could judge the pair.
    """

    number: int
    rater: int
    at: float
    is_last: bool


def deadline(received_at: ArrayLike) -> np.ndarray:
    """Return up to when pairs are waited for, as `received_at` in seconds since 1970: (N,).

    >>> deadline([86_400.0 * 3 + 5]).tolist() == [86_400.0 * (4 + RATED_WITHIN)]
    True
    """
    return (np.floor(np.asarray(received_at) / DAY_S) + 1 + RATED_WITHIN) * DAY_S


def oldest(now: datetime) -> datetime:
    """Return the arrival from which on pairs are still waited for at a moment in UTC."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=RATED_WITHIN)


def until(spoken: Iterable[Spoken], wanted: int, latest: float) -> float:
    """Return up to when what is said of one pair counts, in seconds since 1970.

    It is the midnight after as many raters had spoken as were wanted, so that a slip of the hand
    can be put right, and the deadline at the latest.

    Args:
        spoken: every verdict on the pair, as they came.
        wanted: raters that the plan asks for.
        latest: the pair's deadline.

    Example:
        >>> until([Spoken(1, 7, 100.0, False)], 1, 9 * DAY_S) / DAY_S
        1.0
        >>> until([Spoken(1, 7, 100.0, False)], 2, 9 * DAY_S) / DAY_S
        9.0
    """
    raters: set[int] = set()
    for one in spoken:
        raters.add(one.rater)
        if len(raters) >= wanted or one.is_last:
            return min((math.floor(one.at / DAY_S) + 1) * DAY_S, latest)
    return latest


def heard(spoken: Iterable[Spoken], wanted: int, until: float) -> float:
    """Return which part of the raters that were wanted had spoken of one pair by a moment.

    It is 1 where nobody could judge the pair. Arguments as of `until`.

    Example:
        >>> heard([Spoken(1, 7, 100.0, False), Spoken(2, 8, 9 * DAY_S, False)], 2, 9 * DAY_S)
        0.5
    """
    in_time = [one for one in spoken if one.at < until]
    if any(one.is_last for one in in_time):
        return 1.0
    return min(len({one.rater for one in in_time}) / wanted, 1.0)
