"""Figures of the database, the same from every process; read anew each time.

They fall, too: retention deletes.
"""

from __future__ import annotations

from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from reviews import expiry
from reviews.models import Alarm, JudgeCall, JudgeRun, Notice, Slot, Study, TrainingRun
from routing import counts, policy
from routing.gauges import Figure, Samples
from routing.models import Budget, Project, ShadowSpend, Upload, Usage


def _jobs() -> Samples:
    return {(job.state, job.reason): job.n for job in counts.jobs()}


def _requests() -> Samples:
    return {(row.tier, row.reason): row.n for row in counts.by_reason()}


def _shadow_spend() -> Samples:
    today = ShadowSpend.objects.filter(day=timezone.now().date())
    return _by(today.values_list("project__slug", "usd"))


def _usage() -> Samples:
    """Read the sums of the hours of today, of each project by its index."""
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = Usage.objects.filter(project__in=list(Project.objects.all()), hour__gte=midnight)
    summed = rows.values("project__slug", "kind").annotate(usd=Sum("cost_usd")).order_by()
    return _by(summed.values_list("project__slug", "kind", "usd"))


def _slots() -> Samples:
    """Read how many places for a rating of running studies are in which state."""
    running = Slot.objects.filter(study__state=Study.State.RUNNING, kind=Slot.Kind.SAMPLE)
    names = ("study__project__slug", "study__name", "state")
    return _by(running.values(*names).annotate(n=Count("pk")).order_by().values_list(*names, "n"))


def _alarms() -> Samples:
    names = ("project__slug", "monitor", "level")
    is_open = Alarm.objects.filter(closed_at=None)
    return _by(is_open.values(*names).annotate(n=Count("pk")).order_by().values_list(*names, "n"))


def _expiries() -> Samples:
    """Read when the sign-off of each project's live policy ends."""
    signed = ((row, expiry.signed(row, policy.live(row))) for row in Project.objects.all())
    return {
        (project.slug,): row.expires_at.timestamp()
        for project, row in signed
        if row is not None and row.expires_at is not None
    }


def _judges() -> Samples:
    running = JudgeRun.objects.filter(state=JudgeRun.State.RUNNING)
    names = ("spec__study__project__slug", "spec__model")
    return _by(running.values(*names).annotate(usd=Sum("spent_usd")).values_list(*names, "usd"))


def _waiting() -> Samples:
    return {
        ("judge_calls",): JudgeCall.objects.filter(state=JudgeCall.State.PENDING).count(),
        ("notices",): Notice.objects.filter(state=Notice.State.WAITING).count(),
        ("trainings",): TrainingRun.objects.filter(state=TrainingRun.State.WAITING).count(),
        ("uploads",): Upload.objects.filter(state=Upload.State.WAITING).count(),
    }


def _by(rows: QuerySet[Any, Any]) -> Samples:
    """Return rows whose last column is the figure and the others its labels."""
    return {tuple(map(str, labels)): float(value) for *labels, value in rows}


FIGURES: dict[str, Figure] = {
    "backlog_jobs": Figure("Shadow jobs waiting or with a worker.", lambda: {(): counts.backlog()}),
    "lag_seconds": Figure(
        "How long the oldest due shadow job has waited.", lambda: {(): counts.lag_s() or 0.0}
    ),
    "jobs": Figure("Stored shadow jobs.", _jobs, labels=("state", "reason")),
    "requests": Figure("Stored requests.", _requests, labels=("tier", "reason")),
    "pairs": Figure("Stored pairs.", lambda: {(): counts.pairs()}),
    "shadow_spend_usd": Figure(
        "What shadow calls cost today (UTC) or hold, of projects with a cap.",
        _shadow_spend,
        labels=("project",),
    ),
    "usage_usd": Figure(
        "What calls of today (UTC) cost, as summed by the hour.", _usage, labels=("project", "kind")
    ),
    "budget_usd": Figure(
        "What a project may cost in a month.",
        lambda: _by(Budget.objects.values_list("project__slug", "monthly_usd")),
        labels=("project",),
    ),
    "judge_spent_usd": Figure(
        "What running judges have cost.", _judges, labels=("project", "model")
    ),
    "rating_slots": Figure(
        "Places for one rating of running studies.", _slots, labels=("project", "study", "state")
    ),
    "open_alarms": Figure(
        "Alarms that are not closed.", _alarms, labels=("project", "monitor", "level")
    ),
    "signoff_expires_timestamp_seconds": Figure(
        "When the sign-off of what is live ends.", _expiries, labels=("project",)
    ),
    "waiting": Figure("What waits for a worker beside shadow jobs.", _waiting, labels=("work",)),
}
