"""Change one thing in a body and leave every other byte as the client sent it."""

from __future__ import annotations

import json
import re

#: What matters to find one's way: whole strings, brackets, and what separates members.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\]:,]', re.DOTALL)
_MODEL = re.compile(rb'"model"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")', re.DOTALL)


def with_model(raw: bytes, model: str) -> bytes:
    """Return the body with another value of its top-level `model`.

    A name that comes twice is replaced twice: readers differ in which one counts.

    The body must be a valid JSON object in UTF-8 whose top-level `model` is a string.

    Example:
        >>> with_model(b'{ "model" : "auto", "x": {"model": "kept"} }', "m")
        b'{ "model" : "m", "x": {"model": "kept"} }'
    """
    new, parts, copied = json.dumps(model).encode(), [], 0
    for start, end in _model_values(raw):
        parts += [raw[copied:start], new]
        copied = end
    return b"".join([*parts, raw[copied:]])


def _model_values(raw: bytes) -> list[tuple[int, int]]:
    """Return where the string values of the top-level `model` begin and end."""
    if raw.count(b'"model"') == 1 and b"\\u" not in raw and (only := _MODEL.search(raw)):
        return [only.span(1)]  # the usual body: no other spelling, no other place
    spans = []
    depth, is_key, is_model = 0, False, False
    for token in _TOKEN.finditer(raw):
        sign = token[0][:1]
        if sign in b"{[":
            depth += 1
            is_key = depth == 1
        elif sign in b"}]":
            depth -= 1
        elif depth == 1 and sign == b",":
            is_key, is_model = True, False
        elif depth == 1 and sign == b'"' and is_key:
            is_key, is_model = False, json.loads(token[0]) == "model"
        elif depth == 1 and sign == b'"' and is_model:
            spans.append(token.span())
    return spans


def with_usage_asked(raw: bytes) -> bytes:
    """Return a streaming chat body, without `stream_options`, that asks for the usage too."""
    end = raw.rindex(b"}")
    return raw[:end] + b',"stream_options":{"include_usage":true}' + raw[end:]


def with_text(raw: bytes, place: tuple[str | int, ...], text: str) -> bytes:
    """Return a JSON body with another text at a place, every other byte as it was.

    Args:
        raw: valid JSON in UTF-8.
        place: keys and indices that lead to a string; the last one counts of keys that come twice.
        text: may hold half characters, as JSON may.

    Raises:
        LookupError: when no string is there.

    Example:
        >>> with_text(b'{"a": [1.00, {"b" : "x"}]}', ("a", 1, "b"), "y")
        b'{"a": [1.00, {"b" : "y"}]}'
    """
    start, end = _string_at(raw, place)
    return raw[:start] + json.dumps(text).encode() + raw[end:]


def _string_at(raw: bytes, place: tuple[str | int, ...]) -> tuple[int, int]:
    found: tuple[int, int] | None = None
    path: list[str | int] = []
    is_key = False
    for token in _TOKEN.finditer(raw):
        sign = token[0][:1]
        if sign in b"{[":
            path.append("" if sign == b"{" else 0)
            is_key = sign == b"{"
        elif sign in b"}]":
            path.pop()
            is_key = False
        elif sign == b",":
            is_key = isinstance(path[-1], str)
            path[-1] = path[-1] if isinstance(path[-1], str) else path[-1] + 1
        elif sign == b'"' and is_key:
            path[-1], is_key = json.loads(token[0]), False
        elif sign == b'"' and tuple(path) == place:
            found = token.span()
    if found is None:
        raise LookupError("there is no text at this place")
    return found
