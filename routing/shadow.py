"""Shadow calls: claim due jobs, ask the other tier, complete the pair.

The jobs table is the queue. A claim is one locked UPDATE; the calls run outside any transaction;
each outcome is its own transaction, so that a killed worker loses at most the calls in flight,
which others take up when the lease ends.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from routing import pricing, providers
from routing.errors import InvalidRequest, ProviderError, ProviderUnreachable
from routing.models import Completion, Decision, Request, ShadowJob, ShadowPair
from routing.records import completion_fields
from routing.types import DIALECTS, Reply, Tier, TierSpec
from routing.wire import translation

log = logging.getLogger(__name__)

_STATES = ShadowJob.State
_LEASE_MARGIN_S = 60
_FIRST_BACKOFF_S = 2.0
_LONGEST_BACKOFF_S = 600.0


@dataclass(frozen=True)
class Outcome:
    """How one call ended: a reply, or why not and whether another attempt makes sense.

    `is_possible` is False when the tier's API cannot be asked this at all.
    """

    reply: Reply | None = None
    reason: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    is_possible: bool = True


def run(limit: int | None = None) -> int:
    """Claim a batch, ask, and write the outcomes; return how many jobs were claimed.

    Safe to run anywhere, any number of times at once: a job is claimed by one runner only.
    """
    jobs = claim(limit or settings.SHADOWEVAL_SHADOW_CONCURRENCY)
    for job, outcome in _ask_all(jobs):
        _finish_or_fail(job, outcome)
    return len(jobs)


def _finish_or_fail(job: ShadowJob, outcome: Outcome) -> None:
    """Write one outcome; one that cannot be stored fails its own job and nobody else's."""
    try:
        _finish(job, outcome)
    except (OperationalError, InterfaceError):
        raise  # the database is away: the leases end, and others take the jobs up
    except Exception as exc:
        # The text of the error may hold the answer: its name has to do.
        reason = f"not_stored: {type(exc).__name__}"
        log.error("shadow job %s: %s", job.pk, reason)
        mine = ShadowJob.objects.filter(pk=job.pk, state=_STATES.RUNNING, attempts=job.attempts)
        _end(mine, _STATES.FAILED, reason)


def claim(limit: int) -> list[ShadowJob]:
    """Take up to `limit` due jobs, oldest first; another runner never gets the same."""
    now = timezone.now()
    lease_s = settings.SHADOWEVAL_SHADOW_TIMEOUT_S + _LEASE_MARGIN_S
    with transaction.atomic():
        _skip_overdue()
        due = ShadowJob.objects.filter(state=_STATES.PENDING, not_before__lte=now)
        locked = due.select_for_update(skip_locked=True).order_by("not_before", "id")
        ids = list(locked.values_list("id", flat=True)[:limit])
        ShadowJob.objects.filter(id__in=ids).update(
            state=_STATES.RUNNING,
            attempts=F("attempts") + 1,
            lease_until=now + timedelta(seconds=lease_s),
        )
    related = ("request__decision__policy", "request__project")
    return list(ShadowJob.objects.filter(id__in=ids).select_related(*related))


def _skip_overdue() -> None:
    """End jobs that waited past the deadline: a baseline asked days later is no baseline."""
    deadline = timezone.now() - timedelta(seconds=settings.SHADOWEVAL_SHADOW_DEADLINE_S)
    overdue = ShadowJob.objects.filter(state=_STATES.PENDING, created_at__lt=deadline)
    _end(overdue, _STATES.SKIPPED, "deadline: waited too long for a worker or the provider")


def recover() -> int:
    """Give jobs of workers that died back to the queue; return how many."""
    abandoned = ShadowJob.objects.filter(state=_STATES.RUNNING, lease_until__lt=timezone.now())
    spent = abandoned.filter(attempts__gte=settings.SHADOWEVAL_SHADOW_ATTEMPTS)
    _end(spent, _STATES.FAILED, "worker_lost: the last attempt never came back")
    return abandoned.update(
        state=_STATES.PENDING, reason="worker_lost", not_before=timezone.now(), lease_until=None
    )


def _end(jobs: QuerySet[ShadowJob], state: str, reason: str) -> int:
    return jobs.update(
        state=state, reason=reason[:200], finished_at=timezone.now(), lease_until=None
    )


def _ask_all(jobs: list[ShadowJob]) -> Iterator[tuple[ShadowJob, Outcome]]:
    """Ask for all jobs at once and yield each as its answer comes; no database in the threads."""
    with ThreadPoolExecutor(max(len(jobs), 1), "shadow") as pool:
        calls = {pool.submit(_ask, _spec(job), job.request): job for job in jobs}
        for call in as_completed(calls):
            yield calls[call], call.result()


def _spec(job: ShadowJob) -> TierSpec:
    """Return who plays the shadow tier under the policy that decided the request."""
    return job.request.decision.policy.tier_spec(Tier(job.tier))


def _ask(spec: TierSpec, request: Request) -> Outcome:
    """Ask as the client asked, but for a stream: the same body, headers and query.

    Headers and query belong to the client's API; a provider of the other one never gets them.
    """
    try:
        provider, timeout_s = providers.get(spec.provider), settings.SHADOWEVAL_SHADOW_TIMEOUT_S
        source, target = DIALECTS[request.wire], provider.dialect
        said = translation.for_shadow(request.payload)
        payload = translation.payload(said, source, target, provider.limit_field(spec))
        headers, query = (request.headers, request.url_query) if source is target else ({}, "")
        reply = provider.ask(spec, payload, headers, query, timeout_s)
    except InvalidRequest as exc:
        return Outcome(None, f"untranslatable: {exc}", is_possible=False)
    except ProviderError as exc:
        reason = f"provider_error: {exc.status}"
        return Outcome(None, reason, exc.retryable, exc.retry_after_s)
    except ProviderUnreachable as exc:
        return Outcome(None, f"provider_unreachable: {exc}", retryable=True)
    except Exception as exc:
        # A job must end in a state with a reason, whatever the provider's code does.
        log.error("shadow call failed: %s", type(exc).__name__)
        return Outcome(None, f"error: {type(exc).__name__}", retryable=True)
    return Outcome(reply)


def _finish(job: ShadowJob, outcome: Outcome) -> None:
    """Write one outcome: the pair, another attempt, or the failure; all under the row's lock."""
    with transaction.atomic():
        mine = ShadowJob.objects.select_for_update().filter(
            pk=job.pk, state=_STATES.RUNNING, attempts=job.attempts
        )
        if not mine.exists():
            log.warning("shadow job %s was taken over; its late answer is dropped", job.pk)
            return
        if outcome.reply is not None:
            _complete(job, outcome.reply)
            _end(ShadowJob.objects.filter(pk=job.pk), _STATES.DONE, "")
        elif outcome.retryable and job.attempts < settings.SHADOWEVAL_SHADOW_ATTEMPTS:
            _put_back(job, outcome)
        else:
            state = _STATES.FAILED if outcome.is_possible else _STATES.SKIPPED
            _end(ShadowJob.objects.filter(pk=job.pk), state, outcome.reason)


def _put_back(job: ShadowJob, outcome: Outcome) -> None:
    """Back off exponentially with jitter, or for as long as the provider asked."""
    backoff_s = min(_FIRST_BACKOFF_S * 2 ** (job.attempts - 1), _LONGEST_BACKOFF_S)
    wait_s = max(outcome.retry_after_s or 0.0, backoff_s * random.uniform(0.5, 1.5))  # noqa: S311
    ShadowJob.objects.filter(pk=job.pk).update(
        state=_STATES.PENDING,
        reason=outcome.reason[:200],
        not_before=timezone.now() + timedelta(seconds=wait_s),
        lease_until=None,
    )


def _complete(job: ShadowJob, reply: Reply) -> None:
    """Store the shadow completion and, with the served one, the pair."""
    spec = _spec(job)
    shadow, _ = Completion.objects.get_or_create(
        request_id=job.request_id,
        tier=job.tier,
        defaults={
            "is_shadow": True,
            **completion_fields(reply, spec.provider, pricing.cost_usd(spec.price, reply.usage)),
        },
    )
    served = Completion.objects.get(request_id=job.request_id, tier=Tier(job.tier).other)
    pair(job, served, shadow)


def pair(job: ShadowJob, served: Completion, shadow: Completion) -> ShadowPair:
    """Write the pair of a request, by tier; a second run finds the first one's row."""
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
            "rate": job.rate,
        },
    )
    return row
