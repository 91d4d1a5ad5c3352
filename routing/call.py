"""One routed call: what is known of it, the headers of its reply, its record, what comes after."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from routing import budget, eligibility, pricing, privacy, redaction, spans, sticky, tracing
from routing.answer import Answer
from routing.connection import Headers
from routing.live import KeyInfo
from routing.models import Policy
from routing.overload import load
from routing.ramp import Ramp
from routing.records import skip_reason
from routing.served import Served
from routing.types import ChatRequest, Dialect, Reason, Reply, RetrievalValue, Tier
from routing.wire import shape, translation
from routing.wire.shape import Shape
from routing.wire.speech import Speech

#: The error of a record whose client did not wait.
LEFT = "client_left: the client was gone before the answer was whole"

#: The error of a record that the end of the process cut.
STOPPING = "stopping: the service was shut down"

#: Longer bodies are looked through in a thread: a megabyte of numbers takes half a second.
_LOOKED_THROUGH_AT_ONCE = 8_000

_afterwards: set[asyncio.Task[Any]] = set()


@dataclass(frozen=True)
class Call:
    """One request on its way: who asks, since when, who may decide, and what.

    Attributes:
        policy: who decides; which of a ramp's two that is, only the body says.
        stored: the request as it is stored, and what was taken out of it; see `looked_through`.
    """

    id: UUID
    speech: Speech
    start: float
    received_at: datetime
    key: KeyInfo
    ramp: Ramp
    policy: Policy
    raw: bytes
    request: ChatRequest = field(default_factory=lambda: ChatRequest({}, "", ""))
    shape: Shape = field(default_factory=lambda: Shape((), False, False, 0))
    stored: tuple[ChatRequest, dict[str, int]] | None = None

    def asking(self, request: ChatRequest) -> Call:
        """Return the call with its body read."""
        seen = shape.of(request)
        policy = self.ramp.choose(request, seen, self.id)
        return replace(self, request=request, shape=seen, policy=policy)

    @property
    def id_header(self) -> Headers:
        """The header that every reply carries."""
        return {"x-shadoweval-request-id": str(self.id)}

    def total_usd(self, answer: Answer) -> Decimal | None:
        """Return what the whole request cost; None when not known."""
        found = self.request.retrieval
        rewrite_usd = Decimal(0) if found is None else found.cost_usd
        return pricing.total_usd(answer.decision, answer.cost_usd, rewrite_usd)


async def looked_through(call: Call) -> Call:
    """Return the call with what is stored of its request, sources included."""
    keeping = call.key.keeping
    if keeping is None:
        return call
    if len(call.raw) < _LOOKED_THROUGH_AT_ONCE:
        return replace(call, stored=redaction.asked(call.request, keeping))
    stored = await asyncio.to_thread(redaction.asked, call.request, keeping)
    return replace(call, stored=stored)


async def as_stored(row: Served) -> Served:
    """Return the record with its answers as they are stored, long ones looked through in a thread.

    Others stay for the recorder, and so do those that cannot be looked through: it says why.
    """
    replies = [one.reply for one in row.probes] + ([row.reply] if row.reply is not None else [])
    is_long = sum(len(one.body) for one in replies) >= _LOOKED_THROUGH_AT_ONCE
    if row.keeping is None or not is_long:
        return row
    try:
        return await asyncio.to_thread(redaction.replies, row)
    except Exception:
        return row


def reply_headers(
    call: Call, answer: Answer, row: Served, overhead_ms: float, cost: str
) -> Headers:
    """Return the provider's headers and ours."""
    decision, policy = answer.decision, call.policy
    source = answer.reply or answer.stream or answer
    headers = source.headers | {
        "x-shadoweval-request-id": str(call.id),
        "x-shadoweval-tier": decision.tier.value,
        "x-shadoweval-model": answer.model,
        "x-shadoweval-score": "" if decision.score is None else f"{decision.score:.6f}",
        "x-shadoweval-threshold": f"{decision.threshold:g}",
        "x-shadoweval-policy": policy.name,
        "x-shadoweval-reason": decision.reason.value,
        "x-shadoweval-task": decision.task,
        "x-shadoweval-cost-usd": cost,
        "x-shadoweval-overhead-ms": f"{overhead_ms:.2f}",
        "x-shadoweval-shadow": _shadow(row),
    }
    if decision.reason is Reason.ESCALATED:
        headers["x-shadoweval-escalated"] = "true"
    if decision.confidence is not None:
        headers["x-shadoweval-confidence"] = f"{decision.confidence:g}"
    if policy.is_simulated:
        headers["x-shadoweval-simulated"] = "true"
    if call.request.retrieval is not None:
        headers |= _retrieval(call.request.retrieval)
    if answer.retry_after_s is None and _is_number(headers.get("retry-after", "")):
        headers.pop("retry-after")  # a wait that nobody believes; a date passes
    return headers


def _retrieval(found: RetrievalValue) -> Headers:
    sure = "" if found.confidence is None else f"{found.confidence:.6f}"
    return {
        "x-shadoweval-collection": found.collection,
        "x-shadoweval-retrieval-strategy": found.strategy,
        "x-shadoweval-retrieval-confidence": sure,
        "x-shadoweval-sources": str(len(found.sources)),
    }


def cost_text(call: Call, answer: Answer) -> str:
    """Return what the whole request cost, for its header."""
    total_usd = call.total_usd(answer)
    return "unknown" if total_usd is None else f"{total_usd:f}"


def _shadow(row: Served) -> str:
    """Return who will be asked in the background, or none."""
    is_asked = not row.has_both and not skip_reason(row)
    return row.decision.tier.other.value if is_asked else "none"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def served(call: Call, answer: Answer, status: int | None = None) -> Served:
    """Put together what is to be recorded; a stream's reply and all times come later.

    Of a request that is not stored whole, nobody is asked less than the client asked.
    """
    tracing.note(spans.of_decision(answer.decision, call.policy))
    request, decision = call.request, answer.decision
    taken: dict[str, int] = {}
    if call.key.keeping is not None:
        request, taken = call.stored or redaction.asked(call.request, call.key.keeping)
        decision = replace(decision, task=call.key.keeping.text(decision.task, Counter()))
    skip = eligibility.skip_reason(call.request, call.shape, answer.decision)
    return Served(
        request_id=call.id,
        received_at=call.received_at,
        project_id=call.key.project_id,
        api_key_id=call.key.id,
        policy_id=call.policy.pk,
        wire=call.speech.name,
        request=spans.linked(request),
        decision=decision,
        status=answer.status if status is None else status,
        error=answer.error,
        provider=answer.provider,
        reply=answer.reply,
        cost_usd=answer.cost_usd,
        shadow_rate=call.policy.shadow_rate(answer.decision.tier.other),
        overhead_ms=0.0,
        latency_ms=0.0,
        skip=skip or _not_whole(taken, answer),
        shadow_lane=call.policy.tier_spec(answer.decision.tier.other).lane,
        kept_share=load.kept_share(),
        probes=answer.probes,
        repeat_lane=call.policy.tier_spec(Tier.EXPENSIVE).lane,
        repeat_rate=0.0 if taken else call.policy.repeat_rate,
        retrieval_rate=0.0 if taken else call.policy.retrieval_rate,
        end_user=privacy.end_user_of(call.key.project_id, call.request),
        keeping=call.key.keeping,
        redacted={"prompt": taken} if taken else {},
    )


def _not_whole(taken: dict[str, int], answer: Answer) -> str:
    """Return why no pair may be made of a request that is not stored whole, or ""."""
    if "everything" in taken:
        return redaction.NOT_KEPT
    has_both = answer.decision.tier is Tier.EXPENSIVE and bool(answer.probes)
    return redaction.CHANGED if taken and not has_both else ""


def timed(call: Call, row: Served, overhead_ms: float) -> Served:
    """Return the record with its times, taken when the reply has left."""
    latency_ms = (time.perf_counter() - call.start) * 1000
    return replace(row, overhead_ms=overhead_ms, latency_ms=latency_ms)


def remember(call: Call, answer: Answer, reply: Reply) -> None:
    """Have what later requests need written after this reply."""
    known = replace(reply, state_ids=reply.state_ids + _translated_ids(call, reply))
    if known.state_ids or call.request.session:
        later(sticky.remember(call.request, known, answer.decision, call.policy))
    if not is_paid(answer):
        spend(call, answer.cost_usd)


def is_paid(answer: Answer) -> bool:
    """Return whether the answer is one of the calls that were counted when they came."""
    decision = answer.decision
    return decision.probe_ms is not None and decision.tier is Tier.CHEAP


def spend(call: Call, cost_usd: Decimal | None) -> None:
    """Count money against the key's day, if it has a cap."""
    if call.key.daily_usd is not None:
        later(budget.spend(call.key, cost_usd))


def _translated_ids(call: Call, reply: Reply) -> tuple[str, ...]:
    """Return the ids as the client sees them: the other API may want other ones."""
    target = call.speech.dialect
    if reply.dialect is target:
        return ()
    try:
        said = json.loads(translation.reply(reply.body, reply.dialect, target))
    except ValueError:
        return ()
    is_chat = target is Dialect.CHAT
    return shape.state_ids(said["choices"][0]["message"] if is_chat else said)


def later(work: Any) -> None:
    """Run something after the reply; the set keeps it from being thrown away half done."""
    task = asyncio.create_task(work)
    _afterwards.add(task)
    task.add_done_callback(_afterwards.discard)


async def finish() -> None:
    """Wait for what still runs after replies."""
    await asyncio.gather(*_afterwards, return_exceptions=True)
