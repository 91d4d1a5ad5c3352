"""A provider on loopback that speaks the Messages API and Chat Completions at once.

What it does is told by the model's name: one that contains a fault (`fault-429`, `stall`, ...)
plays it, any other answers. It keeps what it saw. A recorded exchange is played byte for byte.

Source: the public references of both APIs (Messages, Chat Completions, errors, streaming).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

TEXT = "The sky is blue. Größe: 10 µm ✓"
TOOL_INPUT = {"city": "Paris", "days": 2}
JSON_TEXT = '{"city": "Paris"}'
COUNTED = 42
INPUT, CACHED, OUTPUT = 11, 3, 7
RETRY_AFTER = "7"

#: By status: Anthropic's error type, OpenAI's error type and code.
STATUSES = {
    400: ("invalid_request_error", "invalid_request_error", None),
    401: ("authentication_error", "invalid_request_error", "invalid_api_key"),
    403: ("permission_error", "invalid_request_error", "unsupported_country_region_territory"),
    404: ("not_found_error", "invalid_request_error", "model_not_found"),
    413: ("request_too_large", "invalid_request_error", "request_too_large"),
    429: ("rate_limit_error", "requests", "rate_limit_exceeded"),
    500: ("api_error", "server_error", None),
    529: ("overloaded_error", "server_error", "overloaded"),
}
#: Faults of an answer that has begun.
MIDSTREAM = ("stall", "cut", "malformed")
_MALFORMED = b'{"type": "content_block_delta", "index": 0, "del'


class Seen(NamedTuple):
    """One call: path with query, headers by lower-case name, body as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)


class Exchange(NamedTuple):
    """A recorded answer; its pieces are written one by one."""

    pieces: list[bytes]
    headers: dict[str, str]
    status: int


class Wire(NamedTuple):
    """How one API says things."""

    headers: dict[str, str]
    reply: Callable[[dict], dict]
    events: Callable[[dict], list[bytes]]
    event: Callable[[bytes], bytes]
    error: Callable[[int], dict]


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _pieces(text: str) -> list[str]:
    return [text[at : at + 5] for at in range(0, len(text), 5)]


# --- the Messages API


def _message(asked: dict) -> dict:
    block: dict[str, Any] = {"type": "text", "text": _text(asked, asked.get("output_config"))}
    stop, sequence = "end_turn", None
    if asked.get("stop_sequences"):
        stop, sequence = "stop_sequence", asked["stop_sequences"][0]
    if asked.get("tools") and not _has_result(asked):
        name = asked["tools"][0]["name"]
        block = {"type": "tool_use", "id": "toolu_01A", "name": name, "input": TOOL_INPUT}
        stop = "tool_use"
    return {
        "id": "msg_01A",
        "type": "message",
        "role": "assistant",
        "model": asked["model"],
        "content": [block],
        "stop_reason": stop,
        "stop_sequence": sequence,
        "usage": {
            "input_tokens": INPUT,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": CACHED,
            "output_tokens": OUTPUT,
        },
    }


def _message_events(asked: dict) -> list[bytes]:
    message = _message(asked)
    block, usage = message["content"][0], message["usage"]
    opened = message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    if block["type"] == "text":
        start, key = block | {"text": ""}, "text"
        deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
    else:
        start, key = block | {"input": {}}, "partial_json"
        said = _pieces(json.dumps(block["input"]))
        deltas = [{"type": "input_json_delta", key: piece} for piece in ["", *said]]
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    return [
        _message_event(_dump(said))
        for said in (
            {"type": "message_start", "message": opened | {"stop_sequence": None}},
            {"type": "content_block_start", "index": 0, "content_block": start},
            {"type": "ping"},
            *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": ended, "usage": {"output_tokens": OUTPUT}},
            {"type": "message_stop"},
        )
    ]


def _message_event(data: bytes) -> bytes:
    name = data.split(b'"')[3]  # the type comes first
    return b"event: " + name + b"\ndata: " + data + b"\n\n"


def _message_error(status: int) -> dict:
    inner = {"type": STATUSES[status][0], "message": f"played {status}"}
    return {"type": "error", "error": inner, "request_id": "req_01A"}


# --- Chat Completions


def _completion(asked: dict) -> dict:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    message["annotations"] = []
    finish = "stop"
    if asked.get("tools") and not _has_result(asked):
        function = {
            "name": asked["tools"][0]["function"]["name"],
            "arguments": json.dumps(TOOL_INPUT),
        }
        message["tool_calls"] = [{"id": "call_01A", "type": "function", "function": function}]
        finish = "tool_calls"
    else:
        message["content"] = _text(asked, asked.get("response_format"))
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    return _head(asked, "chat.completion") | {"choices": [choice], "usage": _usage()}


def _head(asked: dict, kind: str) -> dict:
    return {
        "id": "chatcmpl-01A",
        "object": kind,
        "created": 1_760_000_000,
        "model": asked["model"],
        "system_fingerprint": "fp_01",
    }


def _usage() -> dict:
    return {
        "prompt_tokens": INPUT + CACHED,
        "completion_tokens": OUTPUT,
        "total_tokens": INPUT + CACHED + OUTPUT,
        "prompt_tokens_details": {"cached_tokens": CACHED},
    }


def _completion_events(asked: dict) -> list[bytes]:
    choice = _completion(asked)["choices"][0]
    message, calls = choice["message"], choice["message"].get("tool_calls")
    deltas: list[dict] = [{"role": "assistant", "content": None if calls else ""}]
    if calls:
        function = calls[0]["function"]
        opened = calls[0] | {"index": 0, "function": function | {"arguments": ""}}
        deltas.append({"tool_calls": [opened]})
        for piece in _pieces(function["arguments"]):
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    else:
        deltas += [{"content": piece} for piece in _pieces(message["content"])]
    counted = (asked.get("stream_options") or {}).get("include_usage")
    head = _head(asked, "chat.completion.chunk") | ({"usage": None} if counted else {})
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]})
    chunks = [head | {"choices": [one]} for one in choices]
    if counted:
        chunks.append(head | {"choices": [], "usage": _usage()})
    return [*(_completion_event(_dump(chunk)) for chunk in chunks), _completion_event(b"[DONE]")]


def _completion_event(data: bytes) -> bytes:
    return b"data: " + data + b"\n\n"


def _completion_error(status: int) -> dict:
    _, kind, code = STATUSES[status]
    return {"error": {"message": f"played {status}", "type": kind, "param": None, "code": code}}


# --- both


def _text(asked: dict, form: dict | None) -> str:
    return JSON_TEXT if "json_schema" in json.dumps(form) else TEXT


def _has_result(asked: dict) -> bool:
    last = asked["messages"][-1]
    content = last["content"] if isinstance(last.get("content"), list) else []
    return last["role"] == "tool" or any(part["type"] == "tool_result" for part in content)


ANTHROPIC = Wire(
    {"request-id": "req_01A", "anthropic-organization-id": "org-1"},
    _message,
    _message_events,
    _message_event,
    _message_error,
)
OPENAI = Wire(
    {"x-request-id": "req_01A", "openai-version": "2020-10-01"},
    _completion,
    _completion_events,
    _completion_event,
    _completion_error,
)


@dataclass
class Provider:
    """What tests see of the stand-in.

    Attributes:
        url: its address, without `/v1`.
        seen: every call, oldest first.
        cancelled: calls whose client went away before its answer was whole.
        gap_s: pause between the events of a stream.
        first_byte_s: what `slow-first-byte` waits.
        hold_s: how long `stall` keeps the connection open and silent.
    """

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    cancelled: int = 0
    gap_s: float = 0.0
    first_byte_s: float = 0.3
    hold_s: float = 60.0
    _to_play: deque[Exchange] = field(default_factory=deque)
    _closing: bool = False

    @property
    def last(self) -> Seen:
        """The newest call."""
        return self.seen[-1]

    def play(
        self,
        body_or_events: bytes | list[bytes],
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        status: int = 200,
    ) -> None:
        """Answer the next call with these bytes; a list is written piece by piece."""
        is_whole = isinstance(body_or_events, bytes)
        pieces = [body_or_events] if is_whole else list(body_or_events)
        all_headers = {"content-type": content_type} | (headers or {})
        if is_whole:
            all_headers["content-length"] = str(len(body_or_events))
        self._to_play.append(Exchange(pieces, all_headers, status))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call on either API."""
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append(Seen(request.path_qs, headers, body))
        try:
            return await self._answer(request, body)
        except (asyncio.CancelledError, ConnectionError):
            self.cancelled += not self._closing
            raise

    async def _answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if self._to_play:
            pieces, headers, status = self._to_play.popleft()
            return await self._write(request, headers, pieces, "", status)
        asked = json.loads(body)
        wire = OPENAI if request.path.endswith("/chat/completions") else ANTHROPIC
        model = asked["model"]
        for status in STATUSES:
            if f"fault-{status}" in model:
                return _refusal(wire, status)
        if "slow-first-byte" in model:
            await asyncio.sleep(self.first_byte_s)
        if request.path.endswith("/count_tokens"):
            return web.json_response({"input_tokens": COUNTED}, headers=wire.headers)
        fault = next((name for name in MIDSTREAM if name in model), "")
        if asked.get("stream"):
            headers = wire.headers | {"content-type": "text/event-stream; charset=utf-8"}
            pieces = wire.events(asked)
            broken = wire.event(_MALFORMED)
        else:
            broken = _MALFORMED
            pieces = [broken if fault == "malformed" else _dump(wire.reply(asked))]
            headers = wire.headers | {"content-type": "application/json"}
            headers["content-length"] = str(len(pieces[0]))
        if fault == "malformed" and asked.get("stream"):
            pieces.insert(len(pieces) // 2, broken)
        return await self._write(request, headers, pieces, fault)

    async def _write(
        self,
        request: web.Request,
        headers: dict[str, str],
        pieces: list[bytes],
        fault: str,
        status: int = 200,
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        for place, piece in enumerate(pieces):
            if fault == "cut" and place == len(pieces) // 2:
                await response.write(piece[: len(piece) // 2])
                request.transport.close()
                return response
            if fault == "stall" and place == len(pieces) // 2:
                await asyncio.sleep(self.hold_s)
            await response.write(piece)
            await asyncio.sleep(self.gap_s)
        await response.write_eof()
        return response


def _refusal(wire: Wire, status: int) -> web.Response:
    headers = wire.headers | ({"retry-after": RETRY_AFTER} if status == 429 else {})
    return web.json_response(wire.error(status), status=status, headers=headers)


@contextlib.contextmanager
def running() -> Iterator[Provider]:
    """Serve until the block ends."""
    provider, loop, ready = Provider(), asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(target=_serve, args=(provider, loop, ready), daemon=True)
    thread.start()
    if not ready.wait(10):
        raise RuntimeError("the stand-in did not start")
    try:
        yield provider
    finally:
        provider._closing = True
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _serve(provider: Provider, loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    app = web.Application(client_max_size=64_000_000)
    for path in ("/v1/messages", "/v1/messages/count_tokens", "/v1/chat/completions"):
        app.router.add_post(path, provider.answer)
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1, handle_signals=False
    )
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, "127.0.0.1", 0)
    loop.run_until_complete(site.start())
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    ready.set()
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(runner.cleanup())
        loop.close()
