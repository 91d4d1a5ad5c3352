"""What the monitors make of a simulated year: false alarms, and days until a drift is found."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from reviews.stats import watch, year
from reviews.stats.daychart import Days, cost_chart, share_chart
from reviews.stats.rows import Rows
from reviews.stats.watch import Level
from reviews.stats.year import REFERENCE_DAYS, TASKS, THRESHOLD, Day, Plot, World

#: A drift that was not found by then counts as missed.
MOST_DAYS = 150


class Found(NamedTuple):
    """Hold when an alarm opened and by which monitor."""

    day: int
    monitor: str
    level: Level


class Stationary(NamedTuple):
    """Hold what rang in years without any drift.

    Attributes:
        years: how many were played.
        by_monitor: alarms and warnings that opened, all years together.
        alarms: of them those that opened as alarms.
    """

    years: int
    by_monitor: dict[str, int]
    alarms: int

    @property
    def per_year(self) -> float:
        """Return alarms and warnings a year over all monitors together."""
        return sum(self.by_monitor.values()) / self.years


class Planted(NamedTuple):
    """Hold how one drift was found in several years.

    Attributes:
        drift: its name in `year.DRIFTS`.
        days: (years,) from its begin to the first alarm or warning; nan where missed.
        first: which monitor said so, by how many years.
    """

    drift: str
    days: np.ndarray
    first: dict[str, int]


#: Applies a function to each seed, in order: `map`, or what does several at once.
Each = Callable[[Callable[[int], Any], Sequence[int]], Iterable[Any]]


def stationary(
    seeds: Sequence[int],
    each: Each = map,
    days: int = year.YEAR_DAYS,
    usual: World = year.USUAL,
) -> Stationary:
    """Play years of so many days without a drift."""
    rang = [one for found in each(partial(_quiet, days, usual), seeds) for one in found]
    counted = Counter(one.monitor for one in rang)
    alarms = sum(one.level is Level.ALARM for one in rang)
    return Stationary(len(seeds), dict(counted.most_common()), alarms)


def planted(
    drift: str, seeds: Sequence[int], each: Each = map, usual: World = year.USUAL
) -> Planted:
    """Play years with a drift until it is found.

    What opened before the drift began is a false alarm and finds nothing.
    """
    firsts = list(each(partial(_first, drift, usual), seeds))
    days = [
        np.nan if one is None else one.day - year.begins(seed) + 1
        for one, seed in zip(firsts, seeds, strict=True)
    ]
    return Planted(drift, np.array(days), dict(Counter(one.monitor for one in firsts if one)))


def _quiet(days: int, usual: World, seed: int) -> list[Found]:
    return opened(year.days(Plot(seed, usual=usual), days), seed)


def _first(drift: str, usual: World, seed: int) -> Found | None:
    """Return the first alarm since the drift; windows are slow, and only looked at until then."""
    plot = Plot(seed, year.DRIFTS[drift][1], usual)
    begin = plot.begin
    played = year.days(plot, begin + MOST_DAYS)
    quick = [one for one in _opened(_by_day(played)) if one.day >= begin]
    until = min((one.day for one in quick), default=begin + MOST_DAYS - 1)
    slow = _opened(_windows(played, seed, begin, until, stops=True))
    return min([*quick, *slow], default=None)


def opened(played: Sequence[Day], seed: int) -> list[Found]:
    """Return every alarm that opens, by monitor; the seed is for the classifier's folds."""
    last = len(played) - REFERENCE_DAYS - 1
    return _opened({**_by_day(played), **_windows(played, seed, 0, last, stops=False)})


def _opened(levels: dict[str, list[Level]]) -> list[Found]:
    return [
        Found(event.index, name, event.level)
        for name, said in levels.items()
        for event in watch.fold(said, watch.rule_of(name))
        if event.kind == "opened"
    ]


def _by_day(played: Sequence[Day]) -> dict[str, list[Level]]:
    """Return the levels, since go-live, of all monitors that look day by day."""
    since = played[REFERENCE_DAYS:]
    names = [watch.models([year.KNOWN_MODEL], {day.model: day.score.size}) for day in since]
    models = [one.level for one in names]
    return {**_charts(played), "living": _living(since), "models": models}


def _charts(played: Sequence[Day]) -> dict[str, list[Level]]:
    """Return the levels of the charts after each day since go-live."""
    n = np.array([day.score.size for day in played])
    cheap = np.array([int((day.score < THRESHOLD).sum()) for day in played])
    escalated, lost, judged = (
        np.array([getattr(day, name) for day in played]) for name in ("escalated", "lost", "judged")
    )
    charts = {
        "cheap_share": share_chart(*_split(cheap, n)),
        "escalations": share_chart(*_split(escalated, cheap)),
        "judge": share_chart(*_split(lost, judged)),
        "cost": cost_chart(*_split(np.array([day.cost for day in played]), n)),
    }
    return {name: [watch.chart_level(one) for one in chart] for name, chart in charts.items()}


def _split(total: np.ndarray, count: np.ndarray) -> tuple[Days, Days]:
    at = REFERENCE_DAYS
    return Days(total[:at], count[:at]), Days(total[at:], count[at:])


def _windows(
    played: Sequence[Day], seed: int, begin: int, until: int, *, stops: bool
) -> dict[str, list[Level]]:
    """Return the levels of what looks at the last seven days, between two days after go-live.

    Before them, and before a week is full, nothing is said. `stops` ends with the first alarm.
    """
    rng = np.random.default_rng(seed)
    scores, vectors, tasks = _all(played[:REFERENCE_DAYS])
    silent = [Level.QUIET] * max(begin, watch.WINDOW_DAYS - 1)
    said = {"scores": [*silent], "tasks": [*silent], "embeddings": [*silent]}
    for at in range(len(silent) + REFERENCE_DAYS, until + REFERENCE_DAYS + 1):
        now, places, counts = _all(played[at - watch.WINDOW_DAYS + 1 : at + 1])
        said["scores"].append(watch.scores(scores, now).level)
        said["tasks"].append(watch.tasks(tasks, counts).level)
        said["embeddings"].append(watch.embeddings(vectors, places, rng).level)
        if stops and any(watch.last_event(levels) for levels in said.values()):
            break
    return said


def _all(days: Sequence[Day]) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    counts = np.bincount(np.concatenate([day.task for day in days]), minlength=len(TASKS))
    by_task = dict(zip(TASKS, counts.tolist(), strict=True))
    scores = np.concatenate([day.score for day in days])
    return scores, np.vstack([day.vectors for day in days]), by_task


def _living(days: Sequence[Day]) -> list[Level]:
    """Return the levels of the living sample; its capital is looked at after each day."""
    score, rated, harm = (
        np.concatenate([getattr(day, name) for day in days]) for name in ("score", "rated", "harm")
    )
    edges = np.cumsum([0, *(day.score.size for day in days)])
    rows = Rows(score, np.full(score.size, year.USUAL.living), rated, harm)
    bet = watch.Bet(
        floor=year.FLOOR,
        n_plan=int(year.USUAL.requests * watch.LIVING_EVERY),
        most_starts=math.ceil(year.YEAR_DAYS / watch.LIVING_EVERY),
        edges=edges,
        starts=edges[: -1 : watch.LIVING_EVERY].tolist(),
    )
    first = watch.living_batch(rows, THRESHOLD, bet)
    return [Level.OK if at + 1 < first else Level.ALARM for at in range(len(days))]
