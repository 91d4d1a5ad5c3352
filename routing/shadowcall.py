"""One shadow call: what is asked, and how it ended.

Where the router wants to see the cheap answer first, it is asked for and judged as serving would.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from django.conf import settings

from routing import alternatives, probing, providers, tracing
from routing.alternatives import NotAsked
from routing.errors import (
    InvalidRequest,
    NotConnected,
    ProviderError,
    ProviderUnreachable,
    RouterError,
)
from routing.hands import Pools, scored
from routing.models import Completion
from routing.outcomes import Judged, Outcome
from routing.providers.base import Provider
from routing.routers.asking import Asking
from routing.shadowjob import Job
from routing.types import DIALECTS, Reply
from routing.wire import sources, translation

log = logging.getLogger(__name__)

T = TypeVar("T")
#: How long a router may take to score or to judge: nobody waits, but a lease ends.
_JUDGE_S = 20.0
_judges = Pools("shadow-judge")


async def make(job: Job) -> tuple[Outcome, Exception | None]:
    """Make the call of a job; return how it ended, and the provider's error if there was one."""
    said = {
        "shadoweval.request_id": str(job.request_id),
        "shadoweval.tier": job.tier.value,
        "shadoweval.purpose": job.purpose,
        "shadoweval.attempt": job.attempts,
    }
    with tracing.shadow("shadow", job.traceparent, said) as span:
        outcome, error = await _made(job)
        if outcome.reply is None:
            span.fail(outcome.reason.partition(":")[0])
    return outcome, error


async def _made(job: Job) -> tuple[Outcome, Exception | None]:
    try:
        return await _ask(job), None
    except NotAsked as exc:
        is_possible, retryable = exc.is_possible, exc.retryable
        return Outcome(
            reason=str(exc), is_possible=is_possible, retryable=retryable, is_free=True
        ), None
    except RouterError as exc:  # its provider answered
        log.error("shadow job %s: the router failed: %s", job.pk, exc)
        return Outcome(reason=f"router_error: {exc}"), None
    except _SomeAnswered as exc:
        return replace(_failed(exc.error), is_free=False), exc.error
    except Exception as exc:
        return _failed(exc), exc


async def _ask(job: Job) -> Outcome:
    """Ask as the client asked, but for a stream: the same body, headers and query.

    Headers and query belong to the client's API; a provider of the other one never gets them. For a
    router that wants to see the cheap answer it is asked, and judged, as serving would have.
    """
    if job.ordinal == Completion.ELSEWHERE:
        return await _ask_elsewhere(job)
    router = job.asking
    before = None if router is None else await _judge(router, scored, job.query)
    if router is None or before is None or not before.needs_answer:
        return Outcome(await _reply(job, job.payload))
    provider, source = providers.get(job.spec.provider), DIALECTS[job.wire]
    asked = probing.question(job.payload, source, provider, job.spec, router.asks)
    calls = (_send(job, provider, asked.payload) for _ in range(asked.samples))
    replies = _all_of(await asyncio.gather(*calls, return_exceptions=True))
    found = await _judge(router, probing.find, job.query, before, asked, replies, provider)
    judged = Judged(found.score, found.replies[1:], max(reply.latency_ms for reply in replies))
    return Outcome(found.replies[0], judged=judged)


async def _ask_elsewhere(job: Job) -> Outcome:
    """Ask with the sources of another retrieval in the place of those that were served."""
    found = await asyncio.to_thread(alternatives.find, job)
    payload = sources.swap(job.payload, found.sources)
    return Outcome(await _reply(job, payload), elsewhere=found)


async def _reply(job: Job, payload: dict[str, Any]) -> Reply:
    provider = providers.get(job.spec.provider)
    said = translation.for_shadow(payload)
    limit_field = provider.limit_field(job.spec)
    said = translation.payload(said, DIALECTS[job.wire], provider.dialect, limit_field)
    return await _send(job, provider, said)


async def _send(job: Job, provider: Provider, payload: dict[str, Any]) -> Reply:
    same = DIALECTS[job.wire] is provider.dialect
    headers, query = (job.headers, job.url_query) if same else ({}, "")
    timeout_s = settings.SHADOWEVAL_SHADOW_TIMEOUT_S
    return await provider.ask(job.spec, payload, headers, query, timeout_s)


def _all_of(said: Sequence[Reply | BaseException]) -> list[Reply]:
    """Return the replies when all came.

    Raises:
        Exception: the first error, in `_SomeAnswered` when another call was paid for.
    """
    replies = [one for one in said if isinstance(one, Reply)]
    errors = [one for one in said if isinstance(one, Exception)]
    if errors and replies:
        raise _SomeAnswered(errors[0])
    if errors:
        raise errors[0]
    return replies


class _SomeAnswered(Exception):
    """One of several calls failed, and others did not."""

    def __init__(self, error: Exception) -> None:
        super().__init__(type(error).__name__)
        self.error = error


async def _judge(router: Asking, work: Callable[..., T], *args: Any) -> T:
    """Return what a router says, off the loop.

    Raises:
        RouterError: when it raises or does not come to an end.
    """
    try:
        return await _judges.of(router).run(_JUDGE_S, work, router, *args)
    except (RouterError, ProviderUnreachable):
        raise
    except Exception as exc:
        raise RouterError(type(exc).__name__) from exc


def _failed(error: Exception) -> Outcome:
    """Return how a call ended; a job must end with a reason, whatever the provider's code does."""
    if isinstance(error, InvalidRequest):
        return Outcome(reason=f"untranslatable: {error}", is_possible=False, is_free=True)
    if isinstance(error, ProviderError):
        reason, is_free = f"provider_error: {error.status}", error.status not in (500, 502, 504)
        return Outcome(None, reason, error.retryable, error.retry_after_s, is_free=is_free)
    if isinstance(error, ProviderUnreachable):
        is_free = isinstance(error, NotConnected)
        return Outcome(reason=f"provider_unreachable: {error}", retryable=True, is_free=is_free)
    log.error("shadow call failed: %s", type(error).__name__)
    return Outcome(reason=f"error: {type(error).__name__}", retryable=True)
