"""Read the fields of a request strictly: what both translations between the APIs share.

A sentence names the field, and of its value at most a short name: never the client's content.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from routing.wire.body import require

#: The effort levels that both APIs know by the same names.
EFFORTS = ("low", "medium", "high", "xhigh", "max")
_NAME = re.compile(r"[\w.:/-]{1,60}", re.ASCII)


def fields(
    where: str, value: Any, known: Collection[str], *, cannot: str, hints: Collection[str] = ()
) -> dict[str, Any]:
    """Return what is set of an object; refuse what has no counterpart.

    Args:
        where: the place of the object; "" for the body.
        value: null and empty lists in it count as absent.
        known: the names that may be set.
        cannot: the end of the sentence that refuses others.
        hints: the names that are dropped.
    """
    require(isinstance(value, dict), f"{where}: Input should be an object")
    given = {k: v for k, v in value.items() if v is not None and v != [] and k not in hints}
    for name in given:
        require(name in known, f"{where}.{name[:60]}: {cannot}".removeprefix("."))
    return given


def string(where: str, given: dict[str, Any], name: str) -> str:
    """Return a field that must be there and hold a string."""
    value = given.get(name)
    require(isinstance(value, str), f"{where}.{name}: Input should be a valid string")
    return str(value)


def kind(where: str, block: Any) -> str:
    """Return the type of a block of content."""
    require(isinstance(block, dict), f"{where}: Input should be an object")
    return string(where, block, "type")


def items(where: str, value: Any, read: Callable[[str, Any], Any]) -> list[Any]:
    """Return what `read` makes of each item of a list, given its place."""
    require(isinstance(value, list), f"{where}: Input should be a valid list")
    return [read(f"{where}.{n}", item) for n, item in enumerate(value)]


def brief(value: Any) -> str:
    """Return a value as a sentence may show it: a short name, or nothing of it."""
    is_name = isinstance(value, str) and _NAME.fullmatch(value) is not None
    return str(value) if is_name else "this value"


def harmless(where: str, given: dict[str, Any], name: str, *values: Any, cannot: str) -> None:
    """Refuse a field unless it is absent or has a value that says nothing."""
    fits = name not in given or given[name] in values
    require(fits, f"{where}.{name}: {cannot}".removeprefix("."))


def dropped(name: str, *values: Any, cannot: str) -> Callable[[Any], dict[str, Any]]:
    """Return what drops a field: with these values only, or with any when none is given."""

    def write(value: Any) -> dict[str, Any]:
        require(not values or value in values, f"{name}: {cannot}")
        return {}

    return write
