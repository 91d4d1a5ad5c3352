"""Gates: what is wrong with an answer on its face, whatever its confidence.

Each gate takes time in proportion to the answer's length at most; none asks a model.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from routing.routers import schemas
from routing.routers.agreement import agreement
from routing.routers.asking import Seen
from routing.routers.refusals import is_refusal

__all__ = ["GATES", "agreement", "failed"]

#: Why both APIs end an answer that is not at its end.
_CUT = ("max_tokens", "length", "model_context_window_exceeded")
_REFUSED = ("refusal", "content_filter")
#: What ends an answer that says nothing by itself: the client's turn has come.
_CALLS = ("tool_use", "tool_calls", "function_call", "pause_turn")
#: Possessive: two runs of blanks beside each other take no quadratic time on a long one.
_NOTHING = re.compile(
    r"[\s\u200b-\u200f\u2060\ufeff]*+\Z|\s*+(?:```|~~~)\w*+\s*+(?:```|~~~)?\s*+\Z"
)
#: A loop: an answer's end is one piece, again and again.
_LONGEST_PIECE = 300
_REPEATS = 6
_LOOP_CHARS = 200
#: Or one line is most of the answer.
_SAME_LINES = 10
_LINE_CHARS = 12


def is_refused(seen: Seen) -> bool:
    """Return whether the model, or its provider, would not answer."""
    return seen.stop_reason in _REFUSED or is_refusal(seen.texts[0])


def is_empty(seen: Seen) -> bool:
    """Return whether nothing was said, a tool call aside."""
    return seen.stop_reason not in _CALLS and _NOTHING.match(seen.texts[0]) is not None


def is_truncated(seen: Seen) -> bool:
    """Return whether the answer was cut at its longest."""
    return seen.stop_reason in _CUT


def is_not_json(seen: Seen) -> bool:
    """Return whether JSON was wanted and cannot be read; a code fence around it is an error too."""
    wants = seen.wants_json or seen.schema is not None
    return wants and seen.stop_reason not in _CALLS and _read(seen.texts[0]) is _UNREADABLE


def is_off_schema(seen: Seen) -> bool:
    """Return whether the JSON does not follow the client's schema."""
    if seen.schema is None or seen.stop_reason in _CALLS:
        return False
    value = _read(seen.texts[0])
    return value is _UNREADABLE or not schemas.fits(value, seen.schema)


_UNREADABLE = object()


def _read(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return _UNREADABLE


def _no_constant(literal: str) -> float:
    raise ValueError(f"{literal} is no JSON")


def is_looping(seen: Seen) -> bool:
    """Return whether the answer repeats itself: at its end, or with one line most of the time."""
    text = seen.texts[0].rstrip()
    return _ends_in_loop(text) or _repeats_a_line(text)


def _ends_in_loop(text: str) -> bool:
    tail = text[-_LONGEST_PIECE * _REPEATS :]
    for length in range(1, min(_LONGEST_PIECE, len(tail) // _REPEATS) + 1):
        looped = tail[-max(_LOOP_CHARS, length * _REPEATS) :]
        is_long = len(looped) >= _LOOP_CHARS
        if is_long and looped[length:] == looped[:-length] and _has_word(looped[:length]):
            return True
    return False


def _has_word(piece: str) -> bool:
    """Return whether a piece is more than a drawn line or an empty table."""
    return any(sign.isalpha() for sign in piece)


def _repeats_a_line(text: str) -> bool:
    lines = Counter(line.strip() for line in text.splitlines())
    lines.pop("", None)
    if not lines:
        return False
    line, times = lines.most_common(1)[0]
    is_most = times >= _SAME_LINES and times * 2 > lines.total()
    return is_most and len(line) >= _LINE_CHARS and _has_word(line)


#: In the order in which they are tried: the first that fails names the score's rule.
GATES: dict[str, Callable[[Seen], bool]] = {
    "truncated": is_truncated,
    "empty": is_empty,
    "refusal": is_refused,
    "not_json": is_not_json,
    "schema": is_off_schema,
    "repetition": is_looping,
}


def failed(seen: Seen, names: Iterable[str] = tuple(GATES)) -> str:
    """Return the name of the first gate that the answer does not pass, or "".

    Args:
        seen: the answer.
        names: the gates that are on.
    """
    chosen = set(names)
    tried = (name for name, fails in GATES.items() if name in chosen and fails(seen))
    return next(tried, "")
