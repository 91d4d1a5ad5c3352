"""The curve of a study's traffic or of a part of it, with what is drawn beside it.

A part is shown, never certified: what is certified is of the whole plan. Nothing here says whether
a threshold may go live.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from django.utils.dateparse import parse_date

from reviews import charts, choice, estimation, frames, inputs, lookups
from reviews.choice import Thresholds
from reviews.estimation import Estimate, Moment, Rows
from reviews.models import Study
from reviews.stats import bands, daily, rows
from reviews.stats.bands import Band
from reviews.stats.curve import Curve, as_points

#: Scores drawn under the curve, of each kind; the first of the queue, which are a random sample.
MOST_TICKS = 300
#: Task types with a curve of their own; the others are too rare for one.
MOST_TASKS = 9
#: What a small curve has of each point.
_OF_TASK = ("cheap_share", "degradation", "degradation_low", "degradation_high", "events")


_LEVEL = 0.95


class Part(NamedTuple):
    """A part of the study's traffic, as an address names it; empty is all of it.

    Attributes:
        task: one task type.
        begin: first day, ISO; UTC.
        end: last day, likewise; it is in the part.
        strategy: by which sources were found, one of `Lookups.strategies`.
        confidence: that they hold the answer, one of `lookups.BANDS`.
    """

    task: str = ""
    begin: str = ""
    end: str = ""
    strategy: str = ""
    confidence: str = ""

    @property
    def is_whole(self) -> bool:
        """Return whether nothing is left out."""
        return not any(self)


def part(task: str, begin: str, end: str, strategy: str = "", confidence: str = "") -> Part:
    """Return the part that an address names; what is no day is none."""
    return Part(task, _day(begin), _day(end), strategy, confidence)


def _day(text: str) -> str:
    try:
        return str(parse_date(text) or "")
    except ValueError:  # well formed, and no day of any month
        return ""


class View(NamedTuple):
    """The curve of a part with what is drawn beside it; JSON-ready.

    Attributes:
        points: one dict per threshold.
        tasks: small curves of the task types with most rated pairs.
        rug: scores of rated pairs.
        n_frame, n_rated: pairs of the part, and the rated ones that count.
        n_other_tasks: task types without a small curve.
        n_cost_unknown: pairs that no cost rests on.
        n_days: full days that money a month rests on.
        requests_a_month: that the pairs of the part stand for; None without full days.
    """

    points: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    rug: charts.Rug
    n_frame: int
    n_rated: int
    n_other_tasks: int
    n_cost_unknown: int
    n_days: int
    requests_a_month: float | None


def view(study: Study, estimate: Estimate, chosen: Part) -> View:
    """Return what is drawn of a part, made once for the same inputs."""
    return _view(study, study.loss, estimate.kind, estimate.moment, estimate.inputs_sha256, chosen)


@lru_cache(maxsize=32)
def _view(study: Study, loss: str, kind: str, moment: Moment, _sha256: str, chosen: Part) -> View:
    found = _by_loss(study, loss, kind, moment)
    keep = _kept(study, found, chosen, moment)
    part_of = found if keep is None else _only(found, keep)
    result = estimation.curve_of(part_of, estimation.grid(study))
    money, tasks = _money(part_of, result.thresholds, result.level), _tasks(study, part_of)
    return View(
        points=_points(result, money, _band(part_of, result), _adequate(part_of, result)),
        tasks=tasks,
        rug=_rug(part_of),
        n_frame=part_of.rated.size,
        n_rated=int(part_of.rated.sum()),
        n_other_tasks=np.unique(part_of.frame.task).size - len(tasks),
        n_cost_unknown=int(result.n_cost_unknown[0]) if result.thresholds.size else 0,
        n_days=money.n_days,
        requests_a_month=_requests_a_month(part_of, money.n_days),
    )


class Routed(NamedTuple):
    """What thresholds by task type route and save; None where it is not known.

    Attributes:
        cheap_share: of the traffic.
        month_usd: that a month saves, with its interval.
    """

    cheap_share: float | None
    month_usd: float | None
    month_usd_low: float | None
    month_usd_high: float | None


def routed(study: Study, estimate: Estimate, thresholds: Mapping[str, float]) -> Routed:
    """Return what thresholds by task type route and save; other types stay with EXPENSIVE."""
    named = tuple(sorted(thresholds.items()))
    return _routed(study, estimate.kind, estimate.moment, estimate.inputs_sha256, named)


@lru_cache(maxsize=32)
def _routed(
    study: Study, kind: str, moment: Moment, _sha256: str, named: tuple[tuple[str, float], ...]
) -> Routed:
    found = choice.sided(estimation.rows(study, kind, moment), Thresholds(0.0, dict(named)))
    month = _money(found, choice.BETWEEN, _LEVEL)
    ends = (month.saved, month.interval.low, month.interval.high)
    share = _share(found, found.frame.score < choice.BETWEEN)
    return Routed(short(share), *(short(float(end[0])) for end in ends))


def _by_loss(study: Study, loss: str, kind: str, moment: Moment) -> Rows:
    """Return the rows with what the plan calls a loss in the place of harm."""
    found = estimation.rows(study, kind, moment)
    if loss == Study.Loss.HARM:
        return found
    said = frames.said(study, kind, moment.verdict_id, found.frame)
    return found._replace(frame=found.frame._replace(harm=inputs.loss(said, loss)))


def _band(found: Rows, result: Curve) -> Band:
    """Return the band over all thresholds at once."""
    found = _only(found, np.argsort(found.frame.order, kind="stable"))
    frame = found.frame
    columns = rows.Rows(
        score=frame.score,
        pi=_reach(found) * frame.pi,
        rated=found.rated & ~np.isnan(frame.harm),
        loss=frame.harm,
        traffic=1 / frame.rate,
    )
    return bands.degradation(columns, result.thresholds, delta=1 - result.level)


def _reach(found: Rows) -> float:
    """Return how far into the queue ratings count: the chance of a drawn pair to be among them."""
    frame = found.frame
    place = np.where(frame.pi > 0, frame.u / np.where(frame.pi > 0, frame.pi, 1.0), np.inf)
    gap = np.min(place[frame.selected & ~found.rated], initial=1.0)
    # Imported labels came in no order of the queue: all count, wherever they stand.
    return 1.0 if (place[found.rated] >= gap).any() else float(gap)


def _kept(study: Study, found: Rows, chosen: Part, moment: Moment) -> np.ndarray | None:
    """Return which rows are in the part: (N,), or None for all."""
    if chosen.is_whole:
        return None
    keep = np.ones(found.rated.size, dtype=bool)
    if chosen.task:
        keep &= found.frame.task == _code(chosen.task)
    if chosen.begin:
        keep &= found.frame.received_at >= _midnight(chosen.begin)
    if chosen.end:
        keep &= found.frame.received_at < _midnight(chosen.end, days=1)
    if chosen.strategy or chosen.confidence:
        looked_up = lookups.of_rows(study, moment.draw_id, found.frame)
        keep &= lookups.fits(looked_up, chosen.strategy, chosen.confidence)
    return keep


def _code(task: str) -> int:
    """Return the number of a task type, or one that no row has."""
    names = frames.task_names()
    return names.index(task) if task in names else -1


def _midnight(day: str, days: int = 0) -> float:
    moment = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return (moment + timedelta(days=days)).timestamp()


def _only(found: Rows, keep: np.ndarray) -> Rows:
    """Return some of the rows: those that are marked, or those at places, in their order."""
    frame = type(found.frame)(*(column[keep] for column in found.frame))
    return found._replace(frame=frame, rated=found.rated[keep])


def _money(found: Rows, thresholds: np.ndarray, level: float) -> daily.Month:
    """Return what a month saves; where no cost is known, from no days."""
    frame = found.frame
    saved = (frame.cost_expensive - frame.cost_cheap) / frame.rate
    asking = (frame.cost_expensive - frame.cost_baseline) / frame.rate
    some = slice(0, 0) if np.isnan(saved).all() else slice(None)
    at, score = frame.received_at[some], frame.score[some]
    return daily.per_month(at, score, saved[some], thresholds, level, asking[some])


def _adequate(found: Rows, result: Curve) -> np.ndarray:
    """Return how many rated pairs below each threshold most raters call good enough: (T,)."""
    frame = found.frame
    fits = found.rated & (frame.adequate > 0.5)
    return np.searchsorted(np.sort(frame.score[fits]), result.thresholds, side="left")


def _requests_a_month(found: Rows, n_days: int) -> float | None:
    """Return the requests of the full days, scaled to a month."""
    if n_days < daily.FEWEST_DAYS:
        return None
    at = found.frame.received_at
    is_full = at < at.min() + n_days * daily.DAY_S
    return float((1 / found.frame.rate[is_full]).sum()) * daily.DAYS_A_MONTH / n_days


def _points(
    result: Curve, money: daily.Month, band: Band, adequate: np.ndarray
) -> list[dict[str, Any]]:
    """Return the curve's points with money, chance and a perfect router."""
    points = as_points(result)
    random, oracle = _lines(result)
    columns = {
        "band_low": band.low,
        "band_high": band.high,
        "random": random,
        "oracle": oracle,
        "month_usd": money.saved,
        "month_usd_low": money.interval.low,
        "month_usd_high": money.interval.high,
    }
    for place, point in enumerate(points):
        point |= {name: float(column[place]) for name, column in columns.items()}
        point["adequate"] = int(adequate[place])
    return [{name: short(value) for name, value in point.items()} for point in points]


def _lines(result: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Return what a router by chance, and one that knows the harm, would make worse: (T,) each.

    Both route as much cheap as the curve does. They rest on what everything cheap would break, so
    a study that never draws the highest scores has neither.
    """
    if not result.thresholds.size or result.thresholds[-1] <= 1:
        unknown = np.full(result.thresholds.size, np.nan)
        return unknown, unknown
    share, everything = result.cheap_share, result.degradation[-1]
    random = share * everything / share[-1] if share[-1] > 0 else np.full(share.size, np.nan)
    return random, np.maximum(share - (share[-1] - everything), 0)


def short(value: Any) -> Any:
    """Return a float to six digits, None for nan, and anything else as it is."""
    if not isinstance(value, float):
        return value
    return None if np.isnan(value) else float(f"{value:.6g}")


def _rug(found: Rows) -> charts.Rug:
    frame = found.frame
    said = found.rated & ~np.isnan(frame.harm) & ~np.isnan(frame.score)
    in_turn = np.argsort(frame.u / np.where(frame.pi > 0, frame.pi, 1.0), kind="stable")
    in_turn = in_turn[said[in_turn]]
    is_worse = frame.harm[in_turn] > 0
    score = frame.score[in_turn]
    return charts.Rug(*(_ticks(score[mask]) for mask in (is_worse, ~is_worse)))


def _ticks(scores: np.ndarray) -> list[float]:
    return [round(float(score), 4) for score in scores[:MOST_TICKS]]


def _tasks(study: Study, found: Rows) -> list[dict[str, Any]]:
    """Return a small curve of each of the task types with most rated pairs."""
    codes = found.frame.task
    n_rated = np.bincount(codes[found.rated], minlength=1)
    present = [int(code) for code in np.argsort(-n_rated, kind="stable") if n_rated[code]]
    curves = [_task(study, found, code) for code in present[:MOST_TASKS]]
    return sorted(curves, key=lambda one: one["name"])


def _task(study: Study, found: Rows, code: int) -> dict[str, Any]:
    mask = found.frame.task == code
    result = estimation.curve_of(_only(found, mask), estimation.grid(study))
    points = as_points(result)
    return {
        "name": frames.task_names()[code],
        "n_frame": int(mask.sum()),
        "n_rated": int((mask & found.rated).sum()),
        "share": short(_share(found, mask)),
        **{name: [short(point[name]) for point in points] for name in _OF_TASK},
    }


def _share(found: Rows, mask: np.ndarray) -> float:
    """Return the share of the traffic that rows are; nan without any."""
    traffic = 1 / found.frame.rate
    return float(traffic[mask].sum() / traffic.sum()) if traffic.size else float("nan")
