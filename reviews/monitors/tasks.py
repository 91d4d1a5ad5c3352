"""Whether task types come in the shares that they had in the study's window."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from django.db.models import Count

from reviews.monitors.base import YOUNG, Monitor, Row, Seen, nothing, said
from reviews.monitors.shares import newest
from reviews.monitors.watched import Watched
from reviews.stats import watch

_MOST_ROWS = 20


def read(watched: Watched) -> Seen:
    """Compare how often each task type came in the last seven days."""
    if watched.reference is None:
        return nothing("The evidence of this sign-off kept no task types.")
    if not watched.has_week:
        return nothing(YOUNG)
    before, now = _before(watched), _now(watched)
    signal = watch.tasks(before, now)
    return Seen(signal, _sentence(signal, before, now), _rows(before, now), "share")


def typical(watched: Watched) -> list[UUID]:
    """Return the newest requests of the task type that grew the most."""
    grown = _grown(_before(watched), _now(watched))
    return newest(watched.decided(watched.week).filter(request__task=grown))


def _before(watched: Watched) -> Counter[str]:
    assert watched.reference is not None, "it was read"
    return Counter(watched.reference.task.tolist())


def _now(watched: Watched) -> Counter[str]:
    rows = watched.decided(watched.week).values_list("request__task")
    return Counter(dict(rows.annotate(n=Count("pk"))))


def _share(counts: Counter[str], task: str) -> float:
    return counts[task] / max(counts.total(), 1)


def _grown(before: Counter[str], now: Counter[str]) -> str:
    return max(now, key=lambda task: _share(now, task) - _share(before, task), default="")


def _rows(before: Counter[str], now: Counter[str]) -> list[Row]:
    known = [task for task, _ in (before + now).most_common(_MOST_ROWS)]
    return [Row(task, _share(before, task), _share(now, task)) for task in known]


def _sentence(signal: watch.Signal, before: Counter[str], now: Counter[str]) -> str:
    n = f"{signal.n:,} requests of the last seven days"
    task = _grown(before, now)
    moved = f"{signal.value or 0:.1%} of the traffic changed its task type"
    grown = f"{task} is {_share(now, task):.1%}, and was {_share(before, task):.1%}"
    return said(
        signal,
        f"{n} were decided by score: too few to compare their task types.",
        f"{moved}: {grown} ({n}).",
        f"{moved}, as chance and small changes do ({n}).",
    )


MONITOR = Monitor(
    "tasks", "Task types",
    "The shares of task types in the last seven days against those of the study’s window.",
    "The part of the traffic that moved from one task type to another.",
    read, typical,
)  # fmt: skip
