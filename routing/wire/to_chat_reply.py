"""Replies and errors of the Messages API, written as those of Chat Completions.

Source: the objects of both APIs' references.
"""

from __future__ import annotations

import json
from typing import Any

_FINISH = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def reply(message: dict[str, Any], created: int) -> dict[str, Any]:
    """Return the chat completion of a Message; thinking is left out.

    Args:
        message: the provider's reply.
        created: Unix time, which a Message does not tell.

    Raises:
        ValueError: when it is not what the API sends.
    """
    try:
        return _completion(message, created)
    except (LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise ValueError("the reply is not of the Messages API") from exc


def _completion(message: dict[str, Any], created: int) -> dict[str, Any]:
    blocks = message["content"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = [_called(block) for block in blocks if block["type"] == "tool_use"]
    said: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
    said |= {"tool_calls": calls} if calls else {}
    finish = finish_reason(message.get("stop_reason"))
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish}
    head = {"id": f"chatcmpl-{message['id']}", "object": "chat.completion", "created": created}
    counts = usage(message.get("usage") or {})
    return head | {"model": message["model"], "choices": [choice], "usage": counts}


def _called(block: dict[str, Any]) -> dict[str, Any]:
    value = block["input"]
    if not isinstance(value, dict):
        raise TypeError("the input of a tool call is no object")
    return tool_call(block["id"], block["name"], value)


def tool_call(id_: str, name: str, value: Any) -> dict[str, Any]:
    """Return a whole tool call; its arguments are JSON in a string."""
    function = {"name": name, "arguments": json.dumps(value, ensure_ascii=False)}
    return {"id": id_, "type": "function", "function": function}


def finish_reason(stop: str | None) -> str:
    """Return why an answer ended; reasons without a counterpart are a plain end."""
    return _FINISH.get(stop or "", "stop")


def usage(said: dict[str, Any]) -> dict[str, Any]:
    """Count the whole prompt, as Chat Completions does; a count that is missing is 0."""
    read = said.get("cache_read_input_tokens") or 0
    written = said.get("cache_creation_input_tokens") or 0
    prompt = (said.get("input_tokens") or 0) + written + read
    answer = said.get("output_tokens") or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
    }


def error(body: bytes, status: int) -> bytes:
    """Return the provider's error in the client's shape, whatever bytes it came in."""
    try:
        said = json.loads(body)["error"]
        message, kind = said["message"], said["type"]
    except (ValueError, LookupError, TypeError, RecursionError):
        message = f"The provider answered with status {status}."
        kind = "invalid_request_error" if status < 500 else "api_error"
    told = {"message": str(message), "type": str(kind), "param": None, "code": None}
    return json.dumps({"error": told}).encode()
