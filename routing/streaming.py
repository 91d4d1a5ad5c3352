"""Streams: each event passed on as it comes, and what they add up to recorded.

What goes wrong amid a stream becomes the API's own error event; the record says that the answer is
partial, and a partial answer is never half of a pair.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from routing import idempotency, pricing, providers, tracing
from routing.answer import Answer
from routing.call import (
    LEFT,
    STOPPING,
    Call,
    as_stored,
    cost_text,
    is_paid,
    remember,
    reply_headers,
    spend,
    timed,
)
from routing.connection import ClientGone, Connection, Headers, Watch
from routing.errors import ProviderUnreachable, RequestError, ServiceUnavailable
from routing.idempotency import Kept
from routing.providers.base import EventStream
from routing.recording import Recorder
from routing.served import Served
from routing.types import Reply, Usage
from routing.wire import assemble, sse, translation

log = logging.getLogger(__name__)

#: After its last event a stream may stay open; nobody waits long for that.
_AFTER_END_S = 1.0
_GOODBYE_S = 1.0
_LETTERS_A_TOKEN = 4


@dataclass
class Streamed:
    """What a stream came to: the provider's reply as far as it came, and why it is not whole.

    `sent` is what the client got, where that is to be kept and is not too long for it. A whole
    answer is recorded before its last event leaves: who has it, finds it recorded.
    """

    reply: Reply | None = None
    error: str = ""
    sent: list[bytes] | None = None
    sent_bytes: int = 0
    is_recorded: bool = False

    def keep(self, piece: bytes) -> None:
        """Keep what the client gets."""
        self.sent_bytes += len(piece)
        if self.sent_bytes > idempotency.MOST_BYTES:
            self.sent = None
        if self.sent is not None:
            self.sent.append(piece)


async def stream(
    call: Call,
    answer: Answer,
    stream: EventStream,
    row: Served,
    connection: Connection,
    watch: Watch,
    recorder: Recorder,
    keeps: bool,
) -> Kept | None:
    """Pass a stream on event by event, and record what it came to."""
    cost = "pending" if answer.reply is None else cost_text(call, answer)
    headers = reply_headers(call, answer, row, row.overhead_ms, cost)
    headers |= {"content-type": "text/event-stream; charset=utf-8", "x-accel-buffering": "no"}
    streamed = Streamed(sent=[] if keeps else None)

    def come_to() -> Served:
        """Return what the stream came to; asked once."""
        streamed.is_recorded = True
        return timed(call, _with_reply(call, answer, row, streamed), row.overhead_ms)

    async def record() -> None:
        """Keep what the stream came to, once; also when this is cancelled meanwhile."""
        if streamed.is_recorded:
            return
        known = come_to()
        try:
            known = await as_stored(known)
        finally:
            recorder.put(known)

    try:
        pump = _pump(call, answer, stream, connection, headers, streamed, record)
        await watch.while_there(pump)
    except ClientGone:
        streamed.error = streamed.error or LEFT
    except asyncio.CancelledError:
        streamed.error = streamed.error or STOPPING
        if not streamed.is_recorded:
            recorder.put(come_to())  # first: a client that does not read may hold up what follows
            await _say_goodbye(call, connection)
        raise
    except Exception as exc:
        streamed.error = streamed.error or f"relay: {type(exc).__name__}"
        log.error("a stream could not be passed on: %s", type(exc).__name__)
    finally:
        tracing.tell(stream, streamed.reply, streamed.error.partition(":")[0])
        stream.close()
        await record()
    if streamed.error or streamed.sent is None:
        return None
    return Kept(200, headers, b"".join(streamed.sent), row.end_user)


async def _say_goodbye(call: Call, connection: Connection) -> None:
    """End a stream that the process cannot finish, so that the client raises its own exception."""
    stopping = ServiceUnavailable("The service is being stopped; send the request again.")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_GOODBYE_S):
            await connection.write(call.speech.error_event(stopping, str(call.id)))
            await connection.end()


async def _pump(
    call: Call,
    answer: Answer,
    stream: EventStream,
    connection: Connection,
    headers: Headers,
    streamed: Streamed,
    record: Callable[[], Awaitable[None]],
) -> None:
    """Relay until the end; what goes wrong amid a stream becomes the API's own error event."""
    start = time.perf_counter()
    relay = translation.Relay(call.request, answer.dialect)
    parts = assemble.assembler(answer.dialect)

    async def write(piece: bytes) -> None:
        if piece:
            streamed.keep(piece)
            await connection.write(piece)

    await connection.begin(200, headers)
    try:
        async for raw in stream:
            event = sse.read(raw)
            parts.feed(event)
            if (event.data or "").strip() == "[DONE]":
                parts.end()
            if parts.is_whole and not streamed.is_recorded:
                streamed.reply = _assembled(answer, stream, parts, _ms_since(start))
                streamed.error = _why_partial(parts)
                await record()
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
        if not streamed.is_recorded:
            streamed.reply = _assembled(answer, stream, parts, _ms_since(start))
    if streamed.error and not parts.error and not parts.is_whole:
        error = RequestError(f"The stream broke off ({streamed.error}).", 502, "api_error")
        await write(call.speech.error_event(error, str(call.id)))
    await connection.end()


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000


def _why_partial(parts: assemble.Assembler) -> str:
    if parts.error:
        return f"provider_error: {parts.error}"
    if not parts.is_whole:
        return "provider_cut: the stream ended before the answer did"
    return "" if parts.is_understood else "not_understood: events of an unknown shape"


def _assembled(
    answer: Answer, stream: EventStream, parts: assemble.Assembler, latency_ms: float
) -> Reply | None:
    """Return what the events add up to, or None when that is no reply at all.

    A reply that was whole before it was told as a stream is partial for a client that left.
    """
    if answer.reply is not None:
        return replace(answer.reply, is_partial=not parts.is_whole)
    try:
        body = parts.body
        reply = providers.get(answer.provider).read(body, stream.headers, latency_ms)
    except (ProviderUnreachable, ValueError, TypeError, LookupError, AttributeError):
        return None  # strange events: they went to the client, and are no evidence
    return replace(reply, is_partial=not (parts.is_whole and parts.is_understood))


def _with_reply(call: Call, answer: Answer, row: Served, streamed: Streamed) -> Served:
    """Return the record with what the stream came to, and have it remembered."""
    reply = streamed.reply
    if reply is None and answer.reply is not None:  # the client left before it began
        reply = replace(answer.reply, is_partial=True)
    if reply is None:
        return replace(row, error=streamed.error or "no_reply: the stream had no message")
    price = call.policy.tier_spec(answer.decision.tier).price
    cost_usd = pricing.cost_usd(price, reply.usage)
    if not reply.is_partial:
        remember(call, replace(answer, cost_usd=cost_usd), reply)
    elif not is_paid(answer):
        cost_usd = None
        spend(call, pricing.cost_usd(price, _at_least(reply)))
    return replace(row, reply=reply, error=streamed.error, cost_usd=cost_usd)


def _at_least(reply: Reply) -> Usage:
    """Return what an answer that broke off used at least: for the cap alone, never as a cost."""
    written = reply.usage.output_tokens or len(reply.text) // _LETTERS_A_TOKEN
    return replace(reply.usage, input_tokens=reply.usage.input_tokens or 0, output_tokens=written)
