"""How many rows are stored, without counting them, and how far shadow work is behind.

Triggers keep the counts in the transactions that write (`routing.models.count`): they are exact
for whoever reads what is committed. What is read here are some dozens of rows, whatever is stored.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db.models import QuerySet, Sum
from django.utils import timezone

from routing.models import Project, ShadowJob, StoredCount

_SUBJECTS = StoredCount.Subject


class Jobs(NamedTuple):
    """How many shadow jobs are in a state for one reason; "" where there is none."""

    state: str
    reason: str
    n: int


class Requests(NamedTuple):
    """How many decided requests went to a tier for one reason."""

    tier: str
    reason: str
    n: int


def requests(project: Project | None = None) -> int:
    """Return how many requests with a decision are stored; of all projects when None."""
    return sum(row.n for row in by_reason(project))


def by_tier(project: Project | None = None) -> dict[str, int]:
    """Return how many requests went to each tier that got any."""
    tiers: dict[str, int] = {}
    for row in by_reason(project):
        tiers[row.tier] = tiers.get(row.tier, 0) + row.n
    return tiers


def by_reason(project: Project | None = None) -> list[Requests]:
    """Return how many requests went where and why."""
    return [Requests(*row) for row in _rows(project, _SUBJECTS.REQUEST)]


def jobs(project: Project | None = None) -> list[Jobs]:
    """Return the shadow jobs by state and by what stands before their reason's colon."""
    return [Jobs(*row) for row in _rows(project, _SUBJECTS.JOB)]


def pairs(project: Project | None = None) -> int:
    """Return how many pairs are stored."""
    return sum(n for *_, n in _rows(project, _SUBJECTS.PAIR))


def backlog(project: Project | None = None) -> int:
    """Return how many shadow jobs are not at their end: waiting, or with a worker."""
    return sum(row.n for row in jobs(project) if row.state in ShadowJob.OPEN)


def lag_s(project: Project | None = None, now: datetime | None = None) -> float | None:
    """Return for how many seconds the oldest due job has waited; None when none is due.

    A job that backs off is not due before its next attempt.
    """
    now = now or timezone.now()
    due = ShadowJob.objects.filter(state=ShadowJob.State.PENDING, not_before__lte=now)
    if project is not None:
        due = due.filter(project=project)
    oldest = due.order_by("not_before").values_list("not_before", flat=True).first()
    return None if oldest is None else (now - oldest).total_seconds()


def _rows(project: Project | None, subject: str) -> QuerySet[StoredCount, tuple[str, str, int]]:
    rows = StoredCount.objects.filter(subject=subject)
    if project is not None:
        rows = rows.filter(project_id=project.pk)
    summed = rows.values("name", "detail").annotate(total=Sum("n")).exclude(total=0)
    return summed.order_by("name", "detail").values_list("name", "detail", "total")
