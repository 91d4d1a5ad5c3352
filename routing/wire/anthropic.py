"""Anthropic's Messages API: bodies and errors in its own shape.

Source: the Messages API reference (request body, response object, errors).
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

NAME = "anthropic"
_PASSED_ON = "anthropic-"
_ROLES = {"user", "assistant", "system"}


def parse(raw: bytes, headers: dict[str, str]) -> ChatRequest:
    """Return the request of a `POST /v1/messages` body; all its fields travel on in `payload`.

    Args:
        raw: the body, as received.
        headers: lower-case names; `x-shadoweval-task` may name the task type.

    Raises:
        InvalidRequest: with a sentence in the words of the API's own field names.
    """
    body = load(raw)
    require(isinstance(body.get("model"), str) and bool(body["model"]), "model: Field required")
    check_max_tokens(body.get("max_tokens"))
    check_messages(body.get("messages"))
    system = is_content(body.get("system", ""))
    require(system, "system: Input should be a valid string or a list of text blocks")
    stream = body.get("stream")
    require(stream is None or isinstance(stream, bool), "stream: Input should be a valid boolean")
    return from_metadata(request_of(body, raw, headers, _PASSED_ON, Dialect.MESSAGES))


def parse_count(raw: bytes, headers: dict[str, str]) -> ChatRequest:
    """Return the request of a `POST /v1/messages/count_tokens` body; raises as `parse`."""
    body = load(raw)
    require(isinstance(body.get("model"), str) and bool(body["model"]), "model: Field required")
    check_messages(body.get("messages"))
    return from_metadata(request_of(body, raw, headers, _PASSED_ON, Dialect.MESSAGES))


def check_max_tokens(value: Any) -> None:
    """Refuse a missing `max_tokens`, or one that is no count."""
    require(value is not None, "max_tokens: Field required")
    is_count = isinstance(value, int) and not isinstance(value, bool)
    require(is_count and value >= 1, "max_tokens: Input should be an integer of at least 1")


def check_messages(messages: Any) -> None:
    """Refuse messages that are missing, empty, or not objects with a role and content."""
    require(messages is not None, "messages: Field required")
    require(isinstance(messages, list), "messages: Input should be a valid list")
    require(bool(messages), "messages: at least one message is required")
    for index, message in enumerate(messages):
        _check_message(f"messages.{index}", message)


def _check_message(where: str, message: Any) -> None:
    require(isinstance(message, dict), f"{where}: Input should be an object")
    role = message.get("role")
    known = isinstance(role, str) and role in _ROLES
    require(known, f"{where}.role: Input should be 'user' or 'assistant'")
    content = message.get("content")
    require(content is not None, f"{where}.content: Field required")
    require(is_content(content), f"{where}.content: Input should be a string or a list of objects")


def error_body(error: RequestError, request_id: str) -> bytes:
    """Return the error in the API's shape."""
    inner = {"type": error.kind, "message": error.message}
    return json.dumps({"type": "error", "error": inner, "request_id": request_id}).encode()


def error_event(error: RequestError, request_id: str) -> bytes:
    """Return the error as an event amid a stream."""
    return sse.write(error_body(error, request_id).decode(), "error")


def models_body(names: list[str], created: datetime) -> bytes:
    """Return the models that may be asked for, in the API's shape; all on one page."""
    data = [model_json(name, created) for name in names]
    page = {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]}
    return json.dumps(page).encode()


def model_json(name: str, created: datetime) -> dict[str, Any]:
    """Return one model in the API's shape."""
    said = {"id": name, "type": "model", "display_name": name}
    return {**said, "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ")}
