"""One routed request from its parsed body to the last byte of its reply, and its record.

The reply goes first: what is recorded, remembered and counted comes after it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from routing import budget, eligibility, gateway, idempotency, pricing, providers, sticky
from routing.connection import ClientGone, Connection, Headers
from routing.errors import ProviderUnreachable, RequestError
from routing.gateway import Answer
from routing.idempotency import Claim, Kept
from routing.live import KeyInfo, live
from routing.models import Policy
from routing.providers.base import EventStream
from routing.recording import Recorder, skip_reason
from routing.types import ChatRequest, Dialect, Reply, Served, Usage
from routing.wire import assemble, native, shape, sse, translation
from routing.wire.shape import Shape
from routing.wire.speech import NATIVE, Speech

log = logging.getLogger(__name__)

T = TypeVar("T")

_LEFT = "client_left: the client was gone before the answer was whole"
_LETTERS_A_TOKEN = 4
#: After its last event a stream may stay open; nobody waits long for that.
_AFTER_END_S = 1.0

_afterwards: set[asyncio.Task[Any]] = set()


@dataclass(frozen=True)
class Call:
    """One request on its way: who asks, since when, under which policy, and what."""

    id: UUID
    speech: Speech
    start: float
    received_at: datetime
    key: KeyInfo
    policy: Policy
    raw: bytes
    request: ChatRequest = field(default_factory=lambda: ChatRequest({}, "", ""))
    shape: Shape = field(default_factory=lambda: Shape((), False, False, 0))

    def asking(self, request: ChatRequest) -> Call:
        """Return the call with its body read."""
        return replace(self, request=request, shape=shape.of(request))

    @property
    def id_header(self) -> Headers:
        """The header that every reply carries."""
        return {"x-shadoweval-request-id": str(self.id)}


@dataclass
class Streamed:
    """What a stream came to: the provider's reply as far as it came, and why it is not whole.

    `sent` is what the client got, where that is to be kept.
    """

    reply: Reply | None = None
    error: str = ""
    sent: list[bytes] | None = None


async def serve_once(call: Call, connection: Connection, recorder: Recorder) -> None:
    """Answer a request; one whose idempotency key was answered before gets that reply again.

    The client is watched from here on: when it leaves, nobody waits or asks for it any more.
    """
    gone = asyncio.create_task(connection.until_gone())
    key = connection.headers.get("idempotency-key")
    try:
        if key is None:
            await _serve(call, connection, gone, recorder)
            return
        claiming = idempotency.claim(call.key.id, key, _asked(call, connection))
        claim = await _unless_gone(claiming, gone)
        if isinstance(claim, Kept):
            await _replay(connection, claim)
        elif claim is None:
            await _serve(call, connection, gone, recorder)
        else:
            await _serve_under(claim, call, connection, gone, recorder)
    finally:
        gone.cancel()


def _asked(call: Call, connection: Connection) -> bytes:
    """Return what a reply depends on, for comparing two requests."""
    said = {k: v for k, v in connection.headers.items() if k.startswith("x-shadoweval-")}
    beside = [connection.path, connection.url_query, said | call.request.headers]
    return json.dumps(beside, sort_keys=True).encode() + b"\n" + call.raw


async def _unless_gone(work: Coroutine[Any, Any, T], gone: asyncio.Task[None]) -> T:
    """Return what the work gives.

    Raises:
        ClientGone: when the client left first; the work is given up.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        if not task.done():
            await _cancel(task)


async def _serve_under(
    claim: Claim, call: Call, connection: Connection, gone: asyncio.Task[None], recorder: Recorder
) -> None:
    """Answer under a claim, and keep the reply or free the key."""
    holding, kept = asyncio.create_task(claim.hold()), None
    try:
        kept = await _serve(call, connection, gone, recorder, keeps=True)
    finally:
        holding.cancel()
        _later(claim.keep(kept) if kept else claim.free())


async def _replay(connection: Connection, kept: Kept) -> None:
    headers = {**kept.headers, "x-shadoweval-replayed": "true"}
    await connection.reply(kept.status, kept.body, headers.pop("content-type"), headers)


async def _serve(
    call: Call,
    connection: Connection,
    gone: asyncio.Task[None],
    recorder: Recorder,
    keeps: bool = False,
) -> Kept | None:
    """Decide, ask, reply; a client that leaves takes the provider's call with it.

    Returns the reply as it went out when it is to be kept and is whole.
    """
    request, policy = call.request, call.policy
    decision = await gateway.decide(request, call.shape, policy, live.router(policy.router))
    overhead_ms = (time.perf_counter() - call.start) * 1000
    try:
        answer = await _unless_gone(gateway.answer(request, decision, policy), gone)
    except ClientGone:
        recorder.put(_timed(call, _served(call, Answer(decision, status=499, error=_LEFT)), 0.0))
        return None
    except asyncio.CancelledError:
        stopping = Answer(decision, status=503, error="stopping: the service was shut down")
        recorder.put(_timed(call, _served(call, stopping), 0.0))
        raise
    if answer.stream is not None:
        row = replace(_served(call, answer), is_stream=True, overhead_ms=overhead_ms)
        return await _stream(call, answer, answer.stream, row, connection, gone, recorder, keeps)
    return await _whole(call, answer, overhead_ms, connection, gone, recorder)


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# --- whole replies ------------------------------------------------------------------------


async def _whole(
    call: Call,
    answer: Answer,
    overhead_ms: float,
    connection: Connection,
    gone: asyncio.Task[None],
    recorder: Recorder,
) -> Kept | None:
    if answer.reply is not None and gone.done():  # nobody saw it: no half of a pair
        partial = replace(answer.reply, is_partial=True)
        answer = replace(answer, reply=partial, error=_LEFT)
    answered = time.perf_counter()
    status, body, content_type = _render(call, answer)
    row = replace(_served(call, answer, len(body)), status=status)
    overhead_ms += (time.perf_counter() - answered) * 1000
    cost = "unknown" if answer.cost_usd is None else f"{answer.cost_usd:f}"
    headers = _headers(call, answer, row, overhead_ms, cost)
    if answer.reply is not None:
        _remember(call, answer, answer.reply)
    try:
        await connection.reply(status, body, content_type, headers)
    finally:
        recorder.put(_timed(call, row, overhead_ms))
    return Kept(status, {**headers, "content-type": content_type}, body)


def _render(call: Call, answer: Answer) -> tuple[int, bytes, str]:
    """Return status, body and content type; what the client's own API sent passes as it came."""
    if answer.reply is not None:
        return 200, _body(call, answer, answer.reply), "application/json"
    if not answer.error_body or call.speech is NATIVE:
        error = provider_failed(answer)
        return error.status, call.speech.error_body(error, str(call.id)), call.speech.error_type
    if answer.dialect is call.speech.dialect:
        return answer.status, answer.error_body, answer.error_type
    body = translation.error(answer.error_body, answer.status, call.speech.dialect)
    return answer.status, body, "application/json"


def _body(call: Call, answer: Answer, reply: Reply) -> bytes:
    if call.speech is not NATIVE:
        return answer.body
    return native.reply_body(
        str(call.id), reply, answer.decision, call.policy.name,
        answer.cost_usd, call.policy.is_simulated,
    )  # fmt: skip


def provider_failed(answer: Answer) -> RequestError:
    """Return the error for a provider that gave no answer, or none that can be shown."""
    why = answer.error or "no reply"
    sentence = f"The model provider failed ({why}); the request may succeed if sent again."
    return RequestError(sentence, answer.status if answer.status >= 400 else 502, "api_error")


# --- streams ------------------------------------------------------------------------------


async def _stream(
    call: Call,
    answer: Answer,
    stream: EventStream,
    row: Served,
    connection: Connection,
    gone: asyncio.Task[None],
    recorder: Recorder,
    keeps: bool,
) -> Kept | None:
    """Pass a stream on event by event, and record what it came to."""
    headers = _headers(call, answer, row, row.overhead_ms, "pending")
    headers |= {"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}
    streamed = Streamed(sent=[] if keeps else None)
    pump = asyncio.create_task(_pump(call, answer, stream, connection, headers, streamed))
    try:
        await asyncio.wait({pump, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not pump.done():
            await _cancel(pump)
            streamed.error = streamed.error or _LEFT
        elif pump.exception() is not None:
            streamed.error = streamed.error or f"relay: {type(pump.exception()).__name__}"
            log.error("a stream could not be passed on: %s", type(pump.exception()).__name__)
    finally:
        await _cancel(pump)
        stream.close()
        row = _with_reply(call, answer, row, streamed)
        recorder.put(_timed(call, row, row.overhead_ms))
    if streamed.error or streamed.sent is None:
        return None
    return Kept(200, headers, b"".join(streamed.sent))


async def _pump(
    call: Call,
    answer: Answer,
    stream: EventStream,
    connection: Connection,
    headers: Headers,
    streamed: Streamed,
) -> None:
    """Relay until the end; what goes wrong amid a stream becomes the API's own error event."""
    start = time.perf_counter()
    relay = translation.Relay(call.request, answer.dialect)
    parts = assemble.assembler(answer.dialect)

    async def write(piece: bytes) -> None:
        if piece:
            if streamed.sent is not None:
                streamed.sent.append(piece)
            await connection.write(piece)

    await connection.begin(200, headers)
    try:
        async for raw in stream:
            event = sse.read(raw)
            parts.feed(event)
            await write(relay.feed(raw, event))
            if parts.is_whole:
                stream.hurry(_AFTER_END_S)
        await write(relay.finish())
        parts.end()
        streamed.error = _why_partial(parts)
    except ProviderUnreachable as exc:
        streamed.error = "" if parts.is_whole else f"provider_cut: {exc}"[:200]
    except ValueError as exc:  # no UTF-8, no JSON, or what the other dialect cannot hold
        streamed.error = f"provider_malformed: {type(exc).__name__}"
    finally:
        latency_ms = (time.perf_counter() - start) * 1000
        streamed.reply = _assembled(answer, stream, parts, latency_ms)
    if streamed.error and not parts.error and not parts.is_whole:
        error = RequestError(f"The stream broke off ({streamed.error}).", 502, "api_error")
        await write(call.speech.error_event(error, str(call.id)))
    await connection.end()


def _why_partial(parts: assemble.Assembler) -> str:
    if parts.error:
        return f"provider_error: {parts.error}"
    if not parts.is_whole:
        return "provider_cut: the stream ended before the answer did"
    return "" if parts.is_understood else "not_understood: events of an unknown shape"


def _assembled(
    answer: Answer, stream: EventStream, parts: assemble.Assembler, latency_ms: float
) -> Reply | None:
    """Return what the events add up to, or None when that is no reply at all."""
    try:
        body = parts.body
        reply = providers.get(answer.provider).read(body, stream.headers, latency_ms)
    except (ProviderUnreachable, ValueError, TypeError, LookupError, AttributeError):
        return None  # strange events: they went to the client, and are no evidence
    return replace(reply, is_partial=not (parts.is_whole and parts.is_understood))


def _with_reply(call: Call, answer: Answer, row: Served, streamed: Streamed) -> Served:
    """Return the record with what the stream came to, and have it remembered."""
    reply = streamed.reply
    if reply is None:
        return replace(row, error=streamed.error or "no_reply: the stream had no message")
    price = call.policy.tier_spec(answer.decision.tier).price
    if reply.is_partial:
        cost_usd = None
        _later(budget.spend(call.key, pricing.cost_usd(price, _at_least(reply))))
    else:
        cost_usd = pricing.cost_usd(price, reply.usage)
        _remember(call, replace(answer, cost_usd=cost_usd), reply)
    return replace(
        row,
        reply=reply,
        error=streamed.error,
        cost_usd=cost_usd,
        size_bytes=row.size_bytes + len(reply.body),
    )


def _at_least(reply: Reply) -> Usage:
    """Return what an answer that broke off used at least: for the cap alone, never as a cost."""
    written = reply.usage.output_tokens or len(reply.text) // _LETTERS_A_TOKEN
    return replace(reply.usage, input_tokens=reply.usage.input_tokens or 0, output_tokens=written)


# --- both ---------------------------------------------------------------------------------


def _headers(call: Call, answer: Answer, row: Served, overhead_ms: float, cost: str) -> Headers:
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
        "x-shadoweval-shadow": "none" if skip_reason(row) else decision.tier.other.value,
    }
    if policy.is_simulated:
        headers["x-shadoweval-simulated"] = "true"
    if answer.retry_after_s is None and _is_number(headers.get("retry-after", "")):
        headers.pop("retry-after")  # a wait that nobody believes; a date passes
    return headers


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _served(call: Call, answer: Answer, size_bytes: int = 0) -> Served:
    """Put together what is to be recorded; a stream's reply and all times come later."""
    return Served(
        request_id=call.id,
        received_at=call.received_at,
        project_id=call.key.project_id,
        api_key_id=call.key.id,
        policy_id=call.policy.pk,
        wire=call.speech.name,
        request=replace(call.request, raw=b""),
        decision=answer.decision,
        status=answer.status,
        error=answer.error,
        provider=answer.provider,
        reply=answer.reply,
        cost_usd=answer.cost_usd,
        shadow_rate=call.policy.shadow_rate(answer.decision.tier.other),
        overhead_ms=0.0,
        latency_ms=0.0,
        size_bytes=len(call.raw) + size_bytes,
        skip=eligibility.skip_reason(call.request, call.shape, answer.decision),
    )


def _timed(call: Call, row: Served, overhead_ms: float) -> Served:
    latency_ms = (time.perf_counter() - call.start) * 1000
    return replace(row, overhead_ms=overhead_ms, latency_ms=latency_ms)


def _remember(call: Call, answer: Answer, reply: Reply) -> None:
    """Have what later requests need written after this reply."""
    known = replace(reply, state_ids=reply.state_ids + _translated_ids(call, reply))
    if known.state_ids or call.request.session:
        _later(sticky.remember(call.request, known, answer.decision, call.policy))
    if call.key.daily_usd is not None:
        _later(budget.spend(call.key, answer.cost_usd))


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


def _later(work: Any) -> None:
    """Run something after the reply; the set keeps it from being thrown away half done."""
    task = asyncio.create_task(work)
    _afterwards.add(task)
    task.add_done_callback(_afterwards.discard)


async def finish() -> None:
    """Wait for what still runs after replies."""
    await asyncio.gather(*_afterwards, return_exceptions=True)
