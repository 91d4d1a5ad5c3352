"""Tell a whole reply as the stream that its API would have sent.

A cascade sees the cheap answer whole before it is served; a client that wants a stream gets one.

Source: the streams of both APIs' references.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from routing.types import Dialect
from routing.wire import sse

#: Text of one event: pieces as large as networks like them.
_PIECE = 2_000
#: What a message has at its end only, and a stream tells with its last events.
_AT_THE_END = ("stop_reason", "stop_sequence", "stop_details", "container")
#: Blocks whose input clients add up from pieces; all other blocks begin whole.
_PIECEWISE = ("tool_use", "server_tool_use")


def events(body: bytes, dialect: Dialect, include_usage: bool = True) -> Iterator[bytes]:
    """Yield the events of a whole reply.

    Args:
        body: the reply, in its dialect.
        dialect: the body's, and the stream's.
        include_usage: whether a chat stream has the chunk with the token counts, as providers'
            streams here always do; `translation.Relay` keeps it from clients that did not ask.

    Raises:
        ValueError: before the first event, when the body is no reply of this dialect.
    """
    try:
        said = json.loads(body)
        is_messages = dialect is Dialect.MESSAGES
        told = _message(said) if is_messages else _completion(said, include_usage)
    except (LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise ValueError(f"the reply is not of the {dialect} API") from exc
    return iter(told)


def _message(said: dict[str, Any]) -> list[bytes]:
    head = {**said, "content": []} | {name: None for name in _AT_THE_END if name in said}
    usage = said.get("usage") or {}
    if "output_tokens" in usage:
        head["usage"] = {**usage, "output_tokens": 0}  # counted up until the end
    told = [_event("message_start", message=head)]
    for index, block in enumerate(said["content"]):
        told += _block(index, block)
    delta = {name: said[name] for name in _AT_THE_END if name in said}
    told.append(_event("message_delta", delta=delta, usage=usage))
    return [*told, _event("message_stop")]


def _block(index: int, block: dict[str, Any]) -> list[bytes]:
    begun, deltas = _deltas(block)
    start = _event("content_block_start", index=index, content_block=begun)
    pieces = [_event("content_block_delta", index=index, delta=delta) for delta in deltas]
    return [start, *pieces, _event("content_block_stop", index=index)]


def _deltas(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what a block begins as, and what adds up to the rest of it."""
    match block["type"]:
        case "text" if isinstance(block.get("text"), str):
            cited = block.get("citations") or []
            begun = {**block, "text": ""} | ({"citations": []} if cited else {})
            deltas = [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])]
            return begun, deltas + [{"type": "citations_delta", "citation": one} for one in cited]
        case "thinking" if isinstance(block.get("thinking"), str):
            signed = isinstance(block.get("signature"), str)
            begun = {**block, "thinking": ""} | ({"signature": ""} if signed else {})
            pieces = _pieces(block["thinking"])
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
            sign = {"type": "signature_delta", "signature": block.get("signature")}
            return begun, deltas + [sign] * signed
        case kind if kind in _PIECEWISE and isinstance(block.get("input"), dict):
            pieces = _pieces(json.dumps(block["input"])) if block["input"] else []
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            return {**block, "input": {}}, deltas
    return block, []


def _pieces(text: str) -> list[str]:
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def _event(name: str, **fields: Any) -> bytes:
    # Escaped: JSON may hold half characters, which UTF-8 cannot.
    return sse.write(json.dumps({"type": name} | fields), name)


def _completion(said: dict[str, Any], include_usage: bool) -> list[bytes]:
    head = {name: value for name, value in said.items() if name not in ("choices", "usage")}
    head["object"] = "chat.completion.chunk"
    counts = {"usage": None} if include_usage else {}
    told = [
        sse.write(json.dumps({**head, "choices": [choice], **counts}))
        for one in said["choices"]
        for choice in _choices(one)
    ]
    if include_usage:
        told.append(sse.write(json.dumps({**head, "choices": [], "usage": said.get("usage")})))
    return [*told, sse.write("[DONE]")]


def _choices(choice: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield one choice in pieces: its beginning, its texts, its calls, and why it ended."""
    message = choice["message"]
    base = {"index": choice.get("index", 0), "logprobs": None, "finish_reason": None}
    deltas = [*_chat_deltas(message)]
    for n, delta in enumerate(deltas):
        # Log probabilities are added up: they are told once, with the first piece.
        extra = {"logprobs": choice["logprobs"]} if n == 0 and choice.get("logprobs") else {}
        yield {**base, **extra, "delta": delta}
    end = {k: v for k, v in choice.items() if k not in ("message", "logprobs")}
    yield {**base, **end, "delta": {}}


def _chat_deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    plain = {k: v for k, v in message.items() if k not in ("role", "tool_calls")}
    texts = {k: v for k, v in plain.items() if isinstance(v, str)}
    others = {k: v for k, v in plain.items() if k not in texts}
    content = {"content": ""} if "content" in texts else {}
    yield {"role": message.get("role", "assistant"), **content, **others}
    for name, text in texts.items():
        for piece in _pieces(text):
            yield {name: piece}
    for index, call in enumerate(message.get("tool_calls") or []):
        yield from _call(index, call)


def _call(index: int, call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    function = call.get("function")
    if not isinstance(function, dict):
        yield {"tool_calls": [{**call, "index": index}]}
        return
    begun = {**call, "index": index, "function": {**function, "arguments": ""}}
    yield {"tool_calls": [begun]}
    for piece in _pieces(function.get("arguments") or ""):
        yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
