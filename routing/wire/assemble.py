"""Add the events of a stream up to the reply that they stand for."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from routing.types import Dialect
from routing.wire.sse import Event
from routing.wire.to_messages_reply import plain

DONE = "[DONE]"
#: The field of a block that each kind of delta adds text to.
_TEXT_OF = {"text_delta": "text", "thinking_delta": "thinking"}


class Malformed(ValueError):
    """An event whose data is no JSON: every client stumbles over it."""


class Assembler(ABC):
    """Takes the events of one stream in.

    What is valid but strange (a later version of the API) never raises: the stream is passed on,
    and `is_understood` says that what it adds up to is not to be trusted.

    Attributes:
        is_whole: the reply came to its end.
        error: the kind of error that the provider reported amid the stream, or "".
    """

    def __init__(self) -> None:
        self.is_whole = False
        self.is_understood = True
        self.error = ""

    def feed(self, event: Event) -> None:
        """Take one event in.

        Raises:
            Malformed: when its data is neither JSON nor the end's mark.
        """
        if event.data is None:
            return
        if event.data.strip() == DONE:
            self.end()
            return
        try:
            data = json.loads(event.data)
        except (ValueError, RecursionError) as exc:
            raise Malformed("the data is no JSON") from exc
        try:
            self._take(data)
        except (ValueError, TypeError, AttributeError, LookupError):
            self.is_understood = False

    @abstractmethod
    def _take(self, data: dict[str, Any]) -> None: ...

    def end(self) -> None:  # noqa: B027
        """Take note that the stream ended in good order."""

    @property
    @abstractmethod
    def body(self) -> bytes:
        """The reply as JSON as far as it came, or b"" when nothing of it did."""


class MessageEvents(Assembler):
    """Events of the Messages API; they add up to a message."""

    def __init__(self) -> None:
        super().__init__()
        self._message: dict[str, Any] = {}
        self._pieces: dict[int, dict[str, list[str]]] = {}

    def _take(self, data: dict[str, Any]) -> None:
        kind = data.get("type")
        if kind == "message_start":
            self._message = {"content": [], **_object_in(data, "message")}
            self._message["content"] = list(self._message["content"] or [])
        elif kind == "content_block_start":
            self._message.setdefault("content", []).append(_object_in(data, "content_block"))
        elif kind == "content_block_delta":
            self._delta(data.get("index"), _object_in(data, "delta"))
        elif kind == "message_delta":
            self._message |= _object_in(data, "delta")
            usage = {k: v for k, v in (data.get("usage") or {}).items() if v is not None}
            self._message["usage"] = {**(self._message.get("usage") or {}), **usage}
        elif kind == "message_stop":
            self.is_whole = True
        elif kind == "error":
            self.error = str((data.get("error") or {}).get("type") or "error")[:60]

    def _delta(self, index: Any, delta: dict[str, Any]) -> None:
        kind = delta.get("type")
        block = self._block(index)
        if kind in _TEXT_OF:
            self._add(index, _TEXT_OF[kind], delta.get(_TEXT_OF[kind]))
        elif kind == "input_json_delta":
            self._add(index, "input", delta.get("partial_json"))
        elif kind == "signature_delta":
            block["signature"] = delta.get("signature")
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), delta.get("citation")]
        else:
            self.is_understood = False  # the client saw what is missing here

    def _block(self, index: Any) -> dict[str, Any]:
        blocks = self._message.get("content") or []
        if not isinstance(index, int) or not 0 <= index < len(blocks):
            raise ValueError("a delta of a block that did not start")
        return blocks[index]

    def _add(self, index: int, name: str, piece: Any) -> None:
        if isinstance(piece, str):
            self._pieces.setdefault(index, {}).setdefault(name, []).append(piece)

    @property
    def body(self) -> bytes:
        """The message as JSON."""
        if not self._message:
            return b""
        message = {**self._message, "content": [dict(b) for b in self._message["content"]]}
        for index, fields in self._pieces.items():
            for name, pieces in fields.items():
                block = message["content"][index]
                block[name] = _joined(name, block.get(name), pieces)
        if not self.is_whole:  # the count of a message that was begun says nothing of its length
            message["usage"] = {**(message.get("usage") or {}), "output_tokens": None}
        return json.dumps(message).encode()


def _joined(name: str, start: Any, pieces: list[str]) -> Any:
    text = "".join(pieces)
    if name != "input":
        return (start if isinstance(start, str) else "") + text
    try:
        return json.loads(text or "{}")
    except ValueError:
        return {"partial_json": text}  # what a stream that broke off left


class ChatEvents(Assembler):
    """Chunks of the Chat Completions API; they add up to a completion."""

    def __init__(self) -> None:
        super().__init__()
        self._head: dict[str, Any] = {}
        self._message: dict[str, Any] = {"role": "assistant"}
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish: str | None = None
        self._usage: dict[str, Any] | None = None

    def end(self) -> None:
        """Take note that the stream ended; without a reason to finish it was cut."""
        self.is_whole = self._finish is not None

    def _take(self, chunk: dict[str, Any]) -> None:
        if chunk.get("error"):
            error = chunk["error"]
            self.error = str(error.get("type") if isinstance(error, dict) else "error")[:60]
            return
        self._head = {k: v for k, v in chunk.items() if k not in ("choices", "usage", "object")}
        self._usage = chunk.get("usage") or self._usage
        for choice in chunk.get("choices") or []:
            self._delta(_object_in(choice, "delta"))
            self._finish = choice.get("finish_reason") or self._finish

    def _delta(self, delta: dict[str, Any]) -> None:
        for name, value in delta.items():
            if name == "tool_calls":
                for call in value or []:
                    self._call(call)
            elif name == "content" and value is not None:  # some servers send parts
                self._texts.setdefault(name, []).append(plain(value))
            elif isinstance(value, str) and name != "role":
                self._texts.setdefault(name, []).append(value)
            elif value is not None and name != "role":
                self._message[name] = value

    def _call(self, call: dict[str, Any]) -> None:
        index = call.get("index") or 0
        known = self._calls.setdefault(
            index, {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        )
        function = call.get("function") or {}
        known["id"] = call.get("id") or known["id"]
        known["function"]["name"] += function.get("name") or ""
        known["function"]["arguments"] += function.get("arguments") or ""

    @property
    def body(self) -> bytes:
        """The completion as JSON."""
        if not self._head:
            return b""
        texts = {name: "".join(pieces) for name, pieces in self._texts.items()}
        message = {**self._message, "content": None, **texts}
        if self._calls:
            message["tool_calls"] = [call for _, call in sorted(self._calls.items())]
        choice = {"index": 0, "message": message, "finish_reason": self._finish}
        head = {**self._head, "object": "chat.completion", "choices": [choice]}
        return json.dumps({**head, "usage": self._usage}).encode()


def assembler(dialect: Dialect) -> Assembler:
    """Return what adds up the streams of a dialect."""
    return MessageEvents() if dialect is Dialect.MESSAGES else ChatEvents()


def _object_in(data: dict[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    if not isinstance(value, dict):
        raise ValueError(f"{name} is no object")
    return dict(value)
