"""Decide, answer, fall back: one request from its parsed body to its reply.

Nothing here waits for a database: policy and router are in memory, recording comes after.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal

from django.conf import settings

from routing import pricing, providers, tasktypes
from routing.errors import NotFound, ProviderError, ProviderUnreachable, RouterError
from routing.models import Policy
from routing.routers.base import Router
from routing.types import AUTO, ChatRequest, DecisionValue, Reason, Reply, Score, Tier

log = logging.getLogger(__name__)

#: Embedding is CPU work of tens of milliseconds: off the event loop, two at a time.
_scorers = ThreadPoolExecutor(max_workers=2, thread_name_prefix="router")


@dataclass(frozen=True)
class Answer:
    """What the client gets: a reply, or the provider's error (then `reply` is None)."""

    decision: DecisionValue
    reply: Reply | None
    status: int
    error_body: bytes = b""
    error: str = ""
    retry_after_s: float | None = None
    cost_usd: Decimal | None = None
    provider: str = ""
    model: str = ""


async def decide(request: ChatRequest, policy: Policy, router: Router | None) -> DecisionValue:
    """Return where the request goes.

    A router that raises, is too slow or gives no number in [0, 1] sends to EXPENSIVE.

    Raises:
        NotFound: when the client asked for a model that is neither routed nor a tier's.
    """
    start = time.perf_counter()
    task = tasktypes.detect(request.query, request.task)
    bypassed = _bypassed_tier(request.model, policy)
    if bypassed is not None:
        return DecisionValue(bypassed, Reason.BYPASSED, policy.threshold, task=task)
    try:
        score = await _score(request.query, router)
    except RouterError:
        decision = DecisionValue(Tier.EXPENSIVE, Reason.ROUTER_ERROR, policy.threshold, task=task)
    else:
        decision = _by_threshold(score, policy.threshold, task)
    return replace(decision, overhead_ms=(time.perf_counter() - start) * 1000)


def _bypassed_tier(model: str, policy: Policy) -> Tier | None:
    """Return the tier whose model was named, or None when the request is to be routed."""
    if model in (AUTO, policy.name):
        return None
    for tier in (Tier.EXPENSIVE, Tier.CHEAP):
        if policy.tier_spec(tier).model == model:
            return tier
    raise NotFound(f"model: {model[:120]}")


async def _score(query: str, router: Router | None) -> Score:
    if router is None:
        raise RouterError("no router is loaded")
    loop = asyncio.get_running_loop()
    try:
        scoring = loop.run_in_executor(_scorers, router.score, query)
        score = await asyncio.wait_for(scoring, settings.SHADOWEVAL_ROUTER_TIMEOUT_S)
        valid = math.isfinite(score.value) and 0.0 <= score.value <= 1.0
    except Exception as exc:
        log.warning("router failed: %s", type(exc).__name__)
        raise RouterError(type(exc).__name__) from exc
    if not valid:
        log.warning("router gave a score outside [0, 1]")
        raise RouterError("score outside [0, 1]")
    return score


def _by_threshold(score: Score, threshold: float, task: str) -> DecisionValue:
    """Compare strictly: at threshold 0 nothing is cheap, above 1 everything is."""
    below = score.value < threshold
    tier = Tier.CHEAP if below else Tier.EXPENSIVE
    by_score = Reason.BELOW_THRESHOLD if below else Reason.AT_OR_ABOVE_THRESHOLD
    reason = Reason.RULE if score.rule else by_score
    return DecisionValue(tier, reason, threshold, score.value, score.rule, task)


async def answer(request: ChatRequest, decision: DecisionValue, policy: Policy) -> Answer:
    """Ask the tier's provider; a cheap tier that fails is replaced by EXPENSIVE, visibly.

    Whatever the failure: a request that is too long or asks for too much of the cheap model may be
    fine for the other. Both attempts together take no longer than one may.
    """
    start, limit_s = time.monotonic(), settings.SHADOWEVAL_PROVIDER_TIMEOUT_S
    if decision.tier is Tier.EXPENSIVE or decision.reason is Reason.BYPASSED:
        return await _ask(request, decision, policy, limit_s)
    first_s = min(limit_s / 2, settings.SHADOWEVAL_CHEAP_TIMEOUT_S)  # the other needs time too
    result = await _ask(request, decision, policy, first_s)
    if result.reply is not None:
        return result
    log.warning("cheap tier failed with %s, falling back", result.status)
    fallback = replace(decision, tier=Tier.EXPENSIVE, reason=Reason.FALLBACK)
    return await _ask(request, fallback, policy, limit_s - (time.monotonic() - start))


async def _ask(
    request: ChatRequest, decision: DecisionValue, policy: Policy, timeout_s: float
) -> Answer:
    spec = policy.tier_spec(decision.tier)
    base = Answer(decision, None, 200, provider=spec.provider, model=spec.model)
    try:
        provider = providers.get(spec.provider)
        reply = await provider.send(spec, request.payload, request.headers, timeout_s)
    except ProviderError as exc:
        log.warning("provider %s answered %s", spec.provider, exc.status)
        return replace(
            base,
            status=exc.status,
            error_body=exc.body,
            error=f"provider_error: {exc.status}",
            retry_after_s=exc.retry_after_s,
        )
    except ProviderUnreachable as exc:
        log.warning("provider %s gave no answer: %s", spec.provider, exc)
        return replace(base, status=502, error=f"provider_unreachable: {exc}"[:200])
    except Exception as exc:
        # The provider's code failed, not the client: that too is a tier that gave no answer.
        log.error("provider %s failed: %s", spec.provider, type(exc).__name__)
        return replace(base, status=502, error=f"provider_failed: {type(exc).__name__}")
    return replace(base, reply=reply, cost_usd=pricing.cost_usd(spec.price, reply.usage))
