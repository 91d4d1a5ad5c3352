"""What becomes OpenAI Chat Completions: requests on their way out, replies on their way back.

Nothing that changes what the answer means is dropped: a request that carries it is refused. Only
hints about price and caching go. An optional field that is null or an empty list counts as absent.
Replies are written by `to_chat_reply` and `to_chat_stream`. The other direction is `to_messages`.

Source: the request bodies of both APIs' references.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

from routing.wire import fields
from routing.wire.body import require
from routing.wire.fields import EFFORTS, brief
from routing.wire.fields import kind as _kind
from routing.wire.fields import string as _string
from routing.wire.to_chat_reply import error, reply, tool_call
from routing.wire.to_chat_stream import Stream

__all__ = ["Stream", "error", "reply", "request"]

_CANNOT = "cannot be sent to a model behind the Chat Completions API"
#: What concerns price, caching or how soon a piece arrives, never what it says.
_HINTS = ("cache_control", "eager_input_streaming")
_MOST_STOPS = 4
#: What these fields of a tool say when they are absent.
_TOOL_DEFAULTS = {"allowed_callers": ["direct"], "defer_loading": False}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}

_fields = partial(fields.fields, cannot=_CANNOT, hints=_HINTS)
_harmless = partial(fields.harmless, cannot=_CANNOT)
_dropped = partial(fields.dropped, cannot=_CANNOT)


def request(payload: dict[str, Any], *, limit_field: str = "max_tokens") -> dict[str, Any]:
    """Return the Chat Completions body of a Messages body; neither names a model.

    Args:
        payload: checked by `anthropic.parse`.
        limit_field: `max_tokens`, or `max_completion_tokens` where only that is known.

    Raises:
        InvalidRequest: naming the first field that cannot be carried.
    """
    given = _fields("", payload, ("messages", "system", "max_tokens", *_WRITERS))
    last = given["messages"][-1]["role"]
    require(last != "assistant", f"messages: a last turn to be continued {_CANNOT}")
    head = _system("system", given["system"]) if given.get("system") else []
    turns = (_turns(f"messages.{n}", message) for n, message in enumerate(given["messages"]))
    messages = [*head, *chain.from_iterable(turns)]
    require(len(messages) > len(head), "messages: at least one that is not empty is required")
    body: dict[str, Any] = {"messages": messages, limit_field: given["max_tokens"]}
    for name, write in _WRITERS.items():
        body |= write(given[name]) if name in given else {}
    return body


def _texts(where: str, content: Any) -> list[str]:
    """Return the texts of a content that may hold nothing else."""
    if isinstance(content, str):
        return [content]
    require(isinstance(content, list), f"{where}: Input should be a string or a list of objects")
    return [_text(f"{where}.{n}", block) for n, block in enumerate(content)]


def _text(where: str, block: Any) -> str:
    kind = _kind(where, block)
    require(kind == "text", f"{where}: {brief(kind)} {_CANNOT}")
    return _string(where, _fields(where, block, ("type", "text")), "text")


def _system(where: str, content: Any) -> list[dict[str, Any]]:
    return [{"role": "system", "content": "\n\n".join(_texts(where, content))}]


def _turns(where: str, message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages that one turn becomes: every tool result is one of its own."""
    given = _fields(where, message, ("role", "content"))
    content, at = given.get("content", []), f"{where}.content"
    if given["role"] == "system":
        return _system(at, content)
    return _assistant(at, content) if given["role"] == "assistant" else _user(at, content)


def _assistant(where: str, content: Any) -> list[dict[str, Any]]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    texts, calls = [], []
    for n, block in enumerate(blocks):
        at = f"{where}.{n}"
        if _kind(at, block) == "tool_use":
            calls.append(_called(at, block))
        else:
            texts.append(_text(at, block))
    said = {"role": "assistant", "content": "".join(texts) or (None if calls else "")}
    return [said | ({"tool_calls": calls} if calls else {})]


def _called(where: str, block: dict[str, Any]) -> dict[str, Any]:
    given = _fields(where, block, ("type", "id", "name", "input", "caller"))
    # Replies name who called; a call by other than the model itself has no counterpart.
    _harmless(where, given, "caller", {"type": "direct"})
    require(isinstance(given.get("input"), dict), f"{where}.input: Input should be an object")
    return tool_call(_string(where, given, "id"), _string(where, given, "name"), given["input"])


def _user(where: str, content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"role": "user", "content": content}]
    results, parts = [], []
    for n, block in enumerate(content):
        at = f"{where}.{n}"
        if _kind(at, block) == "tool_result":
            results.append(_result(at, block))
        else:
            parts.append(_part(at, block))
    alone = len(parts) == 1 and parts[0]["type"] == "text"
    said = {"role": "user", "content": parts[0]["text"] if alone else parts}
    return [*results, *([said] if parts else [])]


def _result(where: str, block: dict[str, Any]) -> dict[str, Any]:
    given = _fields(where, block, ("type", "tool_use_id", "content", "is_error"))
    text = "\n".join(_texts(f"{where}.content", given.get("content", "")))
    failed = given.get("is_error", False)
    require(isinstance(failed, bool), f"{where}.is_error: Input should be a valid boolean")
    return {
        "role": "tool",
        "tool_call_id": _string(where, given, "tool_use_id"),
        "content": f"Error: {text}" if failed else text,
    }


def _part(where: str, block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "image":
        given = _fields(where, block, ("type", "source", "transformations"))
        _harmless(where, given, "transformations", {}, {"oversized_image": "downsize"})
        url = _image_url(f"{where}.source", given.get("source"))
        return {"type": "image_url", "image_url": {"url": url}}
    if block["type"] == "document":
        return _document(where, block)
    return {"type": "text", "text": _text(where, block)}


def _image_url(where: str, source: Any) -> str:
    kind = _kind(where, source)
    if kind == "url":
        return _string(where, _fields(where, source, ("type", "url")), "url")
    require(kind == "base64", f"{where}.type: {brief(kind)} {_CANNOT}")
    given = _fields(where, source, ("type", "media_type", "data"))
    media_type, data = _string(where, given, "media_type"), _string(where, given, "data")
    return f"data:{media_type};base64,{data}"


def _document(where: str, block: dict[str, Any]) -> dict[str, Any]:
    given = _fields(where, block, ("type", "source", "title", "context", "citations"))
    _harmless(where, given, "citations", {"enabled": False}, {})
    at, source = f"{where}.source", given.get("source")
    heads = [_string(where, given, name) for name in ("title", "context") if name in given]
    if _kind(at, source) == "base64":
        require("context" not in given, f"{where}.context: {_CANNOT}")
        return _pdf(at, source, heads[0] if heads else "document.pdf")
    return {"type": "text", "text": "\n\n".join([*heads, *_document_texts(at, source)])}


def _document_texts(where: str, source: Any) -> list[str]:
    kind = _kind(where, source)
    if kind == "text":
        return [_string(where, _fields(where, source, ("type", "media_type", "data")), "data")]
    require(kind == "content", f"{where}.type: {brief(kind)} {_CANNOT}")
    given = _fields(where, source, ("type", "content"))
    return _texts(f"{where}.content", given.get("content"))


def _pdf(where: str, source: Any, filename: str) -> dict[str, Any]:
    given = _fields(where, source, ("type", "media_type", "data"))
    media_type = given.get("media_type")
    known = media_type == "application/pdf"
    require(known, f"{where}.media_type: {brief(media_type)} {_CANNOT}")
    data = f"data:application/pdf;base64,{_string(where, given, 'data')}"
    return {"type": "file", "file": {"filename": filename, "file_data": data}}


def _tools(tools: Any) -> dict[str, Any]:
    return {"tools": fields.items("tools", tools, _tool)}


def _tool(where: str, tool: Any) -> dict[str, Any]:
    require(isinstance(tool, dict), f"{where}: Input should be an object")
    kind = tool.get("type")
    require(kind in (None, "custom"), f"{where}.type: {brief(kind)} {_CANNOT}")
    known = ("type", "name", "description", "input_schema", "strict", *_TOOL_DEFAULTS)
    given = _fields(where, tool, known)
    for name, default in _TOOL_DEFAULTS.items():
        _harmless(where, given, name, default)
    schema = given.get("input_schema")
    require(isinstance(schema, dict), f"{where}.input_schema: Input should be an object")
    function = {"name": _string(where, given, "name"), "parameters": schema}
    function |= {name: given[name] for name in ("description", "strict") if name in given}
    return {"type": "function", "function": function}


def _tool_choice(value: Any) -> dict[str, Any]:
    at = "tool_choice"
    kind = _kind(at, value)
    require(kind == "tool" or kind in _CHOICES, f"{at}.type: {brief(kind)} {_CANNOT}")
    known = ("type", "disable_parallel_tool_use", *(["name"] if kind == "tool" else []))
    given = _fields(at, value, known)
    choice: Any = _CHOICES.get(kind)
    if kind == "tool":
        choice = {"type": "function", "function": {"name": _string(at, given, "name")}}
    single = given.get("disable_parallel_tool_use", False)
    is_flag = isinstance(single, bool)
    require(is_flag, f"{at}.disable_parallel_tool_use: Input should be a valid boolean")
    return {"tool_choice": choice} | ({"parallel_tool_calls": False} if single else {})


def _stop(value: Any) -> dict[str, Any]:
    require(isinstance(value, list), "stop_sequences: Input should be a valid list")
    require(len(value) <= _MOST_STOPS, f"stop_sequences: more than {_MOST_STOPS} {_CANNOT}")
    return {"stop": value}


def _metadata(value: Any) -> dict[str, Any]:
    given = _fields("metadata", value, ("user_id",))
    return {"user": given["user_id"]} if given else {}


def _output_config(value: Any) -> dict[str, Any]:
    given = _fields("output_config", value, ("effort", "format"))
    body: dict[str, Any] = {}
    if "effort" in given:
        effort = given["effort"]
        require(effort in EFFORTS, f"output_config.effort: {brief(effort)} {_CANNOT}")
        body["reasoning_effort"] = effort
    if "format" in given:
        body["response_format"] = _format("output_config.format", given["format"])
    return body


def _format(where: str, value: Any) -> dict[str, Any]:
    given = _fields(where, value, ("type", "schema"))
    known = given.get("type") == "json_schema" and isinstance(given.get("schema"), dict)
    require(known, f"{where}: Input should be a json_schema with its schema")
    answer = {"name": "answer", "strict": True, "schema": given["schema"]}
    return {"type": "json_schema", "json_schema": answer}


_WRITERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "temperature": lambda value: {"temperature": value},
    "top_p": lambda value: {"top_p": value},
    "stop_sequences": _stop,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "metadata": _metadata,
    "output_config": _output_config,
    "thinking": _dropped("thinking", {"type": "disabled"}),
    "service_tier": _dropped("service_tier", "auto"),
    "speed": _dropped("speed", "standard"),
    "diagnostics": _dropped("diagnostics"),
    "stream": lambda on: {"stream": True, "stream_options": {"include_usage": True}} if on else {},
}
