"""Canonical JSON, and the hash chain over it: what a trail says can be checked without a database.

No Django: the pack's offline check and the trail in the database use the same functions.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

#: What the first row of a trail names as the row before it.
START = "0" * 64
#: What a row's hash is made of, besides the hash of the row before it.
FIELDS = ("project", "number", "at", "actor", "event", "subject", "detail")


def canonical(value: Any) -> bytes:
    """Return the one spelling of a JSON value: keys sorted, no spaces, UTF-8.

    A number has one spelling too: Postgres gives a whole float back as it likes, 1e22 as 10^22.

    Raises:
        ValueError: for a number that is none: nan or infinite.

    Example:
        >>> canonical({"b": 1.0, "a": [0.5, None]})
        b'{"a":[0.5,null],"b":1}'
    """
    text = json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return int(value)
    return value


def readable(value: Any) -> bytes:
    """Return JSON that people read, in one spelling too."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def sha256(value: Any) -> str:
    """Return the hash of a JSON value's one spelling."""
    return hashlib.sha256(canonical(value)).hexdigest()


def seal(row: dict[str, Any]) -> str:
    """Return the hash of a row: of all it says and of the hash of the row before it."""
    return sha256({name: row[name] for name in (*FIELDS, "previous_sha256")})


def faults(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Return what is wrong with a trail that should be whole from its first row, a line for each.

    A changed row is named itself; a removed one by the gap it leaves, a reordered one by both.
    That rows are missing at the end shows only against a hash kept elsewhere.

    Args:
        rows: with FIELDS, `previous_sha256` and `sha256`, in the order of their numbers.
    """
    found, expected, previous = [], 1, START
    for row in rows:
        number = row["number"]
        if number != expected:
            found.append(_gap(expected, number))
        if seal(row) != row["sha256"]:
            found.append(f"row {number} was changed: its hash is another")
        if row["previous_sha256"] != previous:
            found.append(f"row {number} does not follow the row before it")
        expected, previous = number + 1, row["sha256"]
    return found


def _gap(expected: int, number: int) -> str:
    if number < expected:
        return f"row {number} stands after row {expected - 1}"
    if number == expected + 1:
        return f"row {expected} is missing"
    return f"rows {expected} to {number - 1} are missing"
