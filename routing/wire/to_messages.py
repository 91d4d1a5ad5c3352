"""What becomes Anthropic Messages: requests on their way out, replies on their way back.

Nothing that changes what the answer means is dropped: a request that carries it is refused. Only
hints about price, caching and storage go. An optional field that is null or an empty list counts
as absent. Replies are written by `to_messages_reply` and `to_messages_stream`. The other direction
is `to_chat`.

Source: the request bodies of both APIs' references.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from routing.errors import InvalidRequest
from routing.wire import fields
from routing.wire.body import require
from routing.wire.fields import EFFORTS, brief
from routing.wire.fields import kind as _kind
from routing.wire.fields import string as _string
from routing.wire.to_messages_reply import arguments, call_id, error, reply, tool_use
from routing.wire.to_messages_stream import Stream

__all__ = ["DEFAULT_MAX_TOKENS", "Stream", "error", "reply", "request"]

#: For requests that name no limit: Messages asks for one, Chat Completions does not.
DEFAULT_MAX_TOKENS = 8192
_CANNOT = "cannot be sent to a model behind the Messages API"
_HINTS = ("prompt_cache_breakpoint",)
_INSTRUCT = ("system", "developer")
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_IMAGE = re.compile(r"data:(image/(?:jpeg|png|gif|webp));base64,([A-Za-z0-9+/]+={0,2})")
_PDF = re.compile(r"data:(application/pdf);base64,([A-Za-z0-9+/]+={0,2})")

_fields = partial(fields.fields, cannot=_CANNOT, hints=_HINTS)
_dropped = partial(fields.dropped, cannot=_CANNOT)


def request(payload: dict[str, Any]) -> dict[str, Any]:
    """Return the Messages body of a Chat Completions body; neither names a model.

    Raises:
        InvalidRequest: naming the first field that cannot be carried.
    """
    given = _fields("", payload, ("messages", *_WRITERS))
    body = _conversation(given.get("messages")) | {"max_tokens": DEFAULT_MAX_TOKENS}
    for name, write in _WRITERS.items():
        for key, value in write(given[name]).items() if name in given else ():
            # Two fields write into output_config.
            body[key] = body.get(key, {}) | value if isinstance(value, dict) else value
    if given.get("parallel_tool_calls") is False and "tools" in given:
        choice = body.setdefault("tool_choice", {"type": "auto"})
        choice |= {} if choice["type"] == "none" else {"disable_parallel_tool_use": True}
    return body


def _conversation(messages: Any) -> dict[str, Any]:
    """Return `system` and `messages`: one holds all instructions, the other the turns."""
    system: list[str] = []
    turns: list[dict[str, Any]] = []
    after_tool = False
    for role, blocks in fields.items("messages", messages, _turn):
        if role in _INSTRUCT:
            system += [block["text"] for block in blocks]
        elif blocks and after_tool and role in ("tool", "user"):
            turns[-1]["content"] += blocks
        elif blocks:
            author = "assistant" if role == "assistant" else "user"
            turns.append({"role": author, "content": blocks})
        after_tool = role == "tool" or (after_tool and role in _INSTRUCT)
    require(bool(turns), "messages: at least one message that is not empty is required")
    require(turns[-1]["role"] == "user", f"messages: a last turn to be continued {_CANNOT}")
    return {"messages": turns} | ({"system": "\n\n".join(system)} if system else {})


def _turn(where: str, message: Any) -> tuple[str, list[Any]]:
    require(isinstance(message, dict), f"{where}: Input should be an object")
    role = _string(where, message, "role")
    require(role in _ROLES, f"{where}.role: {brief(role)} {_CANNOT}")
    return role, _ROLES[role](where, message)


def _blocks(where: str, content: Any, part: Callable[[str, Any], dict[str, Any]]) -> list[Any]:
    """Return a content's blocks without empty texts, which the Messages API refuses."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    require(isinstance(content, list), f"{where}: Input should be a string or a list of parts")
    blocks = [part(f"{where}.{n}", value) for n, value in enumerate(content)]
    return [block for block in blocks if block.get("text") != ""]


def _text(where: str, part: Any) -> dict[str, Any]:
    kind = _kind(where, part)
    require(kind == "text", f"{where}: {brief(kind)} {_CANNOT}")
    return {"type": "text", "text": _string(where, _fields(where, part, ("type", "text")), "text")}


def _said(where: str, part: Any) -> dict[str, Any]:
    if isinstance(part, dict) and part.get("type") == "refusal":
        given = _fields(where, part, ("type", "refusal"))
        return {"type": "text", "text": _string(where, given, "refusal")}
    return _text(where, part)


def _part(where: str, part: Any) -> dict[str, Any]:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "image_url":
        value = _fields(where, part, ("type", "image_url")).get("image_url")
        return {"type": "image", "source": _image(f"{where}.image_url", value)}
    if kind == "file":
        return _document(f"{where}.file", _fields(where, part, ("type", "file")).get("file"))
    return _text(where, part)


def _image(where: str, value: Any) -> dict[str, Any]:
    url = _string(where, _fields(where, value, ("url", "detail")), "url")
    if re.match(r"https?://", url, re.IGNORECASE):
        return {"type": "url", "url": url}
    known = "Input should be a web address or a data URL of a JPEG, PNG, GIF or WebP in base64"
    return _base64(f"{where}.url: {known}", _IMAGE, url)


def _base64(refusal: str, pattern: re.Pattern[str], url: str) -> dict[str, Any]:
    match = pattern.fullmatch(url)
    if match is None:
        raise InvalidRequest(refusal)
    return {"type": "base64", "media_type": match[1], "data": match[2]}


def _document(where: str, value: Any) -> dict[str, Any]:
    given = _fields(where, value, ("file_data", "filename"))
    refusal = f"{where}.file_data: Input should be a data URL of a PDF in base64"
    source = _base64(refusal, _PDF, _string(where, given, "file_data"))
    title = {"title": _string(where, given, "filename")} if "filename" in given else {}
    return {"type": "document", "source": source} | title


def _instructions(where: str, message: dict[str, Any]) -> list[Any]:
    given = _fields(where, message, ("role", "content"))
    return _blocks(f"{where}.content", given.get("content", []), _text)


def _asked(where: str, message: dict[str, Any]) -> list[Any]:
    given = _fields(where, message, ("role", "content"))
    return _blocks(f"{where}.content", given.get("content", []), _part)


def _answered(where: str, message: dict[str, Any]) -> list[Any]:
    given = _fields(where, message, ("role", "content", "refusal", "tool_calls"))
    blocks = _blocks(f"{where}.content", given.get("content", []), _said)
    if given.get("refusal"):
        blocks.append({"type": "text", "text": _string(where, given, "refusal")})
    calls = given.get("tool_calls", [])
    require(isinstance(calls, list), f"{where}.tool_calls: Input should be a valid list")
    return blocks + [_called(f"{where}.tool_calls.{n}", call) for n, call in enumerate(calls)]


def _called(where: str, call: Any) -> dict[str, Any]:
    # Some clients send the index of the stream's piece back.
    given = _fields(where, call, ("id", "type", "function", "index"))
    require(given.get("type", "function") == "function", f"{where}.type: {_CANNOT}")
    at = f"{where}.function"
    function = _fields(at, given.get("function"), ("name", "arguments"))
    try:
        value = arguments(_string(at, function, "arguments"))
    except ValueError as exc:
        raise InvalidRequest(f"{at}.arguments: Input should be a JSON object in a string") from exc
    id_ = call_id(_string(where, given, "id"))
    return tool_use(id_, _string(at, function, "name"), value)


def _result(where: str, message: dict[str, Any]) -> list[Any]:
    # The name repeats that of the call, which the id already names.
    given = _fields(where, message, ("role", "content", "tool_call_id", "name"))
    blocks = _blocks(f"{where}.content", given.get("content", []), _text)
    id_ = call_id(_string(where, given, "tool_call_id"))
    block = {"type": "tool_result", "tool_use_id": id_}
    return [block | ({"content": blocks} if blocks else {})]


_ROLES: dict[str, Callable[[str, dict[str, Any]], list[Any]]] = {
    "system": _instructions,
    "developer": _instructions,
    "user": _asked,
    "assistant": _answered,
    "tool": _result,
}


def _limit(name: str) -> Callable[[Any], dict[str, Any]]:
    def write(value: Any) -> dict[str, Any]:
        is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 1
        require(is_count, f"{name}: Input should be an integer of at least 1")
        return {"max_tokens": value}

    return write


def _temperature(value: Any) -> dict[str, Any]:
    require(isinstance(value, int | float), "temperature: Input should be a number")
    require(value <= 1, f"temperature: more than 1 {_CANNOT}")
    return {"temperature": value}


def _stop(value: Any) -> dict[str, Any]:
    stops = [value] if isinstance(value, str) else value
    known = isinstance(stops, list) and all(isinstance(stop, str) for stop in stops)
    require(known, "stop: Input should be a string or a list of strings")
    return {"stop_sequences": stops}


def _user_id(value: Any) -> dict[str, Any]:
    return {"metadata": {"user_id": value}}


def _response_format(value: Any) -> dict[str, Any]:
    at = "response_format"
    kind = _kind(at, value)
    known = ("type", *(["json_schema"] if kind == "json_schema" else []))
    given = _fields(at, value, known)
    if kind == "text":
        return {}
    require(kind == "json_schema", f"{at}: {brief(kind)} {_CANNOT}")
    # The name is a label, and the answer always keeps to the schema there.
    inner = _fields(f"{at}.json_schema", given.get("json_schema"), ("name", "schema", "strict"))
    require(isinstance(inner.get("schema"), dict), f"{at}.json_schema.schema: Field required")
    return {"output_config": {"format": {"type": "json_schema", "schema": inner["schema"]}}}


def _tools(tools: Any) -> dict[str, Any]:
    return {"tools": fields.items("tools", tools, _tool)}


def _tool(where: str, tool: Any) -> dict[str, Any]:
    kind = _kind(where, tool)
    require(kind == "function", f"{where}.type: {brief(kind)} {_CANNOT}")
    function = _fields(where, tool, ("type", "function")).get("function")
    at = f"{where}.function"
    given = _fields(at, function, ("name", "description", "parameters", "strict"))
    schema = given.get("parameters", {})
    require(isinstance(schema, dict), f"{at}.parameters: Input should be an object")
    rest = {name: given[name] for name in ("description", "strict") if name in given}
    schema = schema or {"type": "object", "properties": {}}
    return {"name": _string(at, given, "name"), "input_schema": schema} | rest


def _tool_choice(value: Any) -> dict[str, Any]:
    at = "tool_choice"
    if isinstance(value, str):
        require(value in _CHOICES, f"{at}: {brief(value)} {_CANNOT}")
        return {"tool_choice": {"type": _CHOICES[value]}}
    kind = _kind(at, value)
    require(kind == "function", f"{at}.type: {brief(kind)} {_CANNOT}")
    given = _fields(at, value, ("type", "function"))
    function = _fields(f"{at}.function", given.get("function"), ("name",))
    return {"tool_choice": {"type": "tool", "name": _string(f"{at}.function", function, "name")}}


def _effort(value: Any) -> dict[str, Any]:
    require(value in EFFORTS, f"reasoning_effort: {brief(value)} {_CANNOT}")
    return {"output_config": {"effort": value}}


#: In the order of writing: the newer of two names for one thing comes last and wins.
_WRITERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "max_tokens": _limit("max_tokens"),
    "max_completion_tokens": _limit("max_completion_tokens"),
    "temperature": _temperature,
    "top_p": lambda value: {"top_p": value},
    "stop": _stop,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _dropped("parallel_tool_calls", True, False),
    "user": _user_id,
    "safety_identifier": _user_id,
    "response_format": _response_format,
    "reasoning_effort": _effort,
    "stream": lambda value: {"stream": True} if value else {},
    "n": _dropped("n", 1),
    "store": _dropped("store", False),
    "logprobs": _dropped("logprobs", False),
    "top_logprobs": _dropped("top_logprobs", 0),
    "frequency_penalty": _dropped("frequency_penalty", 0),
    "presence_penalty": _dropped("presence_penalty", 0),
    "logit_bias": _dropped("logit_bias", {}),
    "modalities": _dropped("modalities", ["text"]),
    "service_tier": _dropped("service_tier", "auto", "default"),
    "verbosity": _dropped("verbosity", "medium"),
} | {
    name: _dropped(name)
    for name in (
        "seed",
        "metadata",
        "stream_options",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
    )
}
