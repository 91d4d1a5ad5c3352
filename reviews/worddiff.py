"""The difference of two texts, word by word, as two pieces of HTML. Pure: escaped text only."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from html import escape

from reviews import invisible

#: `difflib` may look at every pair of pieces: beyond these, lines; beyond again, nothing.
_MOST_WORDS = 3_000
_MOST_LINES = 1_500
_MOST_CHARS = 60_000
#: Equal pieces are the matcher's inner loop, once for each stretch it finds.
_MOST_PAIRS = 300_000
_WORDS = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
_LINES = re.compile(r"[^\n]*\n|[^\n]+")


class Level(StrEnum):
    """How closely two texts were compared."""

    WORDS = "words"
    LINES = "lines"
    NONE = "too different"


@dataclass(frozen=True)
class Difference:
    """Both texts with what differs in `<del>` (left) and `<ins>` (right), or no marks at all."""

    left_html: str
    right_html: str
    level: Level


def compare(left: str, right: str) -> Difference:
    """Return both texts, marked as closely as bounded work allows.

    Texts longer than 60,000 characters are cut; too many pieces are compared by lines, too many
    lines not at all, and `level` says so.
    """
    left, right = (_cut(text) for text in (left, right))
    for level, pieces, most in (
        (Level.WORDS, _WORDS, _MOST_WORDS),
        (Level.LINES, _LINES, _MOST_LINES),
    ):
        a, b = pieces.findall(left), pieces.findall(right)
        if max(len(a), len(b)) <= most and _pairs(a, b) <= _MOST_PAIRS:
            return _marked(a, b, level)
    return Difference(_safe(left), _safe(right), Level.NONE)


def _cut(text: str) -> str:
    cut = text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}\n\n(cut for display)"
    return invisible.valid(cut)


def _pairs(a: list[str], b: list[str]) -> int:
    """Count the pairs of equal pieces: the matcher's inner loop."""
    there = Counter(b)
    return sum(there[piece] for piece in a)


def _marked(a: list[str], b: list[str], level: Level) -> Difference:
    lefts, rights = [], []
    for kind, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        lefts.append(_piece("del", a[i:j], kind))
        rights.append(_piece("ins", b[k:m], kind))
    return Difference("".join(lefts), "".join(rights), level)


def _piece(tag: str, pieces: list[str], kind: str) -> str:
    text = _safe("".join(pieces))
    return text if kind == "equal" or not text else f"<{tag}>{text}</{tag}>"


def _safe(text: str) -> str:
    return invisible.show(escape(text))
