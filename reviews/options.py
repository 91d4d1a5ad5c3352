"""Options of a kind of router as people fill them in, and which of them is wrong.

The fields follow from the kind's defaults, so that kinds of plug-ins have a form as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from routing.routers.kinds import Kind

#: What an option is called and what it does; others are called by their own name.
_WORDS = {
    "score": ("Score", "Of everything that no rule catches, from 0 to 1."),
    "seed": ("Seed", "Another whole number is another coin."),
    "confidence": (
        "Ask how sure it is",
        "One line more in the cheap model’s answer; no client ever sees it.",
    ),
    "samples": ("Answers compared", "1 compares none; each more is a cheap call more."),
    "missing": ("Score without the line", "When it was asked how sure it is, and did not say."),
    "unasked": (
        "Score when it cannot be asked",
        "As where the client wants JSON alone, and all checks are passed.",
    ),
    "gates": ("Checks of the answer", "One that fails means that the expensive model is needed."),
    "low": ("Low end of the band", "Scores below it are decided without asking."),
    "high": ("High end of the band", "Scores from here on are decided without asking."),
    "router": ("RouteLLM’s router", "By the name that RouteLLM gives it."),
    "checkpoint": ("Checkpoint", "A folder of the server’s, or a name at Hugging Face."),
    "config": ("Other settings", "As a JSON object."),
}


class Option(NamedTuple):
    """One field: `kind` is switch, whole, number, several, text or json.

    Attributes:
        value: what the field shows.
        choices: of `several`: each name, and whether it is chosen.
        problem: what is wrong, in a sentence.
    """

    name: str
    kind: str
    label: str
    about: str
    value: Any
    choices: tuple[tuple[str, bool], ...] = ()
    problem: str = ""


class Read(NamedTuple):
    """What a form says: options as their kind takes them, and sentences by field."""

    options: dict[str, Any]
    problems: dict[str, str]


def fields(
    kind: Kind, said: Mapping[str, Any] | None = None, problems: Mapping[str, str] | None = None
) -> list[Option]:
    """Return the fields of a kind: with its defaults, or with what was said and is wrong."""
    found, wrong = [], problems or {}
    for name, usual in asked(kind).items():
        value = usual if said is None else said.get(name, usual)
        label, about = _WORDS.get(name, (name.replace("_", " ").capitalize(), ""))
        several = _sort(usual) == "several"
        chosen = tuple((str(one), one in value) for one in usual) if several else ()
        shown = json.dumps(value) if isinstance(value, dict) else value
        found.append(Option(name, _sort(usual), label, about, shown, chosen, wrong.get(name, "")))
    return found


def asked(kind: Kind) -> dict[str, Any]:
    """Return the defaults of the options that a form asks for; rules have a page of their own."""
    return {name: usual for name, usual in kind.defaults.items() if usual is not None}


def _sort(usual: Any) -> str:
    if isinstance(usual, bool):
        return "switch"
    sorts = {int: "whole", float: "number", str: "text", dict: "json"}
    is_list = isinstance(usual, list | tuple)
    return "several" if is_list else sorts.get(type(usual), "json")


def read(kind: Kind, said: Mapping[str, Sequence[str]]) -> Read:
    """Read a form: what cannot be read stays as it was typed, with a sentence for its field."""
    found: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, usual in asked(kind).items():
        values = said.get(name, ())
        typed = values[0].strip() if values else ""
        try:
            found[name] = _read(_sort(usual), usual, typed, values)
        except ValueError as exc:
            found[name], problems[name] = typed, str(exc)
    return Read(found, problems)


def _read(sort: str, usual: Any, typed: str, values: Sequence[str]) -> Any:
    if sort == "switch":
        return bool(values)
    if sort == "several":
        return type(usual)(values)
    if sort == "text":
        return typed
    return _json(typed) if sort == "json" else _number(typed, is_whole=sort == "whole")


def _number(typed: str, *, is_whole: bool) -> float:
    try:
        value = int(typed) if is_whole and len(typed) < 20 else float(typed)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (is_whole and not isinstance(value, int)):
        raise ValueError("This must be a whole number." if is_whole else "This must be a number.")
    return value


def _json(typed: str) -> Any:
    try:
        return json.loads(typed)
    except (ValueError, RecursionError):
        raise ValueError("This must be JSON.") from None


def blame(
    kind: Kind, options: Mapping[str, Any], attempt: Callable[[Mapping[str, Any]], object]
) -> dict[str, str]:
    """Return a sentence for each option that an attempt fails by; "" is for what none explains.

    An option is to blame when the complaint ends, or is another one, with its default instead.

    Args:
        kind: whose options.
        options: all of them.
        attempt: makes something of options, or raises ValueError.
    """
    problems: dict[str, str] = {}
    tried = dict(options)
    while complaint := _complaint(attempt, tried):
        usual = (
            (name, {**tried, name: kind.defaults[name]}) for name in tried if name not in problems
        )
        found = next(
            (pair for pair in usual if _complaint(attempt, pair[1]) != complaint), ("", tried)
        )
        problems[found[0]] = complaint
        if not found[0]:
            break
        tried = found[1]
    return problems


def _complaint(attempt: Callable[[Mapping[str, Any]], object], options: Mapping[str, Any]) -> str:
    try:
        attempt(options)
    except ValueError as exc:
        return str(exc) or "This cannot be."
    return ""
