"""What each monitor says of one day, and when an alarm opens and closes.

Detectors compare what came since go-live with the study's window and answer with a `Signal`; each
asks for an effect and for more than chance. `fold` turns the levels of one monitor, reading by
reading, into the opening and closing of its alarm. What is read for them is told in `monitors`.

Windows hold whole weeks, so that a weekend is no drift: distributions are read over the last
`WINDOW_DAYS` days, charts day by day from go-live on.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reviews.stats import betting, drift
from reviews.stats.rows import Arrays, Rows

FloatArray = NDArray[np.float64]

#: Distributions are read over whole weeks.
WINDOW_DAYS = 7
#: Fewer rows in a window, or fewer days in a reference, say nothing.
FEWEST_ROWS = 100
FEWEST_DAYS = 5
#: A chart warns at 5 standard errors (Montgomery) and rings at 8; no sum climbs past 12, so that
#: it comes down within days when the change is over.
CHART_WARNS, CHART_ALARMS, CHART_TOP = 5.0, 8.0, 12.0
_SLACK = 0.5
#: The reference's own mean is off by this many of its standard errors at most.
_REFERENCE_ERRORS = 2.0
#: Its spread over days is taken from above, at this confidence: two weeks tell little of it.
_SPREAD_LEVEL = 0.9
#: Smaller changes are no drift: 2 points of a share, 5 % of a cost.
SHARE_EFFECT, COST_EFFECT = 0.02, 0.05
#: Parts of the traffic that moved to another task type.
MIX_WARNS, MIX_ALARMS = 0.05, 0.10
#: The living sample may ring falsely once in 100 sign-offs.
LIVING_DELTA = 0.01


class Level(StrEnum):
    """How bad a reading is; the values are those of `Reading.Level`."""

    QUIET = "quiet"
    OK = "ok"
    WARN = "warn"
    ALARM = "alarm"


_WORSE = [Level.OK, Level.WARN, Level.ALARM]


class Signal(NamedTuple):
    """Hold what one monitor says.

    Attributes:
        value: what was measured; None where too little came to say.
        limit: above it the level is at least WARN; None likewise.
        level: QUIET says that nothing can be said.
        n: rows of the current window it rests on.
    """

    value: float | None
    limit: float | None
    level: Level
    n: int


class Days(NamedTuple):
    """Hold one figure by day.

    Attributes:
        total: (K,) the day's sum: hits of a share, USD of a cost.
        count: (K,) rows of the day; 0 is a day without any.
    """

    total: ArrayLike
    count: ArrayLike


def scores(reference: ArrayLike, current: ArrayLike) -> Signal:
    """Compare router scores: value and limit are those of the stability index (PSI).

    It warns above the limit, or where the distribution functions are apart (KS: p below .001 and
    distance above .05); both at once, or an index of .25, are an alarm.

    Args:
        reference: (n,) finite.
        current: (m,) finite, of the last seven days.
    """


def share(reference: Days, current: Days, effect: float = SHARE_EFFECT) -> Signal:
    """Follow a share day by day: cheap-routed, escalated, or lost as the judge sees it.

    Value is the larger sum of a two-sided chart (CUSUM) at its last day, in standard errors of a
    day; limit is 5, and an alarm is at 8.

    Args:
        reference: the days of the study's window, total = hits.
        current: the days since go-live, in order.
        effect: changes below this many points, as a fraction, never add up.

    Raises:
        ValueError: shapes differ, a count is below 0, or hits are outside [0, count].
    """


def cost(reference: Days, current: Days, effect: float = COST_EFFECT) -> Signal:
    """Follow the logarithm of a day's mean cost per call; otherwise as `share`.

    Args:
        reference: the days of the study's window, total = USD.
        current: the days since go-live, in order.
        effect: changes below this fraction never add up.
    """


def tasks(reference: Mapping[str, int], current: Mapping[str, int]) -> Signal:
    """Compare counts by task type: value is the part of the traffic that changed its type.

    Limit is .05 and an alarm is at .10, both only with a chi-square p-value below .001.

    Args:
        reference: rows by type in the study's window.
        current: rows by type in the last seven days.
    """


def embeddings(reference: ArrayLike, current: ArrayLike, rng: np.random.Generator) -> Signal:
    """Compare sets of vectors: value is how well a classifier tells them apart (AUC).

    Limit is .55, with a 99 % lower bound above .5; where the kernel's discrepancy (MMD) is beyond
    chance too, it is an alarm.

    Args:
        reference: (n, p).
        current: (m, p), of the last seven days.
        rng: seeded by the caller.
    """


def models(known: Collection[str], current: Mapping[str, int]) -> Signal:
    """Count the models that answered and were never studied: value; limit is 0.

    Args:
        known: model strings that came back in the study's window.
        current: requests by the model string that came back, in what is looked at.
    """


def living(
    rows: Rows | Arrays, threshold: float, *, floor: float, n_plan: int, edges: ArrayLike
) -> Signal:
    """Bet against "the floor holds" on what people rated after go-live.

    Value is ln of the largest capital so far; the limit is ln(1 / .01). At any time it rings
    falsely with probability .01 at most, over all looks of one sign-off.

    Args:
        rows: in order of arrival, as `betting.futile`.
        threshold: the one that is live.
        floor: of the sign-off.
        n_plan: rows planned until the sign-off's end.
        edges: of the batches from 0 to N; those of an earlier look are among them.
    """


@dataclass(frozen=True)
class Rule:
    """How many readings in a row open an alarm, and how many close it again.

    A reading that says nothing (QUIET) neither counts nor breaks a row.
    """

    opens_after: int = 2
    closes_after: int = 3


#: A chart, a week's window and a classifier need a second reading.
SLOWLY = Rule()
#: An unknown model and a broken floor are sure at the first reading.
AT_ONCE = Rule(opens_after=1, closes_after=7)
RULES: Mapping[str, Rule] = {"models": AT_ONCE, "living": AT_ONCE}


class Event(NamedTuple):
    """Hold what happens to an alarm at the reading of this index; `level` is the alarm's then."""

    index: int
    kind: Literal["opened", "worse", "closed"]
    level: Level


def rule_of(monitor: str) -> Rule:
    """Return the rule of a monitor by its name."""
    return RULES.get(monitor, SLOWLY)


def fold(levels: Sequence[Level | str], rule: Rule = SLOWLY) -> list[Event]:
    """Return what happens to a monitor's alarm over its readings, in order.

    It opens when `opens_after` readings in a row are at WARN or above, at the lowest level of
    these; gets worse when as many in a row are at ALARM; closes after `closes_after` at OK. To go
    on after a person closed an alarm, give the readings since.

    Example:
        >>> [tuple(e) for e in fold(["ok", "warn", "alarm", "alarm", "ok", "ok", "ok"])]
        [(2, 'opened', 'warn'), (3, 'worse', 'alarm'), (6, 'closed', 'alarm')]
    """


def last_event(levels: Sequence[Level | str], rule: Rule = SLOWLY) -> Event | None:
    """Return what the last of these readings does to the alarm, or None."""
    events = fold(levels, rule)
    return events[-1] if events and events[-1].index == len(levels) - 1 else None
