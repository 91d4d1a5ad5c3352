"""Delete old requests with all that belongs to them, in batches, for as long as there are any.

Why rows are deleted and tables are not partitioned: docs/adr/0014-retention-not-partitions.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Exists, QuerySet
from django.utils import timezone

from routing import collections, recording, usage
from routing.models import (
    ChallengerScore,
    Completion,
    Decision,
    Feedback,
    Project,
    RepeatPair,
    Request,
    Retrieval,
    RetrievalPair,
    ShadowJob,
    ShadowPair,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BATCH = 2_000
_BUDGET_S = 20.0
#: What was found to be kept is looked at again after a day: its study may be gone by then.
_REMEMBERED_S = 86_400
#: What goes with a request, in the order of foreign keys.
_WITH_REQUEST = (
    Feedback, ChallengerScore, RepeatPair, RetrievalPair, ShadowPair, ShadowJob, Completion,
    Retrieval, Decision,
)  # fmt: skip

_kept: list[Callable[[], Exists]] = []


def keep(condition: Callable[[], Exists]) -> None:
    """Keep the requests for which this holds, whatever their age.

    For packages that build upon routing: their rows refer to pairs, and routing knows none of them.
    """
    _kept.append(condition)


def run(budget_s: float = _BUDGET_S, now: datetime | None = None) -> bool:
    """Delete until nothing old is left, or the time is over; return whether there may be more.

    Each batch is a transaction of its own: safe to stop at any moment, and to run twice at once.
    """
    end = time.monotonic() + budget_s
    usage.roll()  # what is deleted has been counted
    everywhere = _before(settings.SHADOWEVAL_RETENTION_DAYS, now)
    if everywhere is not None:
        collections.purge(everywhere)
    for project in Project.objects.order_by("pk"):
        before = cutoff(project, now)
        if before is not None:
            _delete_refused(project, before)
        while before is not None and _delete_batch(project, before):
            if time.monotonic() >= end:
                return True
    return False


def cutoff(project: Project, now: datetime | None = None) -> datetime | None:
    """Return the moment before which a project's requests are deleted; None when all are kept."""
    days = project.retention_days
    return _before(settings.SHADOWEVAL_RETENTION_DAYS if days is None else days, now)


def _before(days: int, now: datetime | None) -> datetime | None:
    return (now or timezone.now()) - timedelta(days=days) if days else None


def due(project: Project, before: datetime) -> QuerySet[Request]:
    """Return the project's requests that may go."""
    old = Request.objects.filter(project=project, received_at__lt=before)
    for condition in _kept:
        old = old.filter(~condition())
    return old


def _delete_refused(project: Project, before: datetime) -> None:
    """Delete the files of old records that Postgres would not take."""
    for path, said in recording.refused():
        at = str(said.get("received_at", ""))
        if said.get("project_id") == project.pk and at and datetime.fromisoformat(at) < before:
            path.unlink(missing_ok=True)


def _delete_batch(project: Project, before: datetime) -> bool:
    """Look at the oldest requests not looked at yet, and delete those that may go.

    Returns:
        Whether there was anything to look at.
    """
    place = f"retention:{project.pk}"
    old = Request.objects.filter(project=project, received_at__lt=before)
    # Each pass ends after a day: what was kept then may go now. Numbers, as all else is pickled.
    is_new_pass = cache.add(f"{place}:pass", 1, _REMEMBERED_S)
    since_us: int | None = None if is_new_pass else cache.get(place)
    if since_us is not None:
        old = old.filter(received_at__gt=_EPOCH + timedelta(microseconds=since_us))
    seen = list(old.order_by("received_at").values_list("received_at", "pk")[:_BATCH])
    if not seen:
        return False
    with transaction.atomic():
        mine = due(project, before).filter(pk__in=[pk for _, pk in seen])
        locked = mine.select_for_update(skip_locked=True, of=("self",))
        _delete(list(locked.values_list("pk", flat=True)))
    cache.set(place, (seen[-1][0] - _EPOCH) // timedelta(microseconds=1), _REMEMBERED_S)
    return True


def _delete(ids: list[UUID]) -> None:
    with connection.cursor() as cursor:
        for model in _WITH_REQUEST:
            cursor.execute(
                f"DELETE FROM {model._meta.db_table} WHERE request_id = ANY (%s)",  # noqa: S608
                [ids],
            )
        cursor.execute("DELETE FROM routing_request WHERE id = ANY (%s)", [ids])
