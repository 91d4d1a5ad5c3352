"""Shadow jobs: claimed by workers, recovered when a worker died, completed to pairs.

The jobs table is the queue. A claim is one locked UPDATE that takes of each lane (who is asked)
what it has room for; the calls run outside any transaction (shifts.py), their outcomes are written
in groups (outcomes.py). A killed worker loses at most the calls in flight, which others take up
when the lease ends.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from routing import loaded, policy, privacy, redaction, spend, tracing
from routing.models import Completion, Decision, Request, ShadowJob, ShadowPair
from routing.shadowjob import Job
from routing.types import Reason, Tier

log = logging.getLogger(__name__)

_STATES = ShadowJob.State
#: Longer than a call may take, by what writing its outcome may take while the database is away.
LEASE_MARGIN_S = 60
#: Begin reasons of failures that are our own: they say nothing of the model that was to answer.
OURS = ("worker_lost", "not_readable", "not_stored", "router_not_loaded", "router_error")
#: Where a router that asks first would have seen CHEAP's answer at a higher threshold.
_UNSEEN = (Reason.AT_OR_ABOVE_THRESHOLD, Reason.FALLBACK)
#: What the line adds that the cheap model is asked for.
_ADDED_BYTES = 4_000
_DEADLINE = "deadline: waited too long for a worker or the provider"
#: Jobs that wait for money held by calls in flight are looked at again after this.
_MONEY_WAIT_S = 10.0
#: One claim looks this long for jobs that can be paid.
_LOOK_S = 1.0

# The lanes that have jobs are found by skipping through the index, one probe a lane, so that jobs
# of a closed lane are never read, however many they are. Lanes take turns by chance: when the
# process has little room, none waits behind another for ever.
_TAKE = """
WITH RECURSIVE lanes(name) AS (
    (SELECT lane FROM routing_shadowjob WHERE state = 'pending' ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT lane FROM routing_shadowjob
            WHERE state = 'pending' AND lane > lanes.name ORDER BY lane LIMIT 1)
    FROM lanes WHERE lanes.name IS NOT NULL
), open_lanes AS (
    SELECT lanes.name, COALESCE(told.room, %(others)s) AS room
    FROM lanes LEFT JOIN unnest(%(names)s::text[], %(rooms)s::int[]) AS told(name, room)
        ON told.name = lanes.name
    WHERE lanes.name IS NOT NULL AND COALESCE(told.room, %(others)s) > 0
    ORDER BY random()
), due AS (
    SELECT job.id FROM open_lanes CROSS JOIN LATERAL (
        SELECT id FROM routing_shadowjob
        WHERE state = 'pending' AND lane = open_lanes.name AND not_before <= %(now)s
        ORDER BY not_before, id LIMIT open_lanes.room FOR UPDATE SKIP LOCKED
    ) AS job LIMIT %(limit)s
)
UPDATE routing_shadowjob SET
    state = CASE WHEN created_at < %(deadline)s THEN 'skipped' ELSE 'running' END,
    reason = CASE WHEN created_at < %(deadline)s THEN %(overdue)s ELSE reason END,
    finished_at = CASE WHEN created_at < %(deadline)s THEN %(now)s END,
    lease_until = CASE WHEN created_at < %(deadline)s THEN NULL ELSE %(lease)s END,
    attempts = attempts + CASE WHEN created_at < %(deadline)s THEN 0 ELSE 1 END
WHERE id = ANY(ARRAY(SELECT id FROM due))
RETURNING id, request_id, project_id, purpose, tier, rate, attempts, lease_until, state
"""
_READ = """
SELECT request.id, request.wire, request.payload::text, request.headers::text, request.url_query,
    request.task, decision.policy_id, decision.score, decision.reason, decision.probe_usd,
    decision.probe_ms, project.shadow_daily_usd, project.keeps, project.redactions::text
FROM routing_request AS request
JOIN routing_decision AS decision ON decision.request_id = request.id
JOIN routing_project AS project ON project.id = request.project_id
WHERE request.id = ANY(%s)
"""


def claim(
    limit: int, rooms: Mapping[str, int] | None = None, others: int | None = None
) -> list[Job]:
    """Take up to `limit` due jobs, oldest first; another runner never gets the same.

    Writes in one transaction: jobs taken, jobs past their deadline ended, money reserved, jobs
    without money ended or put off.

    Args:
        limit: of all lanes together.
        rooms: how many jobs of a lane may be taken; 0 leaves it alone.
        others: the same for lanes not named there.
    """
    give_up = time.monotonic() + _LOOK_S
    while True:
        with transaction.atomic():
            taken = _take(limit, rooms or {}, limit if others is None else others)
            read = _read([row for row in taken if row[-1] == _STATES.RUNNING])
            jobs = _with_money(_with_routers(_kept(read)))
        if jobs or not taken or time.monotonic() > give_up:
            return jobs


def _take(limit: int, rooms: Mapping[str, int], others: int) -> list[tuple[Any, ...]]:
    now = timezone.now()
    lease_s = settings.SHADOWEVAL_SHADOW_TIMEOUT_S + LEASE_MARGIN_S
    said: dict[str, Any] = {
        "names": list(rooms),
        "rooms": list(rooms.values()),
        "others": others,
        "limit": limit,
        "now": now,
        "deadline": _deadline(now),
        "lease": now + timedelta(seconds=lease_s),
        "overdue": _DEADLINE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, said)
        return cursor.fetchall()


def _deadline(now: datetime) -> datetime:
    """Return when a job must have been written: a baseline asked days later is no baseline."""
    return now - timedelta(seconds=settings.SHADOWEVAL_SHADOW_DEADLINE_S)


def _read(taken: Sequence[tuple[Any, ...]]) -> list[Job]:
    """Return the jobs with their requests; one that cannot be read fails, and no other."""
    if not taken:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_READ, [[row[1] for row in taken]])
        requests = {row[0]: row[1:] for row in cursor.fetchall()}
    jobs = []
    for row in taken:
        try:
            jobs.append(_job(row, requests[row[1]]))
        except (LookupError, TypeError, ValueError) as exc:
            log.error("shadow job %s cannot be read: %s", row[0], type(exc).__name__)
            unreadable = ShadowJob.objects.filter(pk=row[0])
            end(unreadable, _STATES.FAILED, f"not_readable: {type(exc).__name__}")
    return jobs


def _job(taken: tuple[Any, ...], row: tuple[Any, ...]) -> Job:
    pk, request_id, project_id, purpose, tier, rate, attempts, lease_until, _ = taken
    *request, keeps, redactions = row
    wire, payload, headers, url_query, task, policy_id, score, reason, *probe, cap_usd = request
    sent = json.loads(headers)
    terms = policy.terms(policy_id)
    return Job(
        pk=pk,
        request_id=request_id,
        project_id=project_id,
        purpose=purpose,
        tier=Tier(tier),
        rate=rate,
        attempts=attempts,
        lease_until=lease_until,
        spec=terms.spec(Tier(tier)),
        terms=terms,
        wire=wire,
        payload=json.loads(payload),
        payload_bytes=len(payload.encode()),
        traceparent=sent.pop(tracing.HEADER, ""),
        headers=sent,
        url_query=url_query,
        task=task,
        score=score,
        cap_usd=cap_usd,
        reason=reason,
        probe_usd=probe[0],
        probe_ms=probe[1],
        keeping=privacy.read(keeps, redactions),
    )


def _kept(jobs: list[Job]) -> list[Job]:
    """Return the jobs whose answers may be stored; its project may have changed its mind."""
    gone = [job.pk for job in jobs if job.keeping and job.keeping.keeps == redaction.NOTHING]
    if gone:
        end(_unasked(gone), _STATES.SKIPPED, redaction.NOT_KEPT)
    return [job for job in jobs if job.pk not in gone]


def _with_routers(jobs: list[Job]) -> list[Job]:
    """Return the jobs, with the router where it is to judge; one that cannot be had fails its job.

    A pair whose answer was not judged would have a wrong score.
    """
    kept = [found for job in jobs if (found := _with_router(job)) is not None]
    asking = [job.request_id for job in kept if job.asking is not None]
    if not asking:
        return kept
    queries = dict(Request.objects.filter(pk__in=asking).values_list("pk", "query"))
    return [replace(job, query=queries.get(job.request_id, "")) for job in kept]


def _with_router(job: Job) -> Job | None:
    if job.tier is not Tier.CHEAP or job.reason not in _UNSEEN:
        return job
    try:
        return replace(job, asking=loaded.asking(job.terms.router_id))
    except (OperationalError, InterfaceError):
        raise
    except Exception as exc:
        log.error("the router of shadow job %s: %s", job.pk, type(exc).__name__)
        reason = f"router_not_loaded: {type(exc).__name__}"
        end(ShadowJob.objects.filter(pk=job.pk), _STATES.FAILED, reason)
        return None


def _with_money(jobs: list[Job]) -> list[Job]:
    """Return the jobs whose call can be paid, with the money held; see `spend.reserve`."""
    wishes = [_wish(job, job.cap_usd) for job in jobs if job.cap_usd is not None]
    if not wishes:
        return jobs
    told = spend.reserve(wishes)
    for reason, pks in told.refused.items():
        end(_unasked(pks), _STATES.SKIPPED, reason)
    _put_off(told.waiting)
    kept = [job for job in jobs if job.cap_usd is None or job.pk in told.holds]
    return [replace(job, hold=told.holds.get(job.pk)) for job in kept]


def _wish(job: Job, cap_usd: Decimal) -> spend.Wish:
    size = job.payload_bytes + (_ADDED_BYTES if job.asking is not None else 0)
    one = spend.wish(job.pk, job.project_id, cap_usd, job.spec, job.payload, size)
    return one if one.most_usd is None else replace(one, most_usd=one.most_usd * job.calls)


def _unasked(pks: Collection[int]) -> QuerySet[ShadowJob]:
    """Return jobs that were claimed, and take back the attempt: nobody was asked."""
    jobs = ShadowJob.objects.filter(pk__in=pks)
    jobs.update(attempts=F("attempts") - 1)
    return jobs


def _put_off(pks: Collection[int]) -> None:
    if pks:
        _unasked(pks).update(
            state=_STATES.PENDING,
            reason="spend_cap: waits for calls under way",
            not_before=timezone.now() + timedelta(seconds=_MONEY_WAIT_S),
            lease_until=None,
        )


def end(jobs: QuerySet[ShadowJob], state: str, reason: str) -> int:
    """End jobs with a reason; return how many."""
    return jobs.update(
        state=state,
        reason=reason[:200],
        finished_at=timezone.now(),
        lease_until=None,
        reserved_usd=0,
        reserved_on=None,
    )


@transaction.atomic
def recover() -> int:
    """Give jobs of workers that died back to the queue; return how many.

    What such a job held stays spent: its call may have been made. Jobs past their deadline end,
    those of closed lanes too.
    """
    now = timezone.now()
    overdue = ShadowJob.objects.filter(state=_STATES.PENDING, created_at__lt=_deadline(now))
    end(overdue, _STATES.SKIPPED, _DEADLINE)
    gone = ShadowJob.objects.filter(state=_STATES.RUNNING, lease_until__lt=now)
    held = list(gone.select_for_update(skip_locked=True).order_by("id"))
    spend.settle([(spend.Hold.of(job), None) for job in held if job.reserved_on is not None])
    abandoned = ShadowJob.objects.filter(pk__in=[job.pk for job in held])
    last = abandoned.filter(attempts__gte=settings.SHADOWEVAL_SHADOW_ATTEMPTS)
    end(last, _STATES.FAILED, "worker_lost: the last attempt never came back")
    return abandoned.filter(state=_STATES.RUNNING).update(
        state=_STATES.PENDING,
        reason="worker_lost",
        not_before=now,
        lease_until=None,
        reserved_usd=0,
        reserved_on=None,
    )


def pair(job: ShadowJob, served: Completion, shadow: Completion) -> ShadowPair:
    """Write the pair of one request, by tier; a second run finds the first one's row."""
    by_tier = {served.tier: served, shadow.tier: shadow}
    decision: Decision = job.request.decision
    row, _ = ShadowPair.objects.get_or_create(
        request_id=job.request_id,
        defaults={
            "project_id": job.project_id,
            "cheap": by_tier[Tier.CHEAP],
            "expensive": by_tier[Tier.EXPENSIVE],
            "score": decision.score,
            "task": job.request.task,
            "router_id": decision.policy.router_id,
            "probe_usd": decision.probe_usd,
            "probe_ms": decision.probe_ms,
            "rate": job.rate,
        },
    )
    return row
