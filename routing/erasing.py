"""Delete everything about one end user of a project: rows, journals, and replies kept in Redis.

What was on its way meanwhile, such as the journal of a process that cannot reach Postgres, is
deleted when it arrives: `again` looks for a month. What other things learnt stays in them: a
router's weights, sums by the hour, figures of a certificate.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import redis
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from routing import idempotency, journal, privacy, recording, records, usage
from routing.models import Erasure, Project, Request

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = logging.getLogger(__name__)

_BATCH = 200
_LOOK_AGAIN = timedelta(days=30)


def forget(project: Project, named: str, by: User | None) -> Erasure:
    """Delete what is known of an end user, and write that it was done; again: what came since.

    Batches of rows are transactions of their own: stopped amid them, it can be run again. The
    erasure names the user by their hash.

    Args:
        project: whose end user.
        named: as clients named them.
        by: who asks, None for the command.

    Raises:
        ValueError: when nobody is named.
    """
    if not named.strip():
        raise ValueError("Name the end user, as your application does in its requests.")
    end_user = privacy.end_user(project.pk, named)
    counts = Counter({"journals": _replay_orphans()})
    counts.update(_rows(_requests(project, end_user) | _older(project, named)))
    counts.update(refused=_refused(project, end_user), replies=_replies(project, end_user))
    made = {table: n for table, n in sorted(counts.items()) if n and table != "journals"}
    return Erasure.objects.create(project=project, end_user=end_user, counts=made, made_by=by)


def again() -> int:
    """Delete what came late of those who were forgotten within a month; return how many rows."""
    n = 0
    recent = Erasure.objects.filter(created_at__gte=timezone.now() - _LOOK_AGAIN)
    for one in recent.select_related("project"):
        late = _requests(one.project, one.end_user).filter(received_at__lte=one.created_at)
        n += sum(_rows(late).values()) + _refused(one.project, one.end_user)
    return n


def _requests(project: Project, end_user: str) -> QuerySet[Request]:
    return Request.objects.filter(project=project, end_user=end_user)


def _older(project: Project, named: str) -> QuerySet[Request]:
    """Return the requests that were stored before end users were told apart by a hash."""
    said = Q(payload__metadata__user_id=named) | Q(metadata__user_id=named)
    said |= Q(payload__user=named) | Q(payload__safety_identifier=named)
    return Request.objects.filter(said, project=project, end_user="")


def _rows(requests: QuerySet[Request]) -> Counter[str]:
    """Delete requests with all that refers to them, ratings included; return rows by table."""
    counts: Counter[str] = Counter()
    if requests.exists():
        usage.roll()  # what is deleted has been counted
    while ids := list(requests.values_list("pk", flat=True)[:_BATCH]):
        with transaction.atomic():
            counts.update(Request.objects.filter(pk__in=ids).delete()[1])
    return counts


def _replay_orphans() -> int:
    """Write what dead processes left in their journals: then it can be deleted like the rest."""
    n = 0
    for orphan in journal.orphans(settings.SHADOWEVAL_JOURNAL_DIR):
        try:
            waiting = orphan.records()
            while group := list(islice(waiting, _BATCH)):
                records.store(group)
                n += len(group)
        except BaseException:
            orphan.release()
            raise
        orphan.remove()
    return n


def _refused(project: Project, end_user: str) -> int:
    mine = (project.pk, end_user)
    found = [
        path
        for path, said in recording.refused()
        if (said.get("project_id"), said.get("end_user")) == mine
    ]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def _replies(project: Project, end_user: str) -> int:
    """Delete the replies that idempotency keys hold for a day; with Redis away they end alone."""
    keys = list(project.api_keys.values_list("pk", flat=True))
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
            return sum(idempotency.forget(client, key_id, end_user) for key_id in keys)
    except redis.RedisError as exc:
        log.warning("replies kept for idempotency keys were not deleted: %s", type(exc).__name__)
        return 0
