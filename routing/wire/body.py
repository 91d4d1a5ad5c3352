"""Read a JSON body once, strictly: what cannot be stored or passed on is refused here."""

from __future__ import annotations

import json
import math
from typing import Any

from routing.errors import InvalidRequest
from routing.types import ChatRequest, Dialect

#: Far above any real conversation, far below what recursion bears when the body is stored.
MOST_NESTED = 100
#: Larger bodies are read and changed in a thread: JSON of ten megabytes takes up to a second.
LARGE_BYTES = 200_000


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise InvalidRequest(f"The body has a number that no JSON number can hold: {literal[:40]}.")
    return value


def _no_constant(literal: str) -> float:
    raise InvalidRequest(f"The body is not valid JSON: {literal} is not a JSON number.")


_decode = json.JSONDecoder(parse_float=_finite, parse_constant=_no_constant).decode


def load(raw: bytes) -> dict[str, Any]:
    """Return the body as an object.

    Raises:
        InvalidRequest: when it is not a JSON object in UTF-8, or is nested too deeply.
    """
    try:
        text = raw.decode()  # strictly: json would take half characters and other encodings
        body = _decode(text)
    except (ValueError, RecursionError) as exc:
        where = (
            f" (line {exc.lineno}, column {exc.colno})"
            if isinstance(exc, json.JSONDecodeError)
            else ""
        )
        raise InvalidRequest(f"The request body is not valid JSON{where}.") from exc
    if raw.count(b"[") + raw.count(b"{") > MOST_NESTED:
        _check_depth(body)
    if b"\\ud" in raw.lower():  # an escape that may be half of a character
        _check_unicode(body)
    if not isinstance(body, dict):
        raise InvalidRequest("The request body must be a JSON object.")
    return body


def _check_depth(body: Any) -> None:
    """Refuse what could be answered but not stored; level by level, without recursion."""
    level = [body]
    for _ in range(MOST_NESTED):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
    if any(isinstance(value, dict | list) for value in level):
        raise InvalidRequest(f"The body is nested more than {MOST_NESTED} levels deep.")


def _check_unicode(body: Any) -> None:
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise InvalidRequest("The body has text that is not valid Unicode.") from exc


def request_of(
    body: dict[str, Any],
    raw: bytes,
    headers: dict[str, str],
    passed_on: str,
    dialect: Dialect,
) -> ChatRequest:
    """Return the request of a body that was checked.

    `passed_on` is how the names of the headers begin that the provider gets too.
    """
    return ChatRequest(
        payload={key: value for key, value in body.items() if key != "model"},
        query=last_user_text(body["messages"]),
        model=body["model"],
        task=headers.get("x-shadoweval-task", "")[:40],
        metadata=body["metadata"] if isinstance(body.get("metadata"), dict) else {},
        headers={name: headers[name] for name in headers if name.startswith(passed_on)},
        dialect=dialect,
        raw=raw,
        length=len(raw),
        is_stream=body.get("stream") is True,
    )


def require(condition: bool, message: str) -> None:
    """Refuse the request with this sentence unless the condition holds."""
    if not condition:
        raise InvalidRequest(message)


def last_user_text(messages: list[dict[str, Any]]) -> str:
    """Return the text of the last user turn: what the router scores."""
    place = last_user_turn(messages)
    return text_of(messages[place]["content"]) if place >= 0 else ""


def is_content(value: Any) -> bool:
    """Return whether a value has the shape of a content: a text, or a list of objects."""
    is_blocks = isinstance(value, list) and all(isinstance(block, dict) for block in value)
    return isinstance(value, str) or is_blocks


def text_of(content: str | list[dict[str, Any]]) -> str:
    """Return the text of a message's content, its blocks joined by newlines."""
    if isinstance(content, str):
        return content
    texts = (block.get("text", "") for block in content if block.get("type") == "text")
    return "\n".join(text for text in texts if isinstance(text, str))


def last_user_turn(messages: list[dict[str, Any]]) -> int:
    """Return the place of the last user turn, or -1 when there is none."""
    places = (n for n in reversed(range(len(messages))) if messages[n]["role"] == "user")
    return next(places, -1)
