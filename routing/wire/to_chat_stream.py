"""Streams of the Messages API, written as those of Chat Completions.

Source: the streams of both APIs' references.
"""

from __future__ import annotations

import json
from typing import Any

from routing.wire import sse
from routing.wire.to_chat_reply import error, finish_reason, usage


class Stream:
    """Writes the events of a Messages stream as those of a chat completion.

    Args:
        created: Unix time of the completion.
        include_usage: whether the client asked for the chunk with the token counts.
    """

    def __init__(self, created: int, include_usage: bool) -> None:
        self._created = created
        self._include_usage = include_usage
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._calls: dict[int, int] = {}
        self._silent: dict[int, str] = {}  # calls without a piece yet: what they began with
        self._ended = False

    def feed(self, event: sse.Event) -> list[bytes]:
        """Return the events that this one becomes; often none.

        Raises:
            ValueError: when the data is not what the API sends.
        """
        if event.data is None or self._ended:
            return []
        try:
            return self._write(json.loads(event.data), event.data)
        except (LookupError, TypeError, AttributeError, RecursionError) as exc:
            raise ValueError("an event is not of the Messages API") from exc

    def _write(self, data: dict[str, Any], raw: str) -> list[bytes]:
        match data.get("type"):
            case "message_start":
                return self._start(data["message"])
            case "content_block_start":
                return self._begin(data["index"], data["content_block"])
            case "content_block_delta":
                return self._delta(data["index"], data["delta"])
            case "content_block_stop" if data["index"] in self._silent:
                return [self._arguments(data["index"], self._silent[data["index"]])]
            case "message_delta":
                return self._stop(data)
            case "message_stop":
                return self._end()
            case "error":
                self._ended = True
                return [sse.write(error(raw.encode(errors="replace"), 500).decode())]
        return []

    def _start(self, message: dict[str, Any]) -> list[bytes]:
        self._message = message
        self._usage = dict(message.get("usage") or {})
        return [self._chunk({"role": "assistant", "content": ""})]

    def _stop(self, data: dict[str, Any]) -> list[bytes]:
        said = data.get("usage") or {}
        self._usage |= {name: n for name, n in said.items() if n is not None}
        stop = data["delta"].get("stop_reason")
        return [self._chunk({}, finish_reason(stop))] if stop else []

    def _end(self) -> list[bytes]:
        self._ended = True
        counts = [self._event([], usage(self._usage))] if self._include_usage else []
        return [*counts, sse.write("[DONE]")]

    def _begin(self, index: int, block: dict[str, Any]) -> list[bytes]:
        if block["type"] == "text":
            return [self._chunk({"content": block["text"]})] if block.get("text") else []
        if block["type"] != "tool_use":
            return []
        self._calls[index] = len(self._calls)
        # Some servers tell the whole input here, and no piece of it afterwards.
        self._silent[index] = json.dumps(block.get("input") or {})
        function = {"name": block["name"], "arguments": ""}
        call = {"id": block["id"], "type": "function", "function": function}
        return [self._chunk({"tool_calls": [{"index": self._calls[index]} | call]})]

    def _delta(self, index: int, delta: dict[str, Any]) -> list[bytes]:
        if delta["type"] == "text_delta":
            return [self._chunk({"content": delta["text"]})]
        is_input = delta["type"] == "input_json_delta" and index in self._calls
        piece = delta["partial_json"] if is_input else ""
        return [self._arguments(index, piece)] if piece else []

    def _arguments(self, index: int, piece: str) -> bytes:
        self._silent.pop(index, None)
        call = {"index": self._calls[index], "function": {"arguments": piece}}
        return self._chunk({"tool_calls": [call]})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._event([choice], None)

    def _event(self, choices: list[dict[str, Any]], counts: dict[str, Any] | None) -> bytes:
        head = {"id": f"chatcmpl-{self._message['id']}", "object": "chat.completion.chunk"}
        body = head | {"created": self._created, "model": self._message["model"]}
        body |= {"choices": choices} | ({"usage": counts} if self._include_usage else {})
        # Escaped: a piece may end in half a character, which UTF-8 cannot hold.
        return sse.write(json.dumps(body))
