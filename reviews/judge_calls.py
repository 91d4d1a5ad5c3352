"""Judge calls: claimed with their money, ended one by one, given back when a worker died.

The calls table is the queue, as with shadow jobs. Calls are made outside of any transaction
(judging.py, judge_batches.py). Locks are taken in one order: calls, then the run.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from reviews import judge_prompt, judge_reply
from reviews.judge_reply import Said
from reviews.models import JudgeBatch, JudgeCall, JudgeRun, JudgeSpec, Rater, Verdict
from routing import pricing, spend
from routing.records import clean
from routing.types import Usage

log = logging.getLogger(__name__)

_STATES = JudgeCall.State
#: Longer than a call may take, by what writing its outcome may take.
_LEASE_MARGIN_S = 60
#: The provider has a day for a batch; its results are fetched soon after.
_BATCH_LEASE = timedelta(hours=26)
_ATTEMPTS = 8
#: Of attempts that may have been paid.
_PAID_ATTEMPTS = 3
_FIRST_BACKOFF_S = 2.0
_LONGEST_BACKOFF_S = 600.0
_MONEY_WAIT = timedelta(seconds=10)
_PAUSING = {429, 503, 529}


@dataclass(frozen=True)
class Job:
    """A claimed call with what it asks.

    Attributes:
        attempts: counted with this one.
        lease_until: names this claim: whoever takes the call next has a later one.
    """

    pk: int
    spec: JudgeSpec
    attempts: int
    lease_until: datetime
    payload: dict[str, Any]


class _Question(NamedTuple):
    """What a call asks, and the most it can cost; None when no price is known."""

    payload: dict[str, Any]
    most_usd: Decimal | None


@dataclass(frozen=True)
class Outcome:
    """How a call ended: with what the judge said, or why not.

    Attributes:
        retryable: another attempt makes sense.
        status: HTTP status of an error, 0 for none.
        is_free: nothing was paid, for certain.
        stops: no call of this judge can succeed, so none is made until somebody has looked.
    """

    said: Said | None = None
    reason: str = ""
    usage: Usage | None = None
    request_id: str = ""
    retryable: bool = False
    status: int = 0
    retry_after_s: float | None = None
    is_free: bool = False
    stops: bool = False


def timeout_s() -> float:
    """Return what one call may take, as of shadow calls."""
    return float(settings.SHADOWEVAL_SHADOW_TIMEOUT_S)


@transaction.atomic
def claim(limit: int, spec: JudgeSpec | None = None) -> list[Job]:
    """Take due calls with the money they may cost; another worker never gets the same.

    Calls that cannot be asked, or no longer paid, end here with the reason.

    Args:
        limit: the most.
        spec: take calls of this judge for a batch; None takes those that are asked one by one.
    """
    now = timezone.now()
    mine = Q(spec=spec) if spec else Q(spec__use_batch=False)
    awake = Q(spec__run__paused_until=None) | Q(spec__run__paused_until__lte=now)
    due = JudgeCall.objects.filter(
        mine, awake, state=_STATES.PENDING, due_at__lte=now, spec__run__state="running"
    )
    related = ("spec", "pair__request", "pair__cheap", "pair__expensive")
    calls = due.select_for_update(skip_locked=True, of=("self",)).select_related(*related)
    taken = list(calls.order_by("due_at", "id")[:limit])
    locked = JudgeRun.objects.filter(spec__in={call.spec_id for call in taken}).order_by("pk")
    # Long texts are read before the run is locked: calls that end wait for it.
    asked = [_ask_what(call) for call in taken]
    runs = {run.spec_id: run for run in locked.select_for_update()}
    lease = now + (_BATCH_LEASE if spec else timedelta(seconds=timeout_s() + _LEASE_MARGIN_S))
    jobs = [
        job
        for call, what in zip(taken, asked, strict=True)
        if (job := _take(call, what, runs[call.spec_id], lease))
    ]
    for run in runs.values():
        run.save(update_fields=["reserved_usd"])
    return jobs


def _ask_what(call: JudgeCall) -> _Question | str:
    """Return what a call asks, or why it cannot; a text that is too long is not searched."""
    if problem := judge_prompt.problem(call.pair):
        return problem
    call.injection_suspected = judge_prompt.is_suspicious(call.pair)
    payload = judge_prompt.payload(call.spec, call.pair, call.order)
    most = spend.upper_bound(call.spec.asked, payload, judge_prompt.size(payload))
    return _Question(payload, most)


def _take(call: JudgeCall, asked: _Question | str, run: JudgeRun, lease: datetime) -> Job | None:
    """Begin a call with its money held, or end it, or put it off until others have settled."""
    if isinstance(asked, str):
        _end(call, _STATES.SKIPPED, asked)
        return None
    payload, most = asked
    if most is None or run.spent_usd + most > call.spec.cap_usd:
        cap = f"{call.spec.cap_usd.normalize():f}"
        _end(call, _STATES.SKIPPED, f"spend_cap: the judge's {cap} USD do not pay another call")
        return None
    if run.spent_usd + run.reserved_usd + most > call.spec.cap_usd:
        call.due_at, call.reason = timezone.now() + _MONEY_WAIT, "spend_cap: waits for other calls"
        call.save(update_fields=["due_at", "reason"])
        return None
    run.reserved_usd += most
    call.reserved_usd, call.state, call.reason = most, _STATES.RUNNING, ""
    call.attempts, call.lease_until, call.batch = call.attempts + 1, lease, None
    call.save()
    return Job(call.pk, call.spec, call.attempts, lease, payload)


def _end(call: JudgeCall, state: str, reason: str) -> None:
    call.state, call.reason, call.finished_at = state, reason[:200], timezone.now()
    call.lease_until, call.reserved_usd = None, Decimal(0)
    call.save()


@transaction.atomic
def finish(job: Job, outcome: Outcome) -> bool:
    """Write how a call ended, its money, and with the second order the verdict.

    A second run changes nothing, and the late answer of a call that another worker took up is
    dropped.

    Returns:
        Whether the call was still ours.
    """
    mine = JudgeCall.objects.filter(
        pk=job.pk, state=_STATES.RUNNING, attempts=job.attempts, lease_until=job.lease_until
    )
    call = mine.select_for_update(of=("self",)).select_related("spec", "pair").first()
    if call is None:
        log.warning("judge call %s was taken over; its late answer is dropped", job.pk)
        return False
    run = JudgeRun.objects.select_for_update().get(spec_id=call.spec_id)
    _settle(call, run, outcome)
    if outcome.said is not None:
        _store(call, outcome.said)
        _conclude(call)
    else:
        _give_up_or_wait(call, run, outcome)
    run.save()
    return True


def _settle(call: JudgeCall, run: JudgeRun, outcome: Outcome) -> None:
    """Replace what was held by what was paid; all of it where that is not known."""
    cost = pricing.cost_usd(call.spec.asked.price, outcome.usage) if outcome.usage else None
    paid = cost if cost is not None else Decimal(0) if outcome.is_free else call.reserved_usd
    run.reserved_usd -= call.reserved_usd
    run.spent_usd += paid
    call.cost_usd = (call.cost_usd or Decimal(0)) + paid
    call.reserved_usd = Decimal(0)
    call.request_id = clean(outcome.request_id)[:120]
    if outcome.usage is not None:
        call.input_tokens = outcome.usage.prompt_tokens
        call.output_tokens = outcome.usage.output_tokens


def _store(call: JudgeCall, said: Said) -> None:
    call.choice = said.choice
    call.cheap_adequate, call.expensive_adequate = said.adequate(call.order)
    _end(call, _STATES.DONE, "")


def _conclude(call: JudgeCall) -> None:
    """Write the verdict once both orders are answered; the run's lock keeps others out."""
    both = list(
        JudgeCall.objects.filter(spec=call.spec, pair=call.pair, state=_STATES.DONE).order_by("pk")
    )
    if len(both) == len(JudgeCall.Order.choices):
        about = {"study_id": call.spec.study_id, "pair": call.pair, "rater": rater_of(call.spec)}
        Verdict.objects.create(**about, **judge_reply.combined(both))


def rater_of(spec: JudgeSpec) -> Rater:
    """Return the rater whose verdicts are this judge's, written at first use."""
    rater, _ = Rater.objects.get_or_create(
        kind=Rater.Kind.LLM_JUDGE, name=spec.name, project_id=spec.study.project_id
    )
    return rater


def _give_up_or_wait(call: JudgeCall, run: JudgeRun, outcome: Outcome) -> None:
    """Put the call off, or end it; stop or pause the whole run where all calls are concerned."""
    if outcome.stops:
        run.state, run.reason = JudgeRun.State.STOPPED, outcome.reason[:200]
        call.attempts -= 1
        return _again(call, outcome.reason, 0.0)
    most = _ATTEMPTS if outcome.is_free else _PAID_ATTEMPTS
    if not outcome.retryable or call.attempts >= most:
        return _end(call, _STATES.FAILED, outcome.reason)
    wait_s = _wait_s(call, outcome)
    if outcome.status in _PAUSING:
        until = timezone.now() + timedelta(seconds=wait_s)
        run.paused_until = max(run.paused_until or until, until)
    return _again(call, outcome.reason, wait_s)


def _again(call: JudgeCall, reason: str, wait_s: float) -> None:
    call.state, call.reason, call.lease_until = _STATES.PENDING, reason[:200], None
    call.due_at, call.batch = timezone.now() + timedelta(seconds=wait_s), None
    call.save()


def _wait_s(call: JudgeCall, outcome: Outcome) -> float:
    """Back off exponentially with jitter, or for as long as the provider asked."""
    backoff_s = min(_FIRST_BACKOFF_S * 2 ** (call.attempts - 1), _LONGEST_BACKOFF_S)
    asked_s = min(outcome.retry_after_s or 0.0, _LONGEST_BACKOFF_S)
    return max(asked_s, backoff_s * random.uniform(0.5, 1.5))  # noqa: S311


def jobs_of(batch: JudgeBatch) -> list[Job]:
    """Return the calls that a batch still has to answer, without what they ask."""
    calls = batch.calls.filter(state=_STATES.RUNNING).select_related("spec")
    return [_claimed(call) for call in calls]


def recover() -> int:
    """Give calls of workers that died back to the queue; return how many.

    What such a call held stays spent: it may have been made.
    """
    gone = JudgeCall.objects.filter(state=_STATES.RUNNING, lease_until__lt=timezone.now())
    lost = Outcome(reason="worker_lost", retryable=True)
    return sum(finish(_claimed(call), lost) for call in gone.select_related("spec"))


def _claimed(call: JudgeCall) -> Job:
    assert call.lease_until is not None
    return Job(call.pk, call.spec, call.attempts, call.lease_until, {})


def put(spec: JudgeSpec, pair_ids: Iterable[int]) -> int:
    """Write the calls of pairs in both orders; those there are stay. Return how many pairs."""
    ids, now = list(pair_ids), timezone.now()
    rows = [
        JudgeCall(spec=spec, pair_id=pair_id, order=order, due_at=now)
        for pair_id in ids
        for order in JudgeCall.Order.values
    ]
    JudgeCall.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1_000)
    return len(ids)


def drop(jobs: Iterable[Job], outcome: Outcome) -> None:
    """End several claimed calls in the same way."""
    for job in jobs:
        finish(job, outcome)
