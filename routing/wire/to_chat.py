"""What becomes OpenAI Chat Completions: requests on their way out, replies on their way back.

Nothing that changes what the answer means is dropped: a request that carries it is refused. Only
hints about price and caching go. An optional field that is null or an empty list counts as absent.
The other direction is `to_messages`.

Source: the request bodies, objects and streams of both APIs' references.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import chain
from typing import Any

from routing.wire import sse
from routing.wire.body import require

_CANNOT = "cannot be sent to a model behind the Chat Completions API"
#: What concerns price, caching or how soon a piece arrives, never what it says.
_HINTS = ("cache_control", "eager_input_streaming")
_MOST_STOPS = 4
_EFFORTS = ("low", "medium", "high")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_FINISH = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


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
    body: dict[str, Any] = {"messages": messages, limit_field: given["max_tokens"]}
    for name, write in _WRITERS.items():
        body |= write(given[name]) if name in given else {}
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


def _kind(where: str, block: Any) -> str:
    require(isinstance(block, dict), f"{where}: Input should be an object")
    return _string(where, block, "type")


def _texts(where: str, content: Any) -> list[str]:
    """Return the texts of a content that may hold nothing else."""
    if isinstance(content, str):
        return [content]
    require(isinstance(content, list), f"{where}: Input should be a string or a list of objects")
    return [_text(f"{where}.{n}", block) for n, block in enumerate(content)]


def _text(where: str, block: Any) -> str:
    kind = _kind(where, block)
    require(kind == "text", f"{where}: {kind} {_CANNOT}"[:300])
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
    direct = given.get("caller", {"type": "direct"}) == {"type": "direct"}
    require(direct, f"{where}.caller: {_CANNOT}")
    require(isinstance(given.get("input"), dict), f"{where}.input: Input should be an object")
    return _tool_call(_string(where, given, "id"), _string(where, given, "name"), given["input"])


def _tool_call(id_: str, name: str, value: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(value, ensure_ascii=False)}
    return {"id": id_, "type": "function", "function": function}


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
    return {
        "role": "tool",
        "tool_call_id": _string(where, given, "tool_use_id"),
        "content": f"Error: {text}" if given.get("is_error") is True else text,
    }


def _part(where: str, block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "image":
        source = _fields(where, block, ("type", "source")).get("source")
        return {"type": "image_url", "image_url": {"url": _image_url(f"{where}.source", source)}}
    if block["type"] == "document":
        return _document(where, block)
    return {"type": "text", "text": _text(where, block)}


def _image_url(where: str, source: Any) -> str:
    given = _fields(where, source, ("type", "media_type", "data", "url"))
    if given.get("type") == "url":
        return _string(where, given, "url")
    require(given.get("type") == "base64", f"{where}.type: this kind of source {_CANNOT}")
    media_type, data = _string(where, given, "media_type"), _string(where, given, "data")
    return f"data:{media_type};base64,{data}"


def _document(where: str, block: dict[str, Any]) -> dict[str, Any]:
    known = ("type", "source", "title", "context", "citations")
    given = _fields(where, block, known)
    cited = given.get("citations", {"enabled": False}) != {"enabled": False}
    require(not cited, f"{where}.citations: {_CANNOT}")
    at = f"{where}.source"
    source = _fields(at, given.get("source"), ("type", "media_type", "data", "content"))
    heads = [_string(where, given, name) for name in ("title", "context") if name in given]
    if source.get("type") == "text":
        texts = [_string(at, source, "data")]
    elif source.get("type") == "content":
        texts = _texts(f"{at}.content", source.get("content"))
    else:
        require("context" not in given, f"{where}.context: {_CANNOT}")
        return _pdf(at, source, heads[0] if heads else "document.pdf")
    return {"type": "text", "text": "\n\n".join([*heads, *texts])}


def _pdf(where: str, source: dict[str, Any], filename: str) -> dict[str, Any]:
    is_pdf = (source.get("type"), source.get("media_type")) == ("base64", "application/pdf")
    require(is_pdf, f"{where}: this kind of document {_CANNOT}")
    data = f"data:application/pdf;base64,{_string(where, source, 'data')}"
    return {"type": "file", "file": {"filename": filename, "file_data": data}}


def _tools(tools: Any) -> dict[str, Any]:
    require(isinstance(tools, list), "tools: Input should be a valid list")
    return {"tools": [_tool(f"tools.{n}", tool) for n, tool in enumerate(tools)]}


def _tool(where: str, tool: Any) -> dict[str, Any]:
    require(isinstance(tool, dict), f"{where}: Input should be an object")
    is_custom = tool.get("type") in (None, "custom")
    require(is_custom, f"{where}.type: a tool of type {tool.get('type')} {_CANNOT}"[:300])
    known = ("type", "name", "description", "input_schema", "strict")
    given = _fields(where, tool, known)
    schema = given.get("input_schema")
    require(isinstance(schema, dict), f"{where}.input_schema: Input should be an object")
    function = {"name": _string(where, given, "name"), "parameters": schema}
    function |= {name: given[name] for name in ("description", "strict") if name in given}
    return {"type": "function", "function": function}


def _tool_choice(value: Any) -> dict[str, Any]:
    given = _fields("tool_choice", value, ("type", "name", "disable_parallel_tool_use"))
    kind = _string("tool_choice", given, "type")
    require(kind == "tool" or kind in _CHOICES, f"tool_choice.type: {kind} {_CANNOT}"[:300])
    choice: Any = _CHOICES.get(kind)
    if kind == "tool":
        choice = {"type": "function", "function": {"name": _string("tool_choice", given, "name")}}
    single = given.get("disable_parallel_tool_use") is True
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
        known = given["effort"] in _EFFORTS
        require(known, f"output_config.effort: {given['effort']} {_CANNOT}"[:300])
        body["reasoning_effort"] = given["effort"]
    if "format" in given:
        form = _fields("output_config.format", given["format"], ("type", "schema"))
        known = form.get("type") == "json_schema" and isinstance(form.get("schema"), dict)
        require(known, "output_config.format: Input should be a json_schema with its schema")
        answer = {"name": "answer", "strict": True, "schema": form["schema"]}
        body["response_format"] = {"type": "json_schema", "json_schema": answer}
    return body


def _dropped(name: str, harmless: Any) -> Callable[[Any], dict[str, Any]]:
    """Return what drops a field that says nothing with this value, and refuses it otherwise."""

    def write(value: Any) -> dict[str, Any]:
        require(value == harmless, f"{name}: {_CANNOT}")
        return {}

    return write


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
    "stream": lambda on: {"stream": True, "stream_options": {"include_usage": True}} if on else {},
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
    except (LookupError, TypeError, AttributeError) as exc:
        raise ValueError("the reply is not of the Messages API") from exc


def _completion(message: dict[str, Any], created: int) -> dict[str, Any]:
    blocks = message["content"]
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = [_tool_call(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
    said: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
    said |= {"tool_calls": calls} if calls else {}
    finish = _FINISH.get(message.get("stop_reason") or "", "stop")
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": finish}
    head = {"id": f"chatcmpl-{message['id']}", "object": "chat.completion", "created": created}
    usage = _usage(message.get("usage") or {})
    return head | {"model": message["model"], "choices": [choice], "usage": usage}


def _usage(said: dict[str, Any]) -> dict[str, Any]:
    """Count the whole prompt, as Chat Completions does; a count that is missing is 0."""
    read = said.get("cache_read_input_tokens") or 0
    written = said.get("cache_creation_input_tokens") or 0
    prompt = (said.get("input_tokens") or 0) + written + read
    answer = said.get("output_tokens") or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": answer,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {"cached_tokens": read},
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
        self._silent: set[int] = set()

    def feed(self, event: sse.Event) -> list[bytes]:
        """Return the events that this one becomes; often none.

        Raises:
            ValueError: when the data is not what the API sends.
        """
        if event.data is None:
            return []
        try:
            return self._write(json.loads(event.data), event.data)
        except (LookupError, TypeError, AttributeError, RecursionError) as exc:
            raise ValueError("an event is not of the Messages API") from exc

    def _write(self, data: dict[str, Any], raw: str) -> list[bytes]:
        match data.get("type"):
            case "message_start":
                self._message = data["message"]
                self._usage = dict(self._message.get("usage") or {})
                return [self._chunk({"role": "assistant", "content": ""})]
            case "content_block_start":
                return self._begin(data["index"], data["content_block"])
            case "content_block_delta":
                return self._delta(data["index"], data["delta"])
            case "content_block_stop" if data["index"] in self._silent:
                return [self._arguments(data["index"], "{}")]
            case "message_delta":
                said = data.get("usage") or {}
                self._usage |= {name: n for name, n in said.items() if n is not None}
                stop = data["delta"].get("stop_reason")
                return [self._chunk({}, _FINISH.get(stop, "stop"))] if stop else []
            case "message_stop":
                usage = [self._event([], _usage(self._usage))] if self._include_usage else []
                return [*usage, sse.write("[DONE]")]
            case "error":
                return [sse.write(error(raw.encode(errors="replace"), 500).decode())]
        return []

    def _begin(self, index: int, block: dict[str, Any]) -> list[bytes]:
        if block["type"] == "text":
            return [self._chunk({"content": block["text"]})] if block.get("text") else []
        if block["type"] != "tool_use":
            return []
        self._calls[index] = len(self._calls)
        self._silent.add(index)
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
        self._silent.discard(index)
        call = {"index": self._calls[index], "function": {"arguments": piece}}
        return self._chunk({"tool_calls": [call]})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._event([choice], None)

    def _event(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
        head = {"id": f"chatcmpl-{self._message['id']}", "object": "chat.completion.chunk"}
        body = head | {"created": self._created, "model": self._message["model"]}
        body |= {"choices": choices} | ({"usage": usage} if self._include_usage else {})
        # Escaped: a piece may end in half a character, which UTF-8 cannot hold.
        return sse.write(json.dumps(body))
