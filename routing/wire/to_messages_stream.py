"""Streams of Chat Completions, written as those of the Messages API.

Source: the streams of both APIs' references.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from routing.wire import sse
from routing.wire import to_messages_reply as whole


@dataclass
class _Call:
    """A tool call as far as it came; `waiting` are its arguments that are not written yet."""

    index: int
    id: str = ""
    name: str = ""
    waiting: str = ""
    begun: bool = False

    def add(self, piece: dict[str, Any], function: dict[str, Any]) -> None:
        """Take one piece in."""
        self.id = self.id or whole.call_id(piece.get("id") or "")
        self.name = self.name or function.get("name") or ""
        self.waiting += function.get("arguments") or ""


class Stream:
    """Writes the chunks of a chat completion as the events of a Messages stream.

    Blocks of a Messages stream never overlap. So the first tool call is written as it comes; what
    comes of others meanwhile, and text, waits until the finish.
    """

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._calls: list[_Call] = []
        self._late = ""
        self._refused = False
        self._stop = ""
        self._told = False
        self._ended = False
        self._index = -1
        self._open = False

    def feed(self, event: sse.Event) -> list[bytes]:
        """Return the events that this one becomes; often none.

        A stream that ends before its finish reason gets no `message_stop`.

        Raises:
            ValueError: when the data is not what the API sends.
        """
        if event.data is None or self._ended:
            return []
        try:
            is_end = event.data.strip() == "[DONE]"
            return self._end() if is_end else self._write(json.loads(event.data))
        except (LookupError, TypeError, AttributeError, RecursionError) as exc:
            raise ValueError("a chunk is not of the Chat Completions API") from exc

    def _write(self, chunk: dict[str, Any]) -> list[bytes]:
        if chunk.get("error"):
            self._ended = True
            return [_error_event(chunk)]
        self._usage = chunk.get("usage") or self._usage
        events: list[bytes] = []
        for choice in [] if self._stop else (chunk.get("choices") or [])[:1]:
            events += [] if self._head else self._begin(chunk)
            events += self._delta(choice.get("delta") or {})
            events += self._finish(choice["finish_reason"]) if choice.get("finish_reason") else []
        return events + (self._tell() if self._stop and chunk.get("usage") else [])

    def _begin(self, chunk: dict[str, Any]) -> list[bytes]:
        self._head = whole.message(chunk)
        return [_event("message_start", message=self._head)]

    def _delta(self, delta: dict[str, Any]) -> list[bytes]:
        whole.check_function_call(delta)
        events = self._text(whole.plain(delta.get("content")))
        self._refused = self._refused or bool(delta.get("refusal"))
        events += self._text(whole.plain(delta.get("refusal")))
        for piece in delta.get("tool_calls") or []:
            events += self._call(piece)
        return events

    def _text(self, text: str) -> list[bytes]:
        if self._calls:
            self._late += text
            return []
        begin = self._block({"type": "text", "text": ""}) if text and not self._open else []
        return begin + ([self._piece({"type": "text_delta", "text": text})] if text else [])

    def _call(self, piece: dict[str, Any]) -> list[bytes]:
        function = piece.get("function") or {}
        call = self._called(piece, function)
        call.add(piece, function)
        is_first = call is next((one for one in self._calls if one.index == 0), None)
        return self._flush(call) if is_first and call.id and call.name else []

    def _called(self, piece: dict[str, Any], function: dict[str, Any]) -> _Call:
        """Return the call that a piece adds to.

        Some servers number every call 0: a new id with a name begins another one. An id alone does
        not, for others send one with every piece.
        """
        index, id_ = piece.get("index") or 0, whole.call_id(piece.get("id") or "")
        known = [call for call in self._calls if call.index == index]
        same = [call for call in known if id_ in (call.id, "") or not call.id]
        if known and (same or not function.get("name")):
            return (same or known)[-1]
        self._calls.append(_Call(index))
        return self._calls[-1]

    def _flush(self, call: _Call) -> list[bytes]:
        """Write what is known of a call: its beginning once, then what waits."""
        events = [] if call.begun else self._block(whole.tool_use(call.id, call.name, {}))
        if call.waiting:
            piece = {"type": "input_json_delta", "partial_json": call.waiting}
            events.append(self._piece(piece))
        call.begun, call.waiting = True, ""
        return events

    def _finish(self, reason: str) -> list[bytes]:
        self._stop = whole.stop_reason(reason, bool(self._calls), self._refused)
        events = self._close()
        for n, call in enumerate(sorted(self._calls, key=lambda call: call.index)):
            if not call.name:
                raise ValueError("a tool call has no name")
            call.id = call.id or whole.made_up(self._head, n)
            events += [] if call.begun else self._flush(call)
        self._calls, text = [], self._late
        events += self._close() if text else []
        return events + self._text(text) + self._close()

    def _tell(self) -> list[bytes]:
        """Write the stop reason with the token counts, once: they come after it, or never."""
        if self._told:
            return []
        self._told = True
        delta = {"stop_reason": self._stop, "stop_sequence": None}
        return [_event("message_delta", delta=delta, usage=whole.usage(self._usage))]

    def _end(self) -> list[bytes]:
        self._ended = True
        return [*self._tell(), _event("message_stop")] if self._stop else []

    def _block(self, block: dict[str, Any]) -> list[bytes]:
        closed = self._close()
        self._index, self._open = self._index + 1, True
        return [*closed, _event("content_block_start", index=self._index, content_block=block)]

    def _piece(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)

    def _close(self) -> list[bytes]:
        was_open, self._open = self._open, False
        return [_event("content_block_stop", index=self._index)] if was_open else []


def _event(name: str, **fields: Any) -> bytes:
    # Escaped: a piece may end in half a character, which UTF-8 cannot hold.
    return sse.write(json.dumps({"type": name} | fields), name)


def _error_event(chunk: dict[str, Any]) -> bytes:
    said = chunk["error"]
    code = said.get("code") if isinstance(said, dict) else None
    told = whole.error(json.dumps(chunk).encode(), code if isinstance(code, int) else 500)
    return sse.write(told.decode(), "error")
