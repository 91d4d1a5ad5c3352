"""How shadow calls ended, written in groups: completions, pairs, states and money together.

A group is one transaction of a few statements, whatever its size. A second run changes nothing, and
the late answer of a job that another worker took up is dropped.
"""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from routing import alternatives, pricing, probing, redaction, repeats, spend
from routing.alternatives import Elsewhere
from routing.models import Completion, ShadowJob, ShadowPair
from routing.records import clean, clean_json
from routing.shadow import end
from routing.shadowjob import Job
from routing.types import Reply, Tier

log = logging.getLogger(__name__)

_STATES = ShadowJob.State
_FIRST_BACKOFF_S = 2.0
_LONGEST_BACKOFF_S = 600.0

_MINE = """
SELECT job.id FROM routing_shadowjob AS job
JOIN unnest(%s::bigint[], %s::int[], %s::timestamptz[]) AS mine(id, attempts, lease_until)
    ON mine.id = job.id AND mine.attempts = job.attempts AND mine.lease_until = job.lease_until
WHERE job.state = 'running' ORDER BY job.id FOR UPDATE OF job
"""
_COMPLETIONS = """
INSERT INTO routing_completion (request_id, tier, ordinal, is_shadow, is_partial, provider, model,
    text, body, stop_reason, input_tokens, output_tokens, cache_write_tokens, cache_write_1h_tokens,
    cache_read_tokens, cost_usd, latency_ms, created_at)
SELECT request_id, tier, ordinal, true, false, provider, model, text, body, stop_reason,
    input_tokens, output_tokens, cache_write_tokens, cache_write_1h_tokens, cache_read_tokens,
    cost_usd, latency_ms, %s
FROM json_to_recordset(%s::json) AS said(request_id uuid, tier text, ordinal int, provider text,
    model text, text text, body jsonb, stop_reason text, input_tokens int, output_tokens int,
    cache_write_tokens int, cache_write_1h_tokens int, cache_read_tokens int, cost_usd numeric,
    latency_ms float8)
ON CONFLICT (request_id, tier, ordinal) DO NOTHING
"""
_PAIRS = """
INSERT INTO routing_shadowpair (request_id, project_id, cheap_id, expensive_id, score, task,
    router_id, probe_usd, probe_ms, rate, created_at)
SELECT said.request_id, said.project_id, cheap.id, expensive.id, said.score, said.task,
    said.router_id, said.probe_usd, said.probe_ms, said.rate, %s
FROM json_to_recordset(%s::json) AS said(request_id uuid, project_id bigint, score float8,
    task text, router_id bigint, probe_usd numeric, probe_ms float8, rate float8)
JOIN routing_completion AS cheap
    ON cheap.request_id = said.request_id AND cheap.tier = 'cheap' AND cheap.ordinal = 1
JOIN routing_completion AS expensive
    ON expensive.request_id = said.request_id AND expensive.tier = 'expensive'
        AND expensive.ordinal = 1
ON CONFLICT DO NOTHING
RETURNING request_id
"""
_STATE = """
UPDATE routing_shadowjob AS job SET state = said.state, reason = said.reason,
    attempts = said.attempts, not_before = COALESCE(said.not_before, job.not_before),
    finished_at = said.finished_at, lease_until = NULL, reserved_usd = 0, reserved_on = NULL
FROM json_to_recordset(%s::json) AS said(id bigint, state text, reason text, attempts int,
    not_before timestamptz, finished_at timestamptz)
WHERE job.id = said.id
"""


@dataclass(frozen=True)
class Judged:
    """What a router said that wants to see the cheap answer first.

    Attributes:
        score: of the pair.
        others: what CHEAP answered the other times.
        probe_ms: how long serving would have waited: the calls are made at once.
    """

    score: float
    others: tuple[Reply, ...]
    probe_ms: float


@dataclass(frozen=True)
class Outcome:
    """How one call ended: a reply, or why not and whether another attempt makes sense.

    Attributes:
        is_possible: False when the tier's API cannot be asked this at all.
        was_asked: False when no call was made: the attempt does not count.
        is_free: nothing was paid, for certain.
        judged: what the router made of the reply, where it was to see it.
        elsewhere: the other retrieval that the reply rests on, where it was to.
    """

    reply: Reply | None = None
    reason: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    is_possible: bool = True
    was_asked: bool = True
    is_free: bool = False
    judged: Judged | None = None
    elsewhere: Elsewhere | None = None

    @property
    def replies(self) -> tuple[Reply, ...]:
        """Every reply that was paid for, the pair's first."""
        others = () if self.judged is None else self.judged.others
        return () if self.reply is None else (self.reply, *others)


#: One call with its end.
End = tuple[Job, Outcome]


def finish(group: Sequence[End]) -> None:
    """Write a group of outcomes in one transaction; one that cannot be stored fails its own job.

    Raises:
        OperationalError, InterfaceError: the database is away; the group can be written later.
    """
    try:
        _write(group)
    except (OperationalError, InterfaceError):
        raise
    except Exception as exc:
        if len(group) == 1:
            _fail(*group[0], type(exc).__name__)
            return
        for one in group:
            finish([one])


@transaction.atomic
def _write(group: Sequence[End]) -> None:
    mine = _mine(group)
    if not mine:
        return
    answered = [(job, outcome) for job, outcome in mine if outcome.reply is not None]
    if answered:
        _complete(answered)
    with connection.cursor() as cursor:
        cursor.execute(_STATE, [json.dumps([_state(*one) for one in mine])])
    spend.settle([(job.hold, _paid(job, outcome)) for job, outcome in mine if job.hold])


def _mine(group: Sequence[End]) -> list[End]:
    """Lock the jobs that are still ours, and return their outcomes."""
    with connection.cursor() as cursor:
        jobs = [job for job, _ in group]
        claims = [
            [getattr(job, name) for job in jobs] for name in ("pk", "attempts", "lease_until")
        ]
        cursor.execute(_MINE, claims)
        locked = {pk for (pk,) in cursor.fetchall()}
    for job, _ in group:
        if job.pk not in locked:
            log.warning("shadow job %s was taken over; its late answer is dropped", job.pk)
    return [(job, outcome) for job, outcome in group if job.pk in locked]


def _complete(answered: Sequence[End]) -> None:
    """Store the shadow completions, with the served ones the pairs, and what follows on these."""
    completions = ",".join(
        _completion(job, reply, ordinal)
        for job, outcome in answered
        for ordinal, reply in enumerate(outcome.replies, job.ordinal)
    )
    with connection.cursor() as cursor:
        cursor.execute(_COMPLETIONS, [timezone.now(), f"[{completions}]"])
    _write_pairs([one for one in answered if one[0].ordinal == 1])
    repeats.write([job for job, _ in answered if job.ordinal == Completion.SECOND])
    alternatives.write([(job, said.elsewhere) for job, said in answered if said.elsewhere])


def _write_pairs(answered: Sequence[End]) -> None:
    """Write the pairs, and the jobs of those that are asked once more, or on another retrieval.

    Raises:
        Completion.DoesNotExist: when a request has no served one.
    """
    jobs = [job for job, _ in answered]
    if not jobs:
        return
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, [timezone.now(), json.dumps([_pair(*one) for one in answered])])
        written = {request_id for (request_id,) in cursor.fetchall()}
    missing = [job.request_id for job in jobs if job.request_id not in written]
    if missing and ShadowPair.objects.filter(request_id__in=missing).count() < len(missing):
        raise Completion.DoesNotExist
    repeats.plan(jobs)
    alternatives.plan(jobs)


def _completion(job: Job, reply: Reply, ordinal: int) -> str:
    """Return the completion's columns as JSON, the provider's body in it as it is stored."""
    if job.keeping is not None:
        reply, found = redaction.answered(reply, job.keeping)
        if redaction.UNSEEN in found:
            raise redaction.Unseen
    usage = reply.usage
    columns = json.dumps(
        {
            "request_id": str(job.request_id),
            "tier": job.tier.value,
            "ordinal": ordinal,
            "provider": job.spec.provider,
            "model": clean(reply.model)[:120],
            "text": clean(reply.text),
            "stop_reason": clean(reply.stop_reason)[:40],
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "cache_write_1h_tokens": usage.cache_write_1h_tokens,
            "cache_read_tokens": usage.cache_read_tokens,
            "cost_usd": _text(pricing.cost_usd(job.spec.price, reply.usage)),
            "latency_ms": reply.latency_ms,
        }
    )
    return f'{columns[:-1]}, "body": {clean_json(reply.body).decode()}}}'


def _pair(job: Job, outcome: Outcome) -> dict[str, Any]:
    judged = outcome.judged
    said: tuple[float | None, Decimal | None, float | None]
    if judged is not None:
        said = (judged.score, _cost(job, outcome), judged.probe_ms)
    elif job.tier is Tier.EXPENSIVE:
        said = (job.score, job.probe_usd, job.probe_ms)
    else:
        said = (job.score, None, None)
    return {
        "request_id": str(job.request_id),
        "project_id": job.project_id,
        "score": said[0],
        "probe_usd": _text(said[1]),
        "probe_ms": said[2],
        "task": job.task,
        "router_id": job.terms.router_id,
        "rate": job.rate,
    }


def _state(job: Job, outcome: Outcome) -> dict[str, Any]:
    """Return what becomes of the job: done, another attempt, or its end with the reason."""
    now = timezone.now()
    said: dict[str, Any] = {"id": job.pk, "attempts": job.attempts, "reason": outcome.reason[:200]}
    if outcome.reply is not None:
        return said | {"state": _STATES.DONE, "reason": "", "finished_at": now.isoformat()}
    if not outcome.was_asked:
        said["attempts"] = job.attempts - 1
    if outcome.retryable and said["attempts"] < settings.SHADOWEVAL_SHADOW_ATTEMPTS:
        not_before = now + timedelta(seconds=_wait_s(job, outcome))
        return said | {"state": _STATES.PENDING, "not_before": not_before.isoformat()}
    state = _STATES.FAILED if outcome.is_possible else _STATES.SKIPPED
    return said | {"state": state, "finished_at": now.isoformat()}


def _wait_s(job: Job, outcome: Outcome) -> float:
    """Back off exponentially with jitter, or for as long as the provider asked."""
    if not outcome.was_asked:
        return outcome.retry_after_s or 0.0
    backoff_s = min(_FIRST_BACKOFF_S * 2 ** (job.attempts - 1), _LONGEST_BACKOFF_S)
    return max(outcome.retry_after_s or 0.0, backoff_s * random.uniform(0.5, 1.5))  # noqa: S311


def _cost(job: Job, outcome: Outcome) -> Decimal | None:
    return probing.cost_usd(job.spec.price, outcome.replies)


def _paid(job: Job, outcome: Outcome) -> Decimal | None:
    """Return what the call cost; None when that is not known: then all that was held is gone."""
    if outcome.reply is not None:
        return _cost(job, outcome)
    return Decimal(0) if outcome.is_free or not outcome.was_asked else None


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


@transaction.atomic
def _fail(job: Job, outcome: Outcome, error: str) -> None:
    """End a job whose outcome cannot be stored; what it cost is counted all the same."""
    if not _mine([(job, outcome)]):
        return
    # The text of the error may hold the answer: its name has to do.
    log.error("shadow job %s: not_stored: %s", job.pk, error)
    end(ShadowJob.objects.filter(pk=job.pk), _STATES.FAILED, f"not_stored: {error}")
    if job.hold:
        spend.settle([(job.hold, _paid(job, outcome))])
