"""Stands in when no provider key is set: real shapes, invented answers, and it says so.

The answers differ between the tiers by a hash only, so that nobody can learn a tier's style.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from routing import tracing
from routing.providers.anthropic import AnthropicProvider
from routing.providers.http import Whole
from routing.providers.simulated_tools import call_of, forced_tool
from routing.types import Outgoing, Reply, TierSpec
from routing.wire import sources, sse, standalone
from routing.wire.body import last_user_text

_PIECE = 24
_MOST_QUOTED = 200
_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s)|$)", re.MULTILINE)
NOTICE = "*Simulated answer: no model was asked.*"
_OPENINGS = (
    "A short answer would stand here.",
    "Here a reply to the question would follow.",
    "This place would hold the answer.",
    "An answer in a few sentences would come here.",
)
_CLOSINGS = (
    "It would name one example.",
    "It would end with the next step to take.",
    "It would give the reason in one line.",
    "It would point out one exception.",
)


def _prompt_tokens(payload: dict[str, Any]) -> int:
    return len(json.dumps(payload["messages"])) // 4 + 1


def _message(spec: TierSpec, payload: dict[str, Any]) -> dict[str, Any]:
    query = last_user_text(payload["messages"])
    draw = hashlib.sha256(f"{spec.model}|{query}".encode(errors="replace")).digest()
    tool = forced_tool(payload)
    rewritten = standalone.simulated(payload)
    if rewritten is not None:
        block = {"type": "text", "text": rewritten}
    elif tool is None:
        block = _text(query, draw, _quotes(payload, draw))
    else:
        block = call_of(tool, payload, draw)
    return {
        "id": f"msg_sim_{draw.hex()[:20]}",
        "type": "message",
        "role": "assistant",
        "model": spec.model,
        "content": [block],
        "stop_reason": "end_turn" if tool is None else "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": _prompt_tokens(payload),
            "output_tokens": len(_said(block)) // 4,
        },
    }


def _quotes(payload: dict[str, Any], draw: bytes) -> str:
    """Return the first sentences of one or two of a prompt's sources, cited; "" without any."""
    found = sources.passages(payload["messages"])
    some = list(found.items())[: 1 + draw[2] % 2]
    said = ((n, _SENTENCE.search(text[:_MOST_QUOTED])) for n, text in some)
    return "".join(f"\n\nSource [{n}] begins: \u201c{one[0]}\u201d" for n, one in said if one)


def _text(query: str, draw: bytes, quotes: str) -> dict[str, Any]:
    asked = " ".join(query.split())[:120]
    opening, closing = _OPENINGS[draw[0] % 4], _CLOSINGS[draw[1] % 4]
    text = f"{NOTICE}\n\n{opening} You wrote: \u201c{asked}\u201d{quotes}\n\n{closing}"
    return {"type": "text", "text": text}


def _said(block: dict[str, Any]) -> str:
    """Return what a stream would send of a block: its text, or a tool call's input."""
    return block["text"] if block["type"] == "text" else json.dumps(block["input"])


class _Events:
    """A message as the events of a stream."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.headers: dict[str, str] = {}
        self._events = [sse.write(json.dumps(data), data["type"]) for data in _event_data(message)]

    def peek(self) -> bytes:
        """Return the first event without taking it."""
        return self._events[0]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give each event after a moment."""
        for event in self._events:
            await asyncio.sleep(0.005)
            yield event

    def hurry(self, within_s: float) -> None:
        """Nothing is waited for."""

    def close(self) -> None:
        """Nothing is open."""


def _event_data(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    block, usage = message["content"][0], message["usage"]
    text = _said(block)
    is_text = block["type"] == "text"
    empty: dict[str, Any] = {"text": ""} if is_text else {"input": {}}
    kind, name = ("text_delta", "text") if is_text else ("input_json_delta", "partial_json")
    begun = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    yield {"type": "content_block_start", "index": 0, "content_block": block | empty}
    for start in range(0, len(text), _PIECE):
        delta = {"type": kind, name: text[start : start + _PIECE]}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    said = {"output_tokens": usage["output_tokens"]}
    yield {"type": "message_delta", "delta": ended, "usage": said}
    yield {"type": "message_stop"}


class SimulatedProvider(AnthropicProvider):
    """Answers at once, offline, in the Messages dialect."""

    @tracing.call
    async def send(self, spec: TierSpec, outgoing: Outgoing, timeout_s: float) -> Reply:
        """Return an invented message after a moment."""
        await asyncio.sleep(0.02)
        return self._invented(spec, json.loads(outgoing.body))

    @tracing.call
    async def stream(
        self, spec: TierSpec, outgoing: Outgoing, timeout_s: float, idle_s: float
    ) -> _Events:
        """Return an invented message in pieces."""
        return _Events(_message(spec, json.loads(outgoing.body)))

    def probe(self, spec: TierSpec, timeout_s: float) -> None:
        """Nobody is asked."""

    async def count_tokens(self, spec: TierSpec, outgoing: Outgoing, timeout_s: float) -> Whole:
        """Return a guess by length."""
        tokens = _prompt_tokens(json.loads(outgoing.body))
        return Whole(json.dumps({"input_tokens": tokens}).encode(), {})

    @tracing.call
    async def ask(
        self,
        spec: TierSpec,
        payload: dict[str, Any],
        headers: dict[str, str],
        url_query: str,
        timeout_s: float,
    ) -> Reply:
        """Return an invented message."""
        return self._invented(spec, payload)

    def _invented(self, spec: TierSpec, payload: dict[str, Any]) -> Reply:
        start = time.perf_counter()
        body = json.dumps(_message(spec, payload)).encode()
        return self.read(body, {}, (time.perf_counter() - start) * 1000)
