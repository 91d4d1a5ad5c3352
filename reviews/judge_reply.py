"""What a judge said: one call of the tool with all it needs, or no verdict and the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from reviews.models import JudgeCall, Verdict

_CHOICE = JudgeCall.Choice
_PREFERENCE = Verdict.Preference
_ORDER = JudgeCall.Order
_DECLINES = re.compile(
    r"\b(?:I(?:'m| am) (?:sorry|unable|not able)|I can(?:'|’)?t|I cannot|I won(?:'|’)?t)\b",
    re.IGNORECASE,
)
_FLAGS = ("first_adequate", "second_adequate")


@dataclass(frozen=True)
class Said:
    """A judge's answer to one order: which was better, and whether each could be used."""

    choice: str
    first_adequate: bool
    second_adequate: bool

    def adequate(self, order: str) -> tuple[bool, bool]:
        """Return the adequacy of cheap and expensive."""
        both = (self.first_adequate, self.second_adequate)
        return both if order == _ORDER.CHEAP_FIRST else both[::-1]


def read(message: dict[str, Any], tool: str) -> Said | str:
    """Return what a Message says, or the reason why it says nothing.

    Nothing is guessed: a verdict in prose or in JSON text is none.
    """
    if message.get("stop_reason") == "refusal":
        return "refusal: the provider says that the judge refused"
    blocks = [block for block in message["content"] if isinstance(block, dict)]
    calls = [block for block in blocks if block.get("type") == "tool_use"]
    if message.get("stop_reason") == "max_tokens":
        return "truncated: the answer ended at its limit"
    if not calls:
        text = " ".join(str(block.get("text", "")) for block in blocks)
        return "refusal: in words" if _DECLINES.search(text) else "malformed: no tool call"
    if len(calls) > 1 or calls[0].get("name") != tool:
        return "malformed: another tool call than the one asked for"
    return _said(calls[0].get("input"))


def _said(given: Any) -> Said | str:
    if not isinstance(given, dict):
        return "malformed: the tool call is no object"
    choice = given.get("choice")
    if not isinstance(choice, str) or choice not in _CHOICE.values:
        return "malformed: choice is none of those there are"
    flags = [given.get(name) for name in _FLAGS]
    if not all(isinstance(flag, bool) for flag in flags):
        return "malformed: adequacy is missing or no boolean"
    return Said(choice, bool(flags[0]), bool(flags[1]))


def preference(order: str, choice: str) -> str:
    """Return by tier what a choice means in its order."""
    if choice == _CHOICE.TIE:
        return _PREFERENCE.TIE.value
    if choice == _CHOICE.BOTH_BAD:
        return _PREFERENCE.BOTH_BAD.value
    is_cheap = (choice == _CHOICE.FIRST) == (order == _ORDER.CHEAP_FIRST)
    return (_PREFERENCE.CHEAP if is_cheap else _PREFERENCE.EXPENSIVE).value


def combined(calls: list[JudgeCall]) -> dict[str, Any]:
    """Return the verdict of both orders: split where exactly one prefers the expensive answer.

    Its harm is the mean over the orders of "expensive preferred". An adequacy on which the orders
    disagree is null.
    """
    one, other = calls
    return {
        "preference": _both(*(preference(call.order, call.choice) for call in calls)),
        **{
            name: getattr(one, name) if getattr(one, name) == getattr(other, name) else None
            for name in ("cheap_adequate", "expensive_adequate")
        },
    }


def _both(one: str, other: str) -> str:
    if one == other:
        return one
    is_split = _PREFERENCE.EXPENSIVE in (one, other)
    return (_PREFERENCE.SPLIT if is_split else _PREFERENCE.TIE).value
