"""CHEAP asked before the decision, for a router that wants to see its answer.

The answer comes whole, whatever the client wants: nobody knows before its end whether it is served.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from django.conf import settings

from routing import gauges, pricing, probing, providers
from routing.answer import Answer
from routing.errors import InvalidRequest, RouterError
from routing.hands import Pools
from routing.models import Policy
from routing.probing import Bill, Finding, Question
from routing.providers.base import Provider
from routing.routers.asking import Asking, is_asking
from routing.routers.base import Router
from routing.served import Probe
from routing.types import ChatRequest, DecisionValue, Outgoing, Reason, Reply, Score, Tier, TierSpec
from routing.wire import retell, translation
from routing.wire.body import LARGE_BYTES

log = logging.getLogger(__name__)

#: Gates read whole answers: off the event loop, and not in the way of those who score.
_judges = Pools("judge")

#: Of routers that score and of those that judge.
count_router_error = gauges.counted(
    "router_errors", "Requests that went to EXPENSIVE because the router gave no usable score."
)


class Retold:
    """A whole reply as the events of a stream, with its usage: who did not ask is told none."""

    def __init__(self, reply: Reply) -> None:
        self.headers = reply.headers
        self._events = list(retell.events(reply.body, reply.dialect, include_usage=True))

    def peek(self) -> bytes | None:
        """Return the first event without taking it."""
        return self._events[0] if self._events else None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give each event."""
        for event in self._events:
            yield event

    def hurry(self, within_s: float) -> None:
        """Nothing is waited for."""

    def close(self) -> None:
        """Nothing is open."""


async def ask(
    request: ChatRequest,
    decision: DecisionValue,
    policy: Policy,
    router: Router | None,
    timeout_s: float,
    bill: Bill,
) -> Answer:
    """Ask CHEAP, as often as the router wants at once, and have its answers judged.

    Whatever fails goes to EXPENSIVE, with the reason; cancelled, it cancels its calls. What was
    paid until then is in the bill.

    Returns:
        The answer where the cheap one is kept. Else none yet, and the decision to go on with.
    """
    if router is None or not is_asking(router):
        log.warning("a router wants an answer and cannot judge it")
        count_router_error()
        return Answer(_unjudged(decision, Reason.ROUTER_ERROR))
    spec = policy.tier_spec(Tier.CHEAP)
    try:
        provider = providers.get(spec.provider)
        asked, outgoing = await _composed(request, spec, provider, router)
    except InvalidRequest:
        return Answer(_unjudged(decision, Reason.UNTRANSLATABLE))
    except Exception as exc:
        log.error("the cheap tier cannot be asked: %s", type(exc).__name__)
        return Answer(_unjudged(decision, Reason.FALLBACK))
    bill.begin(spec.price)
    calls = [bill.kept(provider.send(spec, outgoing, timeout_s)) for _ in range(asked.samples)]
    replies = await _all(calls)
    bill.end()
    came = [reply for reply in replies if reply is not None]
    paid = bill.on(replace(decision, needs_answer=False))
    if len(came) < asked.samples:
        return Answer(_unjudged(paid, Reason.FALLBACK))
    return await _judged(request, paid, spec, router, asked, came, provider)


async def _composed(
    request: ChatRequest, spec: TierSpec, provider: Provider, router: Asking
) -> tuple[Question, Outgoing]:
    """Return what is asked, and what is sent; a large body is worked on in a thread."""

    def compose() -> tuple[Question, Outgoing]:
        said = request.payload
        asked = probing.question(said, request.dialect, provider, spec, router.asks)
        body = translation.dump({"model": spec.model, **asked.payload})
        if request.dialect is provider.dialect:
            return asked, Outgoing(body, request.headers, request.url_query)
        return asked, Outgoing(body)

    if request.length < LARGE_BYTES:
        return compose()
    return await asyncio.to_thread(compose)


async def _all(calls: Sequence[Coroutine[Any, Any, Reply]]) -> list[Reply | None]:
    """Return the replies, None for a call that failed: then the others are not waited for."""
    tasks = [asyncio.ensure_future(call) for call in calls]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for task in tasks:
            task.cancel()
    return [_reply(task) for task in tasks]


def _reply(task: asyncio.Task[Reply]) -> Reply | None:
    if not task.done() or task.cancelled():
        return None
    if (error := task.exception()) is not None:
        log.warning("cheap tier failed with %s, falling back", type(error).__name__)
        return None
    return task.result()


async def _judged(
    request: ChatRequest,
    decision: DecisionValue,
    spec: TierSpec,
    router: Asking,
    asked: Question,
    replies: Sequence[Reply],
    provider: Provider,
) -> Answer:
    before = Score(decision.score or 0.0, decision.rule, needs_answer=True)
    work = (router, request.query, before, asked, replies, provider)
    within_s = settings.SHADOWEVAL_ROUTER_TIMEOUT_S
    try:
        found = await _judges.of(router).run(within_s, probing.find, *work)
    except (RouterError, TimeoutError) as exc:
        log.warning("router failed to judge an answer: %s", type(exc).__name__)
        count_router_error()
        return Answer(_unjudged(decision, Reason.ROUTER_ERROR))
    except Exception as exc:
        log.warning("a cheap answer cannot be read: %s", type(exc).__name__)
        return Answer(_unjudged(decision, Reason.FALLBACK))
    return _decided(request, decision, spec, found)


def _decided(
    request: ChatRequest, decision: DecisionValue, spec: TierSpec, found: Finding
) -> Answer:
    """Compare the score with the threshold, strictly as always."""
    said = replace(decision, score=found.score, rule=found.rule, confidence=found.confidence)
    probes = tuple(
        Probe(reply, spec.provider, pricing.cost_usd(spec.price, reply.usage), ordinal)
        for ordinal, reply in enumerate(found.replies, start=1)
    )
    if found.score >= decision.threshold:
        return Answer(_to_expensive(said, Reason.ESCALATED), probes=probes)
    try:
        return _kept(request, replace(said, reason=Reason.BELOW_THRESHOLD), spec, probes)
    except Exception as exc:
        log.warning("a cheap answer cannot be told to its client: %s", type(exc).__name__)
        return Answer(_to_expensive(said, Reason.FALLBACK))


def _kept(
    request: ChatRequest, decision: DecisionValue, spec: TierSpec, answers: tuple[Probe, ...]
) -> Answer:
    first, *others = answers
    reply = first.reply
    return Answer(
        decision,
        reply=reply,
        body=translation.reply(reply.body, reply.dialect, request.dialect),
        stream=Retold(reply) if request.is_stream else None,
        cost_usd=first.cost_usd,
        provider=spec.provider,
        model=spec.model,
        dialect=reply.dialect,
        probes=tuple(others),
    )


def _to_expensive(decision: DecisionValue, reason: Reason) -> DecisionValue:
    return replace(decision, tier=Tier.EXPENSIVE, reason=reason, needs_answer=False)


def _unjudged(decision: DecisionValue, reason: Reason) -> DecisionValue:
    """Return the same without a score: the lowest that it might have been is none."""
    return replace(_to_expensive(decision, reason), score=None, rule="")
