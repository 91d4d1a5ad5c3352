"""Judge calls by the provider's message batches: sent, looked after, collected.

A batch is written before it is sent: a worker that dies in between leaves a row by which the batch
is found again at the provider, so that it is not paid twice. All else survives in Postgres.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from django.db import transaction
from django.utils import timezone

from reviews import judge_calls, judging
from reviews.judge_calls import Job, Outcome
from reviews.models import JudgeBatch, JudgeCall, JudgeRun, JudgeSpec
from routing import providers
from routing.errors import NotConnected, ProviderError, ProviderUnreachable
from routing.providers.base import Batches, Entry
from routing.types import TierSpec

log = logging.getLogger(__name__)

T = TypeVar("T")
_STATES = JudgeBatch.State
_MOST_CALLS = 1_000
_LEASE_MARGIN_S = 60
#: Clocks differ.
_SLACK = timedelta(seconds=60)
#: What became of a batch that the provider knows no more.
_GONE = {404, 410}


def run() -> int:
    """Send what is due and collect what is over; return how many calls were sent or ended.

    As `judging.run`, one at a time in a process.
    """
    if not judging.ONE_HAND.acquire(blocking=False):
        return 0
    try:
        return _submit_all() + collect()
    finally:
        judging.ONE_HAND.release()


def _submit_all() -> int:
    specs = JudgeSpec.objects.filter(use_batch=True, run__state=JudgeRun.State.RUNNING)
    return sum(submit(spec) for spec in specs.order_by("pk"))


def submit(spec: JudgeSpec) -> int:
    """Claim due calls of a judge and send them as one batch; return how many."""
    with transaction.atomic():
        jobs = judge_calls.claim(_MOST_CALLS, spec)
        if not jobs:
            return 0
        lease = timedelta(seconds=judge_calls.timeout_s() + _LEASE_MARGIN_S)
        batch = JudgeBatch.objects.create(spec=spec, lease_until=timezone.now() + lease)
        JudgeCall.objects.filter(pk__in=[job.pk for job in jobs]).update(batch=batch)
    payloads = {f"{batch.token.hex}-{job.pk}": job.payload for job in jobs}
    try:
        name = _ask(spec, lambda api, asked, wait_s: api.submit_batch(asked, payloads, wait_s))
    except NotConnected as exc:
        _end(batch, "not sent", jobs, judging.failed(exc))
    except ProviderUnreachable:
        log.warning("judge batch %s: not known whether it was taken", batch.pk)
    except ProviderError as exc:
        _end(batch, f"refused: {exc.status}", jobs, judging.failed(exc))
    else:
        _sent(batch, name)
    return len(jobs)


def _sent(batch: JudgeBatch, name: str) -> None:
    waiting = JudgeBatch.objects.filter(pk=batch.pk, state=_STATES.SUBMITTING)
    waiting.update(provider_id=name[:120], state=_STATES.SENT)


def _end(batch: JudgeBatch, reason: str, jobs: list[Job], outcome: Outcome) -> None:
    """End a batch, and calls of it that have no other end."""
    judge_calls.drop(jobs, outcome)
    JudgeBatch.objects.filter(pk=batch.pk).update(
        state=_STATES.ENDED, reason=reason[:200], ended_at=timezone.now()
    )


def collect() -> int:
    """Look after all batches that have not ended; return how many calls ended.

    A batch whose judge was stopped is collected all the same: it is paid.
    """
    total = 0
    waiting = JudgeBatch.objects.exclude(state=_STATES.ENDED).select_related("spec").order_by("pk")
    for batch in waiting:
        try:
            total += _collect(batch) if batch.state == _STATES.SENT else _find(batch)
        except ProviderError as exc:
            total += _refused(batch, exc)
        except ProviderUnreachable as exc:
            log.warning("judge batch %s waits: %s", batch.pk, type(exc).__name__)
    return total


def _collect(batch: JudgeBatch) -> int:
    name = batch.provider_id
    if not _ask(batch.spec, lambda api, asked, wait_s: api.is_batch_over(asked, name, wait_s)):
        return 0
    entries = _ask(batch.spec, lambda api, asked, wait_s: api.batch_entries(asked, name, wait_s))
    ours = {entry.custom_id: entry for entry in entries}
    jobs = judge_calls.jobs_of(batch)
    for job in jobs:
        entry = ours.get(f"{batch.token.hex}-{job.pk}")
        judge_calls.finish(job, _outcome(batch.spec, entry))
    _end(batch, "", [], Outcome())
    return len(jobs)


def _outcome(spec: JudgeSpec, entry: Entry | None) -> Outcome:
    """Return how one entry ended; what did not succeed is not paid."""
    if entry is None:
        return Outcome(reason="batch_entry_missing", retryable=True, is_free=True)
    if entry.kind == "succeeded":
        if entry.reply is None:
            return Outcome(reason="malformed: not a message")
        return judging.heard(spec, entry.reply)
    if entry.kind == "errored":
        is_ours = entry.error == "invalid_request_error"
        reason = f"batch_errored: {entry.error}"
        return Outcome(reason=reason, retryable=not is_ours, is_free=True)
    return Outcome(reason=f"batch_{entry.kind}", retryable=entry.kind == "expired", is_free=True)


def _find(batch: JudgeBatch) -> int:
    """Find a batch at the provider that was sent by a worker that died, or send its calls again."""
    if batch.lease_until > timezone.now():
        return 0
    since = batch.created_at - _SLACK
    names = _ask(batch.spec, lambda api, asked, wait_s: api.batches_since(asked, since, wait_s))
    known = set(JudgeBatch.objects.exclude(provider_id="").values_list("provider_id", flat=True))
    for name in (name for name in names if name not in known):
        if _is_ours(batch, name):
            _sent(batch, name)
            return 0
    jobs = judge_calls.jobs_of(batch)
    _end(batch, "never sent", jobs, Outcome(reason="worker_lost", retryable=True, is_free=True))
    return len(jobs)


def _is_ours(batch: JudgeBatch, name: str) -> bool:
    """Return whether an unknown batch has our token.

    Raises:
        ProviderUnreachable: when it is not over, so that nobody can know yet.
    """
    if not _ask(batch.spec, lambda api, asked, wait_s: api.is_batch_over(asked, name, wait_s)):
        raise ProviderUnreachable("an unknown batch is under way")
    entries = _ask(batch.spec, lambda api, asked, wait_s: api.batch_entries(asked, name, wait_s))
    return any(entry.custom_id.startswith(batch.token.hex) for entry in entries)


def _refused(batch: JudgeBatch, error: ProviderError) -> int:
    """Take a provider's no for an answer: the batch is gone, the key is wrong, or it is busy."""
    if error.status in _GONE and batch.state == _STATES.SENT:
        jobs = judge_calls.jobs_of(batch)
        _end(batch, "gone", jobs, Outcome(reason="batch_gone", retryable=True))
        return len(jobs)
    if not error.retryable:
        judging.stop(batch.spec, f"provider_error: {error.status}")
    log.warning("judge batch %s waits: status %d", batch.pk, error.status)
    return 0


def _ask(spec: JudgeSpec, ask: Callable[[Batches, TierSpec, float], Awaitable[T]]) -> T:
    """Return what the provider says of batches."""
    api = providers.batches(spec.provider)
    assert api is not None, "judging.create lets no such judge through"

    async def asked() -> T:
        try:
            return await ask(api, spec.asked, judge_calls.timeout_s())
        finally:
            await api.close_clients()

    return asyncio.run(asked())
