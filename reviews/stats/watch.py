"""What each monitor says of one day, and when an alarm opens and closes.

Detectors compare what came since go-live with the study's window and answer with a `Signal`; each
asks for an effect and for more than chance. `fold` turns the levels of one monitor, reading by
reading, into the opening and closing of its alarm. What is read for them is told in `monitors`.

Windows hold whole weeks, so that a weekend is no drift: distributions are read over the last
`WINDOW_DAYS` days, charts day by day from go-live on.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from reviews.stats import betting, drift
from reviews.stats.capital import Bets
from reviews.stats.daychart import (
    CHART_ALARMS,
    CHART_WARNS,
    COST_EFFECT,
    SHARE_EFFECT,
    Days,
    cost_chart,
    share_chart,
)
from reviews.stats.rows import FloatArray, Rows, arrays

__all__ = [
    "LIVING_DELTA", "LIVING_EVERY", "RULES", "SLOWLY", "WINDOW_DAYS", "Bet", "Days", "Event",
    "Level", "Rule", "Signal", "chart_level", "cost", "embeddings", "fold", "last_event", "living",
    "living_batch", "models", "rule_of", "scores", "share", "tasks",
]  # fmt: skip

#: Distributions are read over whole weeks.
WINDOW_DAYS = 7
#: Fewer rows in a window or in a reference say nothing.
FEWEST_ROWS = 100
#: Parts of the traffic that moved to another task type.
MIX_WARNS, MIX_ALARMS = 0.05, 0.10
#: What `drift.told_apart` asks of a classifier, shown as the limit.
TOLD_APART = 0.55
#: The living sample may ring falsely once in 100 sign-offs.
LIVING_DELTA = 0.01
#: Days from one bet on the living sample to the next.
LIVING_EVERY = 30


class Level(StrEnum):
    """How bad a reading is; the values are those of `Reading.Level`."""

    QUIET = "quiet"
    OK = "ok"
    WARN = "warn"
    ALARM = "alarm"


#: Without QUIET, which says nothing.
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


def scores(reference: ArrayLike, current: ArrayLike) -> Signal:
    """Compare router scores: value and limit are those of the stability index (PSI).

    It warns above the limit, or where the distribution functions are apart (KS: p below .001 and
    distance above .05); both at once, or an index of .25, are an alarm.

    Args:
        reference: (n,) finite.
        current: (m,) finite, of the last seven days.
    """
    p, q = np.asarray(reference, dtype=np.float64), np.asarray(current, dtype=np.float64)
    if min(p.size, q.size) < FEWEST_ROWS:
        return _quiet(q.size)
    psi, ks = drift.psi(p, q), drift.ks(p, q)
    is_alarm = psi.alarms or (psi.warns and ks.alarms)
    return Signal(psi.value, psi.limit, _level(psi.warns or ks.alarms, is_alarm), q.size)


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
    return _last(share_chart(reference, current, effect), current)


def cost(reference: Days, current: Days, effect: float = COST_EFFECT) -> Signal:
    """Follow the logarithm of a day's mean cost per call; otherwise as `share`.

    Args:
        reference: the days of the study's window, total = USD.
        current: the days since go-live, in order.
        effect: changes below this fraction never add up.
    """
    return _last(cost_chart(reference, current, effect), current)


def tasks(reference: Mapping[str, int], current: Mapping[str, int]) -> Signal:
    """Compare counts by task type: value is the part of the traffic that changed its type.

    Limit is .05 and an alarm is at .10, both only with a chi-square p-value below .001.

    Args:
        reference: rows by type in the study's window.
        current: rows by type in the last seven days.
    """
    names = sorted({*reference, *current})
    p, q = (np.array([one.get(name, 0) for name in names], float) for one in (reference, current))
    n = int(q.sum())
    if min(p.sum(), q.sum()) < FEWEST_ROWS:
        return _quiet(n)
    moved = float(np.abs(p / p.sum() - q / q.sum()).sum() / 2)
    is_sure = drift.mix(p, q).alarms
    return Signal(moved, MIX_WARNS, _level(is_sure and moved > MIX_WARNS, moved > MIX_ALARMS), n)


def embeddings(reference: ArrayLike, current: ArrayLike, rng: np.random.Generator) -> Signal:
    """Compare sets of vectors: value is how well a classifier tells them apart (AUC).

    Limit is .55, with a 99 % lower bound above .5; where the kernel's discrepancy (MMD) is beyond
    chance too, it is an alarm.

    Args:
        reference: (n, p).
        current: (m, p), of the last seven days.
        rng: seeded by the caller.
    """
    n = len(np.asarray(current))
    if min(len(np.asarray(reference)), n) < FEWEST_ROWS:
        return _quiet(n)
    told = drift.told_apart(reference, current, rng)
    is_alarm = told.alarms and drift.mmd(reference, current, rng).alarms
    return Signal(told.auc, TOLD_APART, _level(told.alarms, is_alarm), n)


def models(known: Collection[str], current: Mapping[str, int]) -> Signal:
    """Count the models that answered and were never studied: value; limit is 0.

    Args:
        known: model strings that came back in the study's window.
        current: requests by the model string that came back, in what is looked at.
    """
    strange = sum(1 for name, n in current.items() if n and name not in known)
    n = sum(current.values())
    return Signal(strange, 0, _level(strange > 0, True), n) if n else _quiet(n)


class Bet(NamedTuple):
    """Hold what the living sample is asked, all fixed before the first rating.

    A bet that lost while the floor held has little left when it breaks; so a new one starts every
    month, and all share the error.

    Attributes:
        floor: of the sign-off.
        n_plan: rows of one month.
        most_starts: bets until the sign-off's end.
        edges: of the batches from 0 to N; those of an earlier look are among them.
        starts: rows at which a bet starts, each an edge.
    """

    floor: float
    n_plan: int
    most_starts: int
    edges: ArrayLike
    starts: Sequence[int]


def living(rows: Rows, threshold: float, bet: Bet) -> Signal:
    """Bet against "the floor holds" on what people rated after go-live.

    Value is ln of the largest capital of any bet; the limit is ln(most_starts / .01). It rings
    falsely in .01 of sign-offs at most, over all looks together.

    Args:
        rows: in order of arrival, as `betting.futile`.
        threshold: the one that is live.
        bet: what is asked.

    Raises:
        ValueError: more starts than planned, or as `betting.futile`.
    """
    n = int(np.asarray(rows.rated).sum())
    if not n:
        return _quiet(n)
    value = max(float(bets.peak[0]) for _, bets in _against_holding(rows, threshold, bet))
    limit = float(np.log(bet.most_starts / LIVING_DELTA))
    return Signal(value, limit, _level(value >= limit, True), n)


def living_batch(rows: Rows, threshold: float, bet: Bet) -> int:
    """Return the batch, from 1, after which `living` rings; their number + 1 where never."""
    n_batches = len(np.asarray(bet.edges)) - 1
    rang = [
        done + int(bets.batch[0])
        for done, bets in _against_holding(rows, threshold, bet)
        if done + bets.batch[0] <= n_batches
    ]
    return min(rang, default=n_batches + 1)


def _against_holding(rows: Rows, threshold: float, bet: Bet) -> Iterator[tuple[int, Bets]]:
    """Yield each bet with the number of batches before it."""
    if len(bet.starts) > bet.most_starts:
        raise ValueError("a bet that was not planned has no error left")
    edges, delta = np.asarray(bet.edges), LIVING_DELTA / bet.most_starts
    for start in bet.starts:
        own = edges[edges >= start]
        if own.size < 2:
            continue
        every = arrays(rows)
        since = every.only(np.arange(every.score.size) >= start)
        yield (
            edges.size - own.size,
            betting.futile(
                since, [threshold], floor=bet.floor, delta=delta, n_plan=bet.n_plan,
                batches=own - start,
            ),
        )  # fmt: skip


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
_FIRST = Rule(opens_after=1)
RULES = {"models": AT_ONCE, "living": AT_ONCE, "budget": _FIRST, "prices": _FIRST}


@dataclass(frozen=True)
class Event:
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
        >>> [(e.index, e.kind) for e in fold(["ok", "warn", "alarm", "alarm", "ok", "ok", "ok"])]
        [(2, 'opened'), (3, 'worse'), (6, 'closed')]
    """
    events: list[Event] = []
    run: list[Level] = []
    now: Level | None = None
    for at, level in enumerate(map(Level, levels)):
        if level is Level.QUIET:
            continue
        run = [*run, level][-max(rule.opens_after, rule.closes_after) :]
        after = _after(run, now, rule)
        if after is not None:
            now = None if after.kind == "closed" else after.level
            events.append(replace(after, index=at))
    return events


def last_event(levels: Sequence[Level | str], rule: Rule = SLOWLY) -> Event | None:
    """Return what the last of these readings does to the alarm, or None."""
    events = fold(levels, rule)
    return events[-1] if events and events[-1].index == len(levels) - 1 else None


def _last(chart: FloatArray, current: Days) -> Signal:
    count = np.asarray(current.count)
    if not chart.size or np.isnan(chart[-1]) or not count[-1]:
        return _quiet(0)
    value = float(chart[-1])
    return Signal(value, CHART_WARNS, chart_level(value), int(count[-1]))


def chart_level(value: float) -> Level:
    """Return the level of a chart's sum."""
    if np.isnan(value):
        return Level.QUIET
    return _level(value > CHART_WARNS, value > CHART_ALARMS)


def _level(warns: bool, alarms: bool) -> Level:
    """Return ALARM only where it warns, too."""
    return (Level.ALARM if alarms else Level.WARN) if warns else Level.OK


def _quiet(n: int) -> Signal:
    return Signal(None, None, Level.QUIET, n)


def _after(run: list[Level], now: Level | None, rule: Rule) -> Event | None:
    """Return what the newest levels do to an alarm of this level, None for no alarm."""
    opening, closing = run[-rule.opens_after :], run[-rule.closes_after :]
    lowest = min(opening, key=_WORSE.index)
    if now is not None and len(closing) == rule.closes_after and set(closing) == {Level.OK}:
        return Event(0, "closed", now)
    if len(opening) < rule.opens_after or lowest is Level.OK:
        return None
    if now is None:
        return Event(0, "opened", lowest)
    return Event(0, "worse", lowest) if _WORSE.index(lowest) > _WORSE.index(now) else None
