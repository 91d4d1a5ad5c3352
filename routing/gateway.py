"""Decide, answer, fall back: one request from its parsed body to its reply.

Nothing here waits for a database: policy and router are in memory, recording comes after.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from dataclasses import replace

from django.conf import settings

from routing import abstain, cheapfirst, pricing, providers, sticky, tasktypes
from routing.answer import Answer
from routing.errors import (
    InvalidRequest,
    NotFound,
    ProviderError,
    ProviderUnreachable,
    RouterError,
    StrangeReply,
)
from routing.hands import Pools, scored
from routing.models import Policy
from routing.probing import Bill
from routing.providers.anthropic import AnthropicProvider
from routing.providers.base import Provider
from routing.routers import weighing
from routing.routers.base import Router
from routing.types import (
    AUTO,
    ChatRequest,
    DecisionValue,
    Outgoing,
    Reason,
    Score,
    Tier,
    TierSpec,
)
from routing.wire import sse, translation
from routing.wire.body import LARGE_BYTES
from routing.wire.shape import Shape

log = logging.getLogger(__name__)

#: Embedding is CPU work of up to tens of milliseconds: off the event loop, two at a time. Who finds
#: both busy waits, until the router's time is up: then EXPENSIVE, and the work is not begun.
_scorers = Pools("router")

_CHOSEN_BY_CLIENT = (Reason.BYPASSED, Reason.FORCED)


async def decide(
    request: ChatRequest, shape: Shape, policy: Policy, router: Router | None
) -> DecisionValue:
    """Return where the request goes.

    What the client says comes first, then what the conversation needs, then the rules to abstain
    by, then the router. A router
    that raises, is too slow or gives no number in [0, 1] sends to EXPENSIVE.

    Raises:
        NotFound: when the client asked for a model that is neither routed nor a tier's.
    """
    task = tasktypes.detect(request.query, request.task)
    decision = await _unscored(request, shape, policy, task)
    if decision is not None:
        return decision
    abstained = abstain.reason(request, shape, policy)
    if abstained is not None:
        return _abstaining(abstained, policy.threshold_for(task), task)
    try:
        score = await _score(request, router)
    except RouterError:
        cheapfirst.count_router_error()
        threshold = policy.threshold_for(task)
        return DecisionValue(Tier.EXPENSIVE, Reason.ROUTER_ERROR, threshold, task=task)
    if score.needs_answer and shape.provider_acts:  # asked twice, it would act twice
        return _abstaining(Reason.TOOLS, policy.threshold_for(task), task)
    return _by_threshold(score, policy.threshold_for(task), task)


async def _unscored(
    request: ChatRequest, shape: Shape, policy: Policy, task: str
) -> DecisionValue | None:
    """Return the decision when routing must not touch the request, or None."""
    bypassed, threshold = _bypassed_tier(request.model, policy), policy.threshold_for(task)
    if request.forced is not None:
        return DecisionValue(request.forced, Reason.FORCED, threshold, task=task)
    if bypassed is not None:
        return DecisionValue(bypassed, Reason.BYPASSED, threshold, task=task)
    kept = await sticky.tier(request, shape, policy)
    if kept is not None:
        return DecisionValue(kept, Reason.STICKY, threshold, task=task)
    return None


def _bypassed_tier(model: str, policy: Policy) -> Tier | None:
    """Return the tier whose model was named, or None when the request is to be routed."""
    if model in (AUTO, policy.name):
        return None
    for tier in (Tier.EXPENSIVE, Tier.CHEAP):
        if policy.tier_spec(tier).model == model:
            return tier
    raise NotFound(f"model: {model[:120]}")


async def _score(request: ChatRequest, router: Router | None) -> Score:
    if router is None:
        raise RouterError("no router is loaded")
    query, found = request.query, request.retrieval
    try:
        score = router.score(query) if router.is_instant else router.recall(query)
        if score is None:
            score = await _score_in_thread(query, router)
        score = weighing.weighed(router, score, found.confidence if found else None)
        valid = math.isfinite(score.value) and 0.0 <= score.value <= 1.0
    except Exception as exc:
        log.warning("router failed: %s", type(exc).__name__)
        raise RouterError(type(exc).__name__) from exc
    if not valid:
        log.warning("router gave a score outside [0, 1]")
        raise RouterError("score outside [0, 1]")
    return score


async def _score_in_thread(query: str, router: Router) -> Score:
    within_s = settings.SHADOWEVAL_ROUTER_TIMEOUT_S
    return await _scorers.of(router).run(within_s, scored, router, query)


def _abstaining(reason: Reason, threshold: float, task: str) -> DecisionValue:
    """Score highest, so that evidence and curve see what a threshold does to it."""
    decision = _by_threshold(Score(abstain.SCORE, reason.value), threshold, task)
    return replace(decision, reason=reason)


def _by_threshold(score: Score, threshold: float, task: str) -> DecisionValue:
    """Compare strictly: at threshold 0 nothing is cheap, above 1 everything is.

    A lowest possible score that is below lets the cheap answer decide; one that is not needs none.
    """
    below = score.value < threshold
    tier = Tier.CHEAP if below else Tier.EXPENSIVE
    needs_answer = below and score.needs_answer
    reason = Reason.CHEAP_FIRST if needs_answer else _reason(score, below)
    said = (score.value, score.rule, task, needs_answer)
    return DecisionValue(tier, reason, threshold, *said)


def _reason(score: Score, below: bool) -> Reason:
    if score.rule == Reason.UNFAMILIAR:
        return Reason.BELOW_THRESHOLD if below else Reason.UNFAMILIAR
    if score.rule:
        return Reason.RULE
    return Reason.BELOW_THRESHOLD if below else Reason.AT_OR_ABOVE_THRESHOLD


async def probe(
    request: ChatRequest,
    decision: DecisionValue,
    policy: Policy,
    router: Router | None,
    bill: Bill | None = None,
) -> Answer:
    """Ask CHEAP before the decision is final; of no use but for one that `needs_answer`.

    Args:
        request: what is asked.
        decision: of `decide`.
        policy: who plays the tiers.
        router: the policy's.
        bill: gets what was paid, also when this is cancelled.

    Returns:
        The answer where CHEAP's is kept; else none yet, and the decision with which to go on.
    """
    return await cheapfirst.ask(request, decision, policy, router, _cheap_s(), bill or Bill())


def _cheap_s() -> float:
    """Return how long CHEAP may take: EXPENSIVE needs time too."""
    return min(settings.SHADOWEVAL_PROVIDER_TIMEOUT_S / 2, settings.SHADOWEVAL_CHEAP_TIMEOUT_S)


async def answer(
    request: ChatRequest, decision: DecisionValue, policy: Policy, router: Router | None = None
) -> Answer:
    """Ask the tier's provider; a cheap tier that fails is replaced by EXPENSIVE, visibly.

    Whatever the failure: a request that is too long or asks for too much of the cheap model may be
    fine for the other. Both attempts together take no longer than one may. A stream that has begun
    is never replaced.

    Args:
        request: what is asked.
        decision: who is asked; the router is needed only when CHEAP's answer is to decide.
        policy: who plays the tiers.
        router: the policy's.

    Raises:
        InvalidRequest: when the model's API cannot be asked this.
    """
    if decision.needs_answer:
        probed = await probe(request, decision, policy, router)
        if probed.is_good:
            return probed
        told = await answer(request, probed.decision, policy)
        return replace(told, probes=probed.probes)
    start = time.monotonic() - (decision.probe_ms or 0.0) / 1000
    limit_s = settings.SHADOWEVAL_PROVIDER_TIMEOUT_S
    if decision.tier is Tier.EXPENSIVE or decision.reason in _CHOSEN_BY_CLIENT:
        return await _ask(request, decision, policy, limit_s - (time.monotonic() - start))
    try:
        result = await _ask(request, decision, policy, _cheap_s())
    except InvalidRequest:
        reason = Reason.UNTRANSLATABLE
    else:
        if result.is_good and not _begins_with_error(result):
            return result
        log.warning("cheap tier failed with %s, falling back", result.error or result.status)
        reason = Reason.FALLBACK
    fallback = replace(decision, tier=Tier.EXPENSIVE, reason=reason)
    return await _ask(request, fallback, policy, limit_s - (time.monotonic() - start))


def _begins_with_error(answer: Answer) -> bool:
    """Return whether a stream's first event says that there will be no answer; then it is cut."""
    if answer.stream is None:
        return False
    try:
        first = json.loads(sse.read(answer.stream.peek() or b"").data or "{}")
    except (ValueError, RecursionError):
        first = {"error": "malformed"}
    is_error = not isinstance(first, dict) or bool(first.get("error"))
    if is_error:
        answer.stream.close()
    return is_error


async def _ask(
    request: ChatRequest, decision: DecisionValue, policy: Policy, timeout_s: float
) -> Answer:
    spec = policy.tier_spec(decision.tier)
    base = Answer(decision, provider=spec.provider, model=spec.model)
    try:
        provider = providers.get(spec.provider)
        base = Answer(decision, provider=spec.provider, model=spec.model, dialect=provider.dialect)
        outgoing = await _compose(request, spec, provider)
        if request.is_stream:
            idle_s = settings.SHADOWEVAL_STREAM_IDLE_TIMEOUT_S
            return replace(base, stream=await provider.stream(spec, outgoing, timeout_s, idle_s))
        reply = await provider.send(spec, outgoing, timeout_s)
        # Here, so that a cheap answer that cannot be told to the client is a failed one.
        body = translation.reply(reply.body, reply.dialect, request.dialect)
    except InvalidRequest:
        raise
    except ProviderError as exc:
        log.warning("provider %s answered %s", spec.provider, exc.status)
        return _refused(base, exc)
    except StrangeReply as exc:
        log.warning("provider %s: %s", spec.provider, exc)
        return _strange(base, exc, request)
    except ProviderUnreachable as exc:
        log.warning("provider %s gave no answer: %s", spec.provider, exc)
        return replace(base, status=502, error=f"provider_unreachable: {exc}"[:200])
    except Exception as exc:
        # The provider's code failed, not the client: that too is a tier that gave no answer.
        log.error("provider %s failed: %s", spec.provider, type(exc).__name__)
        return replace(base, status=502, error=f"provider_failed: {type(exc).__name__}")
    return replace(base, reply=reply, body=body, cost_usd=pricing.cost_usd(spec.price, reply.usage))


def _strange(base: Answer, reply: StrangeReply, request: ChatRequest) -> Answer:
    """Pass on what a client of the same API may understand; it is no evidence."""
    error = f"not_understood: {reply}"[:200]
    if base.dialect is not request.dialect or not request.raw:
        return replace(base, status=502, error=error)
    kind = "application/json"
    return replace(base, error=error, error_body=reply.body, error_type=kind, headers=reply.headers)


def _refused(base: Answer, error: ProviderError) -> Answer:
    """Return what the provider said instead of an answer."""
    return replace(
        base,
        status=error.status,
        error_body=error.body,
        error_type=error.content_type,
        error=f"provider_error: {error.status}",
        retry_after_s=error.retry_after_s,
        headers=error.headers,
    )


async def _compose(request: ChatRequest, spec: TierSpec, provider: Provider) -> Outgoing:
    """Return what the provider is sent; a large body is worked on in a thread."""
    work = (request, provider.dialect, spec.model, provider.limit_field(spec))
    if request.length < LARGE_BYTES:
        return translation.outgoing(*work)
    return await asyncio.to_thread(translation.outgoing, *work)


async def count_tokens(request: ChatRequest, policy: Policy) -> Answer:
    """Ask for the length of a prompt: of the named tier's model, else of EXPENSIVE's.

    Raises:
        NotFound: for a model that plays no tier, or whose API does not count.
    """
    named = _bypassed_tier(request.model, policy)
    tier = request.forced or named or Tier.EXPENSIVE
    spec = policy.tier_spec(tier)
    provider = providers.get(spec.provider)
    decision = DecisionValue(tier, Reason.BYPASSED, policy.threshold)
    base = Answer(decision, provider=spec.provider, model=spec.model)
    if not isinstance(provider, AnthropicProvider):
        raise NotFound(f"count_tokens: the API behind the {tier} tier does not count tokens")
    try:
        outgoing = await _compose(request, spec, provider)
        whole = await provider.count_tokens(spec, outgoing, settings.SHADOWEVAL_CHEAP_TIMEOUT_S)
    except ProviderError as exc:
        return _refused(base, exc)
    except ProviderUnreachable as exc:
        return replace(base, status=502, error=f"provider_unreachable: {exc}"[:200])
    return replace(base, error_body=whole.body, headers=whole.headers)
