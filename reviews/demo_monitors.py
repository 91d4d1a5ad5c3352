"""The demo's monitors: three made-up weeks after go-live, in which one task type grows.

Nothing in the demo is live, so that these readings are of no sign-off.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone

from reviews import monitoring, monitors, sampling
from reviews.models import Alarm, Reading
from reviews.monitors import Seen
from reviews.monitors.base import MOST_TYPICAL, Row, nothing
from reviews.stats import watch
from reviews.stats.watch import Level, Signal
from routing.models import Project, Request

_DAYS = 21
_DAY = timedelta(days=1)
_BINS = [f"{n / 10:.1f} to {(n + 1) / 10:.1f}" for n in range(10)]
_TASKS = {
    "factual": 0.37, "writing": 0.15, "coding": 0.15, "math": 0.14, "reasoning": 0.11, "chat": 0.08,
}  # fmt: skip
#: From this day on this type takes so much more of the traffic each day.
_GROWN, _SINCE, _STEP = "coding", 14, 0.02


class _Told(NamedTuple):
    """What one monitor of the demo says while nothing changes: about what, and its limits."""

    value: float
    spread: float
    warns: float
    alarms: float
    n: int
    sentence: str


_TOLD = {
    "scores": _Told(0.03, 0.4, 0.1, 0.25, 2100, "Scores are spread as in the study."),
    "cheap_share": _Told(
        1.2, 0.6, 5, 8, 300, "As many requests go to the cheap tier as in the study."
    ),
    "tasks": _Told(0.015, 0.4, 0.05, 0.1, 2100, "Task types come as in the study."),
    "embeddings": _Told(
        0.51, 0.04, 0.55, 1, 500, "No classifier tells new questions from the study’s."
    ),
    "cost": _Told(0.9, 0.6, 5, 8, 300, "A request costs what it did in the study."),
    "models": _Told(0, 0, 0, 0, 300, "The models that answer are those of the study."),
}
#: What there is nothing of in the demo.
_QUIET = {
    "living": "There is no living sample of this sign-off.",
    "escalations": "This router asks nobody before it decides, so that nothing is escalated.",
    "prices": "No usage export of these weeks says what the provider charged.",
    "judge": "No judge of the study compares answers of the living sample.",
}


def write(project: Project) -> None:
    """Write readings of three weeks up to the last midnight, and the alarm that they open."""
    last = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    ends = [last - (_DAYS - 1 - day) * _DAY for day in range(_DAYS)]
    for one in monitors.ALL:
        if one.name in _TOLD:
            _write(project, one.name, ends)
        else:
            _write_quiet(project, one.name, last)


def _write(project: Project, name: str, ends: Sequence[datetime]) -> None:
    seen = [_seen(name, day, ends) for day in range(_DAYS)]
    Reading.objects.bulk_create(
        Reading(
            project=project, monitor=name, at=at, level=one.signal.level.value,
            value=one.signal.value, limit=one.signal.limit, n=one.signal.n, detail=one.as_json(),
        )
        for at, one in zip(ends, seen, strict=True)
    )  # fmt: skip
    events = watch.fold([one.signal.level for one in seen], watch.rule_of(name))
    if events:
        _open(project, name, events, seen[-1], ends)


def _write_quiet(project: Project, name: str, at: datetime) -> None:
    seen = nothing(_QUIET[name])
    Reading.objects.create(
        project=project, monitor=name, at=at, level=seen.signal.level.value, n=0,
        detail=seen.as_json(),
    )  # fmt: skip


def _open(
    project: Project, name: str, events: list[watch.Event], seen: Seen, ends: Sequence[datetime]
) -> None:
    task = Request.objects.filter(project=project, task=_GROWN).order_by("-received_at")
    Alarm.objects.create(
        project=project, monitor=name, level=events[-1].level.value, sentence=seen.sentence,
        figures=monitoring.figures(seen),
        examples=list(task.values_list("pk", flat=True)[:MOST_TYPICAL]),
        opened_at=ends[events[0].index], last_at=ends[-1],
    )  # fmt: skip


def _seen(name: str, day: int, ends: Sequence[datetime]) -> Seen:
    told = _TOLD[name]
    more = _STEP * max(day - _SINCE, 0) if name == "tasks" else 0.0
    value = told.value * (1 + told.spread * (2 * sampling.uniform(name, day) - 1)) + more
    signal = Signal(value, told.warns, _level(value, told), told.n)
    text = told.sentence if signal.level == Level.OK else _grown(value, more)
    rows, unit = _rows(name, day, more, ends)
    return Seen(signal, text, rows, unit, is_by_day=name in ("cheap_share", "cost"))


def _level(value: float, told: _Told) -> Level:
    if value <= told.warns:
        return Level.OK
    return Level.ALARM if value > told.alarms else Level.WARN


def _grown(value: float, more: float) -> str:
    was = _TASKS[_GROWN]
    moved = f"{value:.1%} of the traffic changed its task type"
    return f"{moved}: {_GROWN} is {was + more:.1%}, and was {was:.1%}."


def _rows(name: str, day: int, more: float, ends: Sequence[datetime]) -> tuple[list[Row], str]:
    """Return the picture of a day: how it was in the study, and how it is."""
    if name == "scores":
        return [Row(one, 0.1, 0.08 + 0.04 * sampling.uniform(one, day)) for one in _BINS], "share"
    if name == "tasks":
        return [Row(task, was, _now(task, was, more)) for task, was in _TASKS.items()], "share"
    if name in ("cheap_share", "cost"):
        was, unit = (0.42, "share") if name == "cheap_share" else (0.0031, "usd")
        days = [f"{at - _DAY:%Y-%m-%d}" for at in ends[: day + 1]]
        return [Row(at, was, was * (0.94 + 0.12 * sampling.uniform(name, at))) for at in days], unit
    return [], ""


def _now(task: str, was: float, more: float) -> float:
    return was + more if task == _GROWN else was - more / (len(_TASKS) - 1)
