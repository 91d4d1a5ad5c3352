"""What becomes Anthropic Messages: requests on their way out, replies on their way back.

Nothing that changes what the answer means is dropped: a request that carries it is refused. Only
hints about price, caching and storage go. An optional field that is null or an empty list counts
as absent. The other direction is `to_chat`.

Source: the request bodies, objects and streams of both APIs' references.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from routing.errors import InvalidRequest
from routing.wire import sse
from routing.wire.body import load, require

#: For requests that name no limit: Messages asks for one, Chat Completions does not.
DEFAULT_MAX_TOKENS = 8192
_CANNOT = "cannot be sent to a model behind the Messages API"
_HINTS = ("prompt_cache_breakpoint",)
_EFFORTS = ("low", "medium", "high")
_CHOICES = {"auto": "auto", "required": "any", "none": "none"}
_IMAGE = re.compile(r"data:(image/(?:jpeg|png|gif|webp));base64,([A-Za-z0-9+/]+={0,2})")
_PDF = re.compile(r"data:(application/pdf);base64,([A-Za-z0-9+/]+={0,2})")
_STOP = {
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


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


def _fields(where: str, value: Any, known: tuple[str, ...]) -> dict[str, Any]:
    """Return what is set of an object; refuse what has no counterpart."""
    require(isinstance(value, dict), f"{where}: Input should be an object")
    given = {k: v for k, v in value.items() if v is not None and v != [] and k not in _HINTS}
    for name in given:
        require(name in known, f"{where}.{name}: {_CANNOT}".removeprefix("."))
    return given


def _string(where: str, given: dict[str, Any], name: str) -> str:
    value = given.get(name)
    require(isinstance(value, str), f"{where}.{name}: Input should be a valid string")
    return str(value)


def _conversation(messages: Any) -> dict[str, Any]:
    """Return `system` and `messages`: one holds all instructions, the other alternates."""
    require(isinstance(messages, list), "messages: Input should be a valid list")
    system: list[str] = []
    turns: list[dict[str, Any]] = []
    after_tool = False
    for n, message in enumerate(messages):
        require(isinstance(message, dict), f"messages.{n}: Input should be an object")
        role = _string(f"messages.{n}", message, "role")
        require(role in _ROLES, f"messages.{n}.role: {role} {_CANNOT}"[:300])
        blocks = _ROLES[role](f"messages.{n}", message)
        if role in ("system", "developer"):
            system += [block["text"] for block in blocks]
        elif blocks and after_tool and role in ("tool", "user"):
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": "assistant" if role == "assistant" else "user"})
            turns[-1]["content"] = blocks
        after_tool = role == "tool" or (after_tool and role in ("system", "developer"))
    require(bool(turns), "messages: at least one message that is not empty is required")
    require(turns[-1]["role"] == "user", f"messages: a last turn to be continued {_CANNOT}")
    return {"messages": turns} | ({"system": "\n\n".join(system)} if system else {})


def _blocks(where: str, content: Any, part: Callable[[str, Any], dict[str, Any]]) -> list[Any]:
    """Return a content's blocks without empty texts, which the Messages API refuses."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    require(isinstance(content, list), f"{where}: Input should be a string or a list of parts")
    blocks = [part(f"{where}.{n}", value) for n, value in enumerate(content)]
    return [block for block in blocks if block.get("text") != ""]


def _text(where: str, part: Any) -> dict[str, Any]:
    require(isinstance(part, dict), f"{where}: Input should be an object")
    kind = _string(where, part, "type")
    require(kind == "text", f"{where}: {kind} {_CANNOT}"[:300])
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
        value = _arguments(_string(at, function, "arguments"))
    except ValueError as exc:
        raise InvalidRequest(f"{at}.arguments: Input should be a JSON object in a string") from exc
    return _tool_use(_string(where, given, "id"), _string(at, function, "name"), value)


def _arguments(text: str) -> dict[str, Any]:
    """Return what a model wrote as arguments; nothing means no arguments.

    Raises:
        ValueError: when it is not a JSON object.
    """
    try:
        return load(text.encode()) if text.strip() else {}
    except InvalidRequest as exc:
        raise ValueError("the arguments of a tool call are not a JSON object") from exc


def _tool_use(id_: str, name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": value}


def _result(where: str, message: dict[str, Any]) -> list[Any]:
    # The name repeats that of the call, which the id already names.
    given = _fields(where, message, ("role", "content", "tool_call_id", "name"))
    blocks = _blocks(f"{where}.content", given.get("content", []), _text)
    block = {"type": "tool_result", "tool_use_id": _string(where, given, "tool_call_id")}
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


def _response_format(value: Any) -> dict[str, Any]:
    at = "response_format"
    given = _fields(at, value, ("type", "json_schema"))
    if given.get("type") == "text":
        return {}
    require(given.get("type") == "json_schema", f"{at}: {given.get('type')} {_CANNOT}"[:300])
    # The name is a label, and the answer always keeps to the schema there.
    inner = _fields(f"{at}.json_schema", given.get("json_schema"), ("name", "schema", "strict"))
    require(isinstance(inner.get("schema"), dict), f"{at}.json_schema.schema: Field required")
    return {"output_config": {"format": {"type": "json_schema", "schema": inner["schema"]}}}


def _tools(tools: Any) -> dict[str, Any]:
    require(isinstance(tools, list), "tools: Input should be a valid list")
    return {"tools": [_tool(f"tools.{n}", tool) for n, tool in enumerate(tools)]}


def _tool(where: str, tool: Any) -> dict[str, Any]:
    require(isinstance(tool, dict), f"{where}: Input should be an object")
    known = tool.get("type") == "function"
    require(known, f"{where}.type: a tool of type {tool.get('type')} {_CANNOT}"[:300])
    function = _fields(where, tool, ("type", "function")).get("function")
    at = f"{where}.function"
    given = _fields(at, function, ("name", "description", "parameters", "strict"))
    schema = given.get("parameters") or {"type": "object", "properties": {}}
    require(isinstance(schema, dict), f"{at}.parameters: Input should be an object")
    rest = {name: given[name] for name in ("description", "strict") if name in given}
    return {"name": _string(at, given, "name"), "input_schema": schema} | rest


def _tool_choice(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        require(value in _CHOICES, f"tool_choice: {value} {_CANNOT}"[:300])
        return {"tool_choice": {"type": _CHOICES[value]}}
    given = _fields("tool_choice", value, ("type", "function"))
    require(given.get("type") == "function", f"tool_choice.type: {_CANNOT}")
    function = _fields("tool_choice.function", given.get("function"), ("name",))
    name = _string("tool_choice.function", function, "name")
    return {"tool_choice": {"type": "tool", "name": name}}


def _effort(value: Any) -> dict[str, Any]:
    require(value in _EFFORTS, f"reasoning_effort: {value} {_CANNOT}"[:300])
    return {"output_config": {"effort": value}}


def _dropped(name: str, *harmless: Any) -> Callable[[Any], dict[str, Any]]:
    """Return what drops a field: with these values only, or with any when none is given."""

    def write(value: Any) -> dict[str, Any]:
        require(not harmless or value in harmless, f"{name}: {_CANNOT}")
        return {}

    return write


#: In the order of writing: the newer of two names for one thing comes last and wins.
_WRITERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "max_tokens": _limit("max_tokens"),
    "max_completion_tokens": _limit("max_completion_tokens"),
    "temperature": _temperature,
    "top_p": lambda value: {"top_p": value},
    "stop": lambda value: {"stop_sequences": [value] if isinstance(value, str) else value},
    "tools": _tools,
    "tool_choice": _tool_choice,
    "parallel_tool_calls": _dropped("parallel_tool_calls", True, False),
    "user": lambda value: {"metadata": {"user_id": value}},
    "safety_identifier": lambda value: {"metadata": {"user_id": value}},
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


def reply(completion: dict[str, Any]) -> dict[str, Any]:
    """Return the Message of a chat completion; a model's reasoning text is left out.

    Raises:
        ValueError: when it is not what the API sends, or a tool call's arguments are no JSON
            object.
    """
    try:
        return _whole(completion)
    except (LookupError, TypeError, AttributeError) as exc:
        raise ValueError("the reply is not of the Chat Completions API") from exc


def _whole(completion: dict[str, Any]) -> dict[str, Any]:
    choice = completion["choices"][0]
    head, message = _message(completion), choice["message"]
    texts = [text for text in (message.get("content"), message.get("refusal")) if text]
    content: list[dict[str, Any]] = [{"type": "text", "text": text} for text in texts]
    calls = message.get("tool_calls") or []
    for n, call in enumerate(calls):
        id_ = call.get("id") or _made_up(head, n)
        function = call["function"]
        value = _arguments(function.get("arguments") or "")
        content.append(_tool_use(id_, function["name"], value))
    refused = bool(message.get("refusal"))
    stop = _stop_reason(choice.get("finish_reason"), bool(calls), refused)
    return head | {"content": content, "stop_reason": stop}


def _message(completion: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"msg_{completion.get('id') or ''}",
        "type": "message",
        "role": "assistant",
        "model": completion.get("model") or "",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(completion.get("usage") or {}),
    }


def _made_up(message: dict[str, Any], n: int) -> str:
    """Return an id for a call that has none; some servers send none, Messages asks for one."""
    return f"toolu_{re.sub('[^A-Za-z0-9_-]', '_', message['id'])}_{n}"


def _stop_reason(finish: Any, has_calls: bool, refused: bool) -> str:
    if refused:
        return "refusal"
    # A call that was asked for by name ends with `stop`.
    is_call = has_calls and finish == "stop"
    return "tool_use" if is_call else _STOP.get(str(finish), "end_turn")


def _usage(said: dict[str, Any]) -> dict[str, Any]:
    """Count what came out of a cache apart, as Messages does; a count that is missing is 0."""
    read = (said.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return {
        "input_tokens": max((said.get("prompt_tokens") or 0) - read, 0),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": read,
        "output_tokens": said.get("completion_tokens") or 0,
    }


def error(body: bytes, status: int) -> bytes:
    """Return the provider's error in the client's shape, whatever bytes it came in."""
    try:
        said = json.loads(body)
        said = said.get("error") or said.get("detail") or said
        message = said if isinstance(said, str) else said["message"]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        message = f"The provider answered with status {status}."
    told = {"type": _KINDS.get(status, "api_error"), "message": str(message)}
    return json.dumps({"type": "error", "error": told}).encode()


@dataclass
class _Call:
    """A tool call as far as it came; `waiting` are its arguments that are not written yet."""

    id: str = ""
    name: str = ""
    waiting: str = ""
    begun: bool = False


class Stream:
    """Writes the chunks of a chat completion as the events of a Messages stream.

    Blocks of a Messages stream never overlap. So the first tool call is written as it comes; what
    comes of others meanwhile, and text, waits until the finish.
    """

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._calls: dict[int, _Call] = {}
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
        if event.data.strip() == "[DONE]":
            return self._end()
        try:
            return self._write(json.loads(event.data))
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
        self._head = _message(chunk)
        return [_event("message_start", message=self._head)]

    def _delta(self, delta: dict[str, Any]) -> list[bytes]:
        events = self._text(delta.get("content") or "")
        self._refused = self._refused or bool(delta.get("refusal"))
        events += self._text(delta.get("refusal") or "")
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
        index = piece.get("index") or 0
        call = self._calls.setdefault(index, _Call())
        function = piece.get("function") or {}
        call.id = call.id or piece.get("id") or ""
        call.name = call.name or function.get("name") or ""
        call.waiting += function.get("arguments") or ""
        return self._flush(call) if index == 0 and call.id and call.name else []

    def _flush(self, call: _Call) -> list[bytes]:
        """Write what is known of a call: its beginning once, then what waits."""
        events = [] if call.begun else self._block(_tool_use(call.id, call.name, {}))
        if call.waiting:
            piece = {"type": "input_json_delta", "partial_json": call.waiting}
            events.append(self._piece(piece))
        call.begun, call.waiting = True, ""
        return events

    def _finish(self, reason: str) -> list[bytes]:
        self._stop = _stop_reason(reason, bool(self._calls), self._refused)
        events = self._close()
        for index in sorted(self._calls):
            call = self._calls[index]
            if not call.name:
                raise ValueError("a tool call has no name")
            call.id = call.id or _made_up(self._head, index)
            events += [] if call.begun else self._flush(call)
        self._calls, text = {}, self._late
        events += self._close() if text else []
        return events + self._text(text) + self._close()

    def _tell(self) -> list[bytes]:
        """Write the stop reason with the token counts, once: they come after it, or never."""
        if self._told:
            return []
        self._told = True
        delta = {"stop_reason": self._stop, "stop_sequence": None}
        return [_event("message_delta", delta=delta, usage=_usage(self._usage))]

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
    told = error(json.dumps(chunk).encode(), code if isinstance(code, int) else 500)
    return sse.write(told.decode(), "error")
