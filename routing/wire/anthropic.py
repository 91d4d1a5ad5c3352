"""Anthropic's Messages API: bodies and errors in its own shape.

Source: the Messages API reference (request body, response object, errors).
"""

from __future__ import annotations

import json
from typing import Any

from routing.errors import RequestError
from routing.types import ChatRequest
from routing.wire.body import is_content, last_user_text, load, require

NAME = "anthropic"
#: What the provider gets of the client's headers, served and shadow alike.
PASSED_ON = ("anthropic-version", "anthropic-beta")
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
    require(
        not body.get("stream"),
        "stream: streaming is not supported yet; send the request with stream set to false",
    )
    return ChatRequest(
        payload={key: value for key, value in body.items() if key != "model"},
        query=last_user_text(body["messages"]),
        model=body["model"],
        task=headers.get("x-shadoweval-task", "")[:40],
        metadata=body["metadata"] if isinstance(body.get("metadata"), dict) else {},
        headers={name: headers[name] for name in PASSED_ON if name in headers},
    )


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
