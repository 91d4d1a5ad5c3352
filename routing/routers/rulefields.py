"""What a rule may say, and the sentences for one that says something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from routing.routers import rulepatterns
from routing.routers.base import UNFAMILIAR

MOST_RULES = 100
PATTERN_CHARS = 500
#: Instructions of all patterns together; see `rulepatterns.PROGRAM`.
PROGRAMS = 5_000
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class RuleKind(NamedTuple):
    """One kind of rule: what it looks for, for people, and what it needs to be told.

    Attributes:
        fields: `limit` or `pattern`, or neither.
        most: the largest limit.
    """

    what: str
    fields: tuple[str, ...] = ()
    most: int = 0


KINDS = {
    "longer_than": RuleKind("more characters than this", ("limit",), 10_000_000),
    "code_blocks": RuleKind("at least so many blocks of code", ("limit",), 1_000),
    "documents": RuleKind("at least so many pasted documents", ("limit",), 1_000),
    "template": RuleKind('a question like "What is the capital of {country}?"', ("pattern",)),
    "matches": RuleKind("text that holds a pattern in RE2's syntax", ("pattern",)),
    "greeting": RuleKind("a greeting, thanks or a goodbye in English, and nothing else"),
    "no_text": RuleKind("nothing but space"),
}
_KNOWN = {"name", "kind", "value", "pattern", "limit", "on"}


class BadRules(ValueError):
    """Rules that cannot be.

    Attributes:
        sentences: what is wrong with them, for people.
    """

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = tuple(sentences)


def check(told: Any) -> None:
    """Look at rules as JSON before anything is made of them.

    Raises:
        BadRules: when any of them cannot be.
    """
    if not isinstance(told, list):
        raise BadRules(["Rules are a list."])
    if len(told) > MOST_RULES:
        raise BadRules([f"There are {len(told)} rules; {MOST_RULES} are allowed."])
    sentences = [sentence for nth, one in enumerate(told, 1) for sentence in _wrong(one, nth)]
    sentences += _same_names(told)
    if not sentences and _programs(told) > PROGRAMS:
        sentences = ["The patterns are too large together: switch rules off or shorten them."]
    if sentences:
        raise BadRules(sentences)


def _wrong(one: Any, nth: int) -> Iterator[str]:
    if not isinstance(one, dict):
        yield f"Rule {nth} is no object with a name and a kind."
        return
    name = one.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        yield f"Rule {nth} needs a name of a-z, 0-9 and _, at most 40, that begins with a letter."
        return
    if name == UNFAMILIAR:
        yield f"Rule {name}: this name is taken by routers that meet something unfamiliar."
    unknown = sorted(str(field)[:40] for field in one.keys() - _KNOWN)
    if unknown:
        yield f"Rule {name}: nobody knows the field {unknown[0]!r}."
    if not isinstance(one.get("on", True), bool):
        yield f"Rule {name}: on is true or false."
    if isinstance(one.get("value"), bool) or one.get("value") not in (0, 1):
        yield f"Rule {name}: the value is 0 (the cheap model will do) or 1 (it will not)."
    yield from _wrong_kind(name, one)


def _wrong_kind(name: str, one: dict[str, Any]) -> Iterator[str]:
    kind = one.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        yield f"Rule {name}: the kind is one of {', '.join(KINDS)}."
        return
    for field in ("limit", "pattern"):
        if field in one and one[field] and field not in KINDS[kind].fields:
            yield f"Rule {name}: the kind {kind} has no {field}."
    if "limit" in KINDS[kind].fields:
        yield from _wrong_limit(name, one.get("limit"), KINDS[kind].most)
    if "pattern" in KINDS[kind].fields:
        yield from _wrong_pattern(name, kind, one.get("pattern"))


def _wrong_limit(name: str, limit: Any, most: int) -> Iterator[str]:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= most:
        yield f"Rule {name}: the limit is a whole number from 1 to {most:,}."


def _wrong_pattern(name: str, kind: str, pattern: Any) -> Iterator[str]:
    if not isinstance(pattern, str) or not pattern.strip():
        yield f"Rule {name}: the pattern is missing."
    elif len(pattern) > PATTERN_CHARS:
        yield f"Rule {name}: the pattern is longer than {PATTERN_CHARS} characters."
    else:
        try:
            rulepatterns.size(kind, pattern)
        except ValueError as exc:
            yield f"Rule {name}: the pattern {exc}."


def _same_names(told: list[Any]) -> list[str]:
    names = [one.get("name") for one in told if isinstance(one, dict)]
    twice = sorted({name for name in names if isinstance(name, str) and names.count(name) > 1})
    return [f"Rule {name}: there are two of this name." for name in twice]


def _programs(told: list[dict[str, Any]]) -> int:
    sized = [one for one in told if one.get("on", True) and "pattern" in KINDS[one["kind"]].fields]
    return sum(rulepatterns.size(one["kind"], one["pattern"]) for one in sized)
