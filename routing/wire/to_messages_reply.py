"""Replies and errors of Chat Completions, written as those of the Messages API.

Source: the objects of both APIs' references.
"""

from __future__ import annotations

import json
import re
from typing import Any

from routing.errors import InvalidRequest
from routing.wire.body import load

_STOP = {
    "length": "max_tokens",
    "model_length": "max_tokens",  # Mistral: the context window is full
    "content_filter": "refusal",
}
#: The server gave up amid the answer (Mistral, OpenRouter; DeepSeek).
_BROKEN = ("error", "insufficient_system_resource")
_KINDS = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def reply(completion: dict[str, Any]) -> dict[str, Any]:
    """Return the Message of a chat completion; a model's reasoning text is left out.

    Raises:
        ValueError: when it is not what the API sends, or the arguments of a tool call are no JSON
            object although the answer was not cut off.
    """
    try:
        return _whole(completion)
    except (LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise ValueError("the reply is not of the Chat Completions API") from exc


def _whole(completion: dict[str, Any]) -> dict[str, Any]:
    choice = completion["choices"][0]
    head, said, finish = message(completion), choice["message"], choice.get("finish_reason")
    check_function_call(said)
    texts = [text for text in (plain(said.get("content")), plain(said.get("refusal"))) if text]
    content: list[dict[str, Any]] = [{"type": "text", "text": text} for text in texts]
    calls = said.get("tool_calls") or []
    is_cut = finish in _STOP
    content += [_call(head, n, call, is_cut) for n, call in enumerate(calls)]
    stop = stop_reason(finish, bool(calls), bool(said.get("refusal")))
    return head | {"content": content, "stop_reason": stop}


def _call(head: dict[str, Any], n: int, call: dict[str, Any], is_cut: bool) -> dict[str, Any]:
    function = call["function"]
    id_ = call_id(call.get("id") or "") or made_up(head, n)
    if not isinstance(function["name"], str) or not function["name"]:
        raise TypeError("a tool call has no name")
    try:
        value = arguments(function.get("arguments") or "")
    except ValueError:
        # Cut off amid them: nobody runs a call that the limit ended, but the text is worth having.
        if not is_cut:
            raise
        value = {}
    return tool_use(id_, function["name"], value)


def message(completion: dict[str, Any]) -> dict[str, Any]:
    """Return a Message without content, of a completion or the first chunk of one."""
    return {
        "id": f"msg_{completion.get('id') or ''}",
        "type": "message",
        "role": "assistant",
        "model": completion.get("model") or "",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage(completion.get("usage") or {}),
    }


def plain(content: Any) -> str:
    """Return the text of a reply's content; some servers send a list of parts, with reasoning.

    Raises:
        TypeError: when there is something else in it.
    """
    if content is None or isinstance(content, str):
        return content or ""
    parts = [part for part in content if part["type"] not in ("thinking", "reasoning")]
    if any(part["type"] != "text" for part in parts):
        raise TypeError("a reply has more than text")
    return "".join(part["text"] for part in parts)


def check_function_call(said: dict[str, Any]) -> None:
    """Refuse a call in the way of old; no request that asks for it comes through here.

    Raises:
        TypeError: when there is one.
    """
    if said.get("function_call"):
        raise TypeError("a reply calls a function that is no tool")


def arguments(text: str) -> dict[str, Any]:
    """Return what a model wrote as arguments; nothing means no arguments.

    Raises:
        ValueError: when it is not a JSON object.
    """
    try:
        return load(text.encode()) if text.strip() else {}
    except InvalidRequest as exc:
        raise ValueError("the arguments of a tool call are not a JSON object") from exc


def tool_use(id_: str, name: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return the block of a tool call."""
    return {"type": "tool_use", "id": id_, "name": name, "input": value}


def call_id(id_: str) -> str:
    """Return the id of a call in the letters that the Messages API takes back."""
    return re.sub("[^A-Za-z0-9_-]", "_", id_)


def made_up(head: dict[str, Any], n: int) -> str:
    """Return an id for a call that has none; some servers send none, Messages asks for one.

    It has fewer than 40 letters, the most that OpenAI takes.
    """
    return f"toolu_{call_id(head['id'])[-28:]}_{n}"


def stop_reason(finish: Any, has_calls: bool, refused: bool) -> str:
    """Return why an answer ended.

    Raises:
        ValueError: when the server gave up amid it.
    """
    if finish in _BROKEN:
        raise ValueError("the provider broke off its answer")
    if refused:
        return "refusal"
    # A call that was asked for by name ends with `stop`, and some servers end every one so.
    return _STOP.get(str(finish)) or ("tool_use" if has_calls else "end_turn")


def usage(said: dict[str, Any]) -> dict[str, Any]:
    """Count what went in and out of a cache apart, as Messages does; a missing count is 0."""
    details = said.get("prompt_tokens_details") or {}
    read, written = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    return {
        "input_tokens": max((said.get("prompt_tokens") or 0) - read - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
        "output_tokens": said.get("completion_tokens") or 0,
    }


def error(body: bytes, status: int) -> bytes:
    """Return the provider's error in the client's shape, whatever bytes it came in."""
    try:
        said = json.loads(body)
        said = said.get("error") or said.get("detail") or said
        told = said if isinstance(said, str) else said["message"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        told = f"The provider answered with status {status}."
    other = "invalid_request_error" if 400 <= status < 500 else "api_error"
    inner = {"type": _KINDS.get(status, other), "message": str(told)}
    return json.dumps({"type": "error", "error": inner}).encode()
