"""OpenAI's Chat Completions API: bodies and errors in its own shape.

Source: the Chat Completions API reference (request body, error object, models).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from routing.errors import RequestError
from routing.types import ChatRequest, Dialect
from routing.wire import sse
from routing.wire.body import is_content, load, request_of, require
from routing.wire.lookup import from_metadata

NAME = "openai"
_ROLES = {"developer", "system", "user", "assistant", "tool", "function"}
#: What the provider gets of the client's headers; others name the client's own account.
_PASSED_ON = "openai-beta"


def parse(raw: bytes, headers: dict[str, str]) -> ChatRequest:
    """Return the request of a `POST /v1/chat/completions` body; all its fields travel on.

    Args:
        raw: the body, as received.
        headers: lower-case names; `x-shadoweval-task` may name the task type.

    Raises:
        InvalidRequest: with a sentence in the words of the API's own field names.
    """
    body = load(raw)
    require(
        isinstance(body.get("model"), str) and bool(body["model"]),
        "you must provide a model parameter",
    )
    _check_messages(body.get("messages"))
    stream, n = body.get("stream"), body.get("n")
    require(stream is None or isinstance(stream, bool), "stream: must be a boolean")
    require(
        n is None or (n == 1 and not isinstance(n, bool)),
        "n: one answer per request is compared with one answer of the other model; send n = 1, "
        "or several requests",
    )
    options = body.get("stream_options")
    require(options is None or isinstance(options, dict), "stream_options: must be an object")
    return from_metadata(request_of(body, raw, headers, _PASSED_ON, Dialect.CHAT))


def _check_messages(messages: Any) -> None:
    require(messages is not None, "messages: missing required parameter")
    require(isinstance(messages, list), "messages: must be an array")
    require(bool(messages), "messages: at least one message is required")
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        require(isinstance(message, dict), f"{where}: must be an object")
        role = message.get("role")
        known = isinstance(role, str) and role in _ROLES
        require(known, f"{where}.role: must be one of {', '.join(sorted(_ROLES))}")
        content = message.get("content")
        may_be_null = role in ("assistant", "function")
        fits = content is None if content is None and may_be_null else is_content(content)
        require(fits, f"{where}.content: must be a string or an array of objects")


def wants_usage(request: ChatRequest) -> bool:
    """Return whether a streaming client asked for the usage chunk."""
    options = request.payload.get("stream_options")
    return bool(options and options.get("include_usage"))


def error_body(error: RequestError, request_id: str) -> bytes:
    """Return the error in the API's shape; the request id is in the headers."""
    code = "model_not_found" if error.kind == "not_found_error" else None
    inner = {"message": error.message, "type": error.kind, "param": None, "code": code}
    return json.dumps({"error": inner}).encode()


def error_event(error: RequestError, request_id: str) -> bytes:
    """Return the error as an event amid a stream."""
    return sse.write(error_body(error, request_id).decode())


def models_body(names: list[str], created: datetime) -> bytes:
    """Return the models that may be asked for, in the API's shape."""
    data = [model_json(name, created) for name in names]
    return json.dumps({"object": "list", "data": data}).encode()


def model_json(name: str, created: datetime) -> dict[str, Any]:
    """Return one model in the API's shape."""
    said = {"id": name, "object": "model", "owned_by": "shadoweval"}
    return {**said, "created": int(created.timestamp())}
