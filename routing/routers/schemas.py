"""Check a value against a client's JSON schema: no pattern that hangs, nothing fetched."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import re2
from jsonschema import exceptions, validators
from referencing import Registry

#: A schema of more bytes is not checked: its work may grow with schema times answer.
MOST_BYTES = 100_000
#: So many keywords are checked: a few references can ask for the same work any number of times.
MOST_STEPS = 20_000
_BASE = validators.Draft202012Validator


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Return whether a value follows a schema; a schema that cannot be used refuses nothing.

    Patterns run in RE2, in linear time; those that it does not know (look-around) refuse nothing.
    References are followed inside the schema only. What takes too many steps refuses nothing.
    """
    _left.steps = MOST_STEPS
    try:
        if len(json.dumps(schema)) > MOST_BYTES:
            return True
        _BASE.check_schema(schema)
        return bool(_Checker(schema, registry=Registry()).is_valid(value))
    except Exception:  # the schema is the client's: whatever is wrong with it, not the answer's
        return True


def _pattern(
    validator: Any, pattern: str, instance: Any, schema: Any
) -> Iterator[exceptions.ValidationError]:
    if isinstance(instance, str) and not _finds(pattern, instance):
        yield exceptions.ValidationError("the text does not match its pattern")


def _pattern_properties(
    validator: Any, patterns: dict[str, Any], instance: Any, schema: Any
) -> Iterator[exceptions.ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, inner in patterns.items():
        for key, value in instance.items():
            if _finds(pattern, key, unknown=False):
                yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _additional(
    validator: Any, allowed: Any, instance: Any, schema: dict[str, Any]
) -> Iterator[exceptions.ValidationError]:
    if not isinstance(instance, dict):
        return
    patterns = tuple(schema.get("patternProperties", ()))
    for key in instance.keys() - schema.get("properties", {}).keys():
        if not any(_finds(pattern, key) for pattern in patterns):
            yield from validator.descend(instance[key], allowed, path=key)


def _unique(
    validator: Any, wanted: bool, instance: Any, schema: Any
) -> Iterator[exceptions.ValidationError]:
    if wanted and isinstance(instance, list):
        # The library compares each with each when items cannot be sorted.
        said = {json.dumps(item, sort_keys=True) for item in instance}
        if len(said) < len(instance):
            yield exceptions.ValidationError("an item comes twice")


def _finds(pattern: str, text: str, unknown: bool = True) -> bool:
    try:
        return re2.search(pattern, text, _options()) is not None
    except re2.error:
        return unknown


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


#: Steps that the check of this thread may still take.
_left = threading.local()


def _counted(check: Callable[..., Any]) -> Callable[..., Any]:
    """Return the check of a keyword that gives up once there were too many."""

    def checked(*said: Any) -> Any:
        _left.steps -= 1
        if _left.steps < 0:
            raise RuntimeError("the schema takes too long")
        return check(*said)

    return checked


_CHECKS = {
    **_BASE.VALIDATORS,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "uniqueItems": _unique,
}
_Checker = validators.extend(_BASE, {name: _counted(check) for name, check in _CHECKS.items()})
