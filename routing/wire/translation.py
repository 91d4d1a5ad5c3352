"""From one dialect to the other: requests on the way out, replies, errors and streams back.

Where client and provider speak the same dialect nothing here is called but `outgoing`, and all
bytes stay as they are but for the model's name.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable
from typing import Any, Protocol

from routing.types import ChatRequest, Dialect, Outgoing
from routing.wire import openai, sources, splice, sse, to_chat, to_messages

_NO_USAGE = re.compile(rb',\s*"usage"\s*:\s*null')


def payload(
    said: dict[str, Any], source: Dialect, target: Dialect, limit_field: str
) -> dict[str, Any]:
    """Return a request's payload in the target's dialect; in Chat Completions sources are folded.

    Raises:
        InvalidRequest: naming what cannot be said in it.
    """
    if target is Dialect.CHAT:
        said = sources.folded(said)
        return said if source is target else to_chat.request(said, limit_field=limit_field)
    return said if source is target else to_messages.request(said)


def outgoing(request: ChatRequest, target: Dialect, model: str, limit_field: str) -> Outgoing:
    """Return what the provider is sent; raises as `payload`.

    The client's headers and query belong to its own dialect: another never gets them.
    """
    if request.dialect is not target:
        said = payload(request.payload, request.dialect, target, limit_field)
        return Outgoing(dump({"model": model, **said}))
    return Outgoing(_same_dialect(request, model), request.headers, request.url_query)


def _same_dialect(request: ChatRequest, model: str) -> bytes:
    if not adds_usage(request):
        if request.raw:
            return splice.with_model(request.raw, model)
        return dump({"model": model, **_own(request)})
    if request.raw and "stream_options" not in request.payload:
        return splice.with_usage_asked(splice.with_model(request.raw, model))
    asked = {**(request.payload.get("stream_options") or {}), "include_usage": True}
    return dump({"model": model, **_own(request), "stream_options": asked})


def _own(request: ChatRequest) -> dict[str, Any]:
    return payload(request.payload, request.dialect, request.dialect, "")


def adds_usage(request: ChatRequest) -> bool:
    """Return whether the provider is asked for a usage chunk that the client did not ask for."""
    is_chat = request.dialect is Dialect.CHAT
    return is_chat and request.is_stream and not openai.wants_usage(request)


def for_shadow(said: dict[str, Any]) -> dict[str, Any]:
    """Return a payload whose answer comes whole: nobody watches a shadow call stream."""
    return {k: v for k, v in said.items() if k not in ("stream", "stream_options")}


def reply(body: bytes, source: Dialect, target: Dialect) -> bytes:
    """Return a provider's reply in the client's dialect.

    Raises:
        ValueError: when it has what the other dialect cannot hold.
    """
    if source is target:
        return body
    said = json.loads(body)
    if target is Dialect.CHAT:
        return dump(to_chat.reply(said, int(time.time())))
    return dump(to_messages.reply(said))


def error(body: bytes, status: int, target: Dialect) -> bytes:
    """Return a provider's error in the client's dialect, whatever its bytes are."""
    module = to_chat if target is Dialect.CHAT else to_messages
    return module.error(body, status)


class StreamTranslator(Protocol):
    """Turns the events of one dialect into those of another."""

    def feed(self, event: sse.Event) -> Iterable[bytes]:
        """Return the events that this one becomes: none, one or several."""
        ...


def _without_usage(raw: bytes) -> bytes:
    """Take back out what was asked for on the client's behalf."""
    if b'"usage"' not in raw:
        return raw
    kept = _NO_USAGE.sub(b"", raw)
    return b"" if b'"usage"' in kept and _is_usage_alone(kept) else kept


def _is_usage_alone(raw: bytes) -> bool:
    """Return whether a chunk carries the usage and no choice."""
    data = sse.read(raw).data
    try:
        chunk = json.loads(data or "")
    except ValueError:
        return False
    return isinstance(chunk, dict) and bool(chunk.get("usage")) and not chunk.get("choices")


class Relay:
    """Turns each event of the provider's stream into the bytes that the client gets."""

    def __init__(self, request: ChatRequest, source: Dialect) -> None:
        self._translator = _translator(request, source)
        self._is_done = source is Dialect.MESSAGES  # their end is an event of its own
        self._hides_usage = source is request.dialect and adds_usage(request)

    def feed(self, raw: bytes, event: sse.Event) -> bytes:
        """Return what the client gets for one event; b"" for nothing."""
        self._is_done = self._is_done or (event.data or "").strip() == "[DONE]"
        if self._translator is not None:
            return b"".join(self._translator.feed(event))
        return _without_usage(raw) if self._hides_usage else raw

    def finish(self) -> bytes:
        """Return what a translated stream still owes at its end, as if `[DONE]` had come."""
        if self._translator is None or self._is_done:
            return b""
        return b"".join(self._translator.feed(sse.Event("", "[DONE]")))


def _translator(request: ChatRequest, source: Dialect) -> StreamTranslator | None:
    if source is request.dialect:
        return None
    if source is Dialect.CHAT:
        return to_messages.Stream()
    return to_chat.Stream(int(time.time()), openai.wants_usage(request))


def dump(data: dict[str, Any]) -> bytes:
    """Return JSON as it is sent."""
    return json.dumps(data, ensure_ascii=False).encode()
