"""The numbered sources of a pair's answers, as whoever compares the answers may read them.

Never how they were found: strategy, scores and version could tell one answer from the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.safestring import SafeString

from reviews import rendering
from routing.models import Retrieval, ShadowPair

#: More are counted and not shown; each is cut at so many characters.
MOST_SHOWN = 100
MOST_CHARS = 8_000
#: Code, or the numbers between brackets.
_CITED = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|\[(\d{1,3}(?:\s?[,;–-]\s?\d{1,3}){0,30})\]", re.DOTALL
)
_ITEM = re.compile(r"(\d+)(?:\s?[–-]\s?(\d+))?")

#: As a retrieval stores them.
Stored = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Passage:
    """One source, rendered: its number, what it is called, and its text."""

    n: int
    title_html: SafeString
    text_html: SafeString


@dataclass(frozen=True)
class Merged:
    """Sources of two answers in one list, and by side how an answer's numbers read in it."""

    sources: Stored
    left: dict[int, int] = field(default_factory=dict)
    right: dict[int, int] = field(default_factory=dict)


def of(pair: ShadowPair) -> Stored | None:
    """Return the sources that both answers of a pair had; None where nothing was looked up."""
    retrieval: Retrieval | None = getattr(pair.request, "retrieval", None)
    return None if retrieval is None else retrieval.sources


def merge(left: Stored, right: Stored) -> Merged:
    """Return what either answer had, once, beginning with the left one's.

    Example:
        >>> merge([{"n": 1, "text": "a"}], [{"n": 1, "text": "b"}, {"n": 2, "text": "a"}]).right
        {1: 2, 2: 1}
    """
    places: dict[str, int] = {}
    merged: list[Mapping[str, Any]] = []
    found = Merged(merged)
    for side, numbers in ((left, found.left), (right, found.right)):
        for one in side:
            if one["text"] not in places:
                places[one["text"]] = len(places) + 1
                merged.append({**one, "n": len(places)})
            numbers[one["n"]] = places[one["text"]]
    return found


def renumbered(text: str, numbers: Mapping[int, int]) -> str:
    """Return an answer with the sources it cites by their numbers in a merged list.

    Brackets in code cite nothing. Neighbours need not be neighbours in the merged list, so that of
    a range each source is named.

    Example:
        >>> renumbered("Due [1], late [2, 9], `a[1]`, see [1-3].", {1: 4, 2: 1, 3: 7})
        'Due [4], late [1, 9], `a[1]`, see [4, 1, 7].'
    """

    def item(found: re.Match[str]) -> str:
        first, last = int(found[1]), int(found[2] or found[1])
        if last - first >= MOST_SHOWN or not numbers.keys() & range(first, last + 1):
            return found[0]
        return ", ".join(str(numbers.get(n, n)) for n in range(first, last + 1))

    def cited(found: re.Match[str]) -> str:
        return found[0] if found[1] is None else f"[{_ITEM.sub(item, found[1])}]"

    return _CITED.sub(cited, text)


def shown(sources: Stored) -> list[Passage]:
    """Return sources rendered as text, whatever stands in them."""
    return [
        Passage(
            n=one["n"],
            title_html=rendering.plain(_title(one)),
            text_html=rendering.plain(_cut(one["text"])),
        )
        for one in sources[:MOST_SHOWN]
    ]


def text(sources: Stored) -> str:
    r"""Return sources as one text, for whoever reads them elsewhere.

    Example:
        >>> text([{"n": 1, "title": "Terms", "text": "Due in 14 days."}])
        '[1] Terms\nDue in 14 days.'
    """
    shown = sources[:MOST_SHOWN]
    return "\n\n".join(f"[{one['n']}] {_title(one)}\n{_cut(one['text'])}" for one in shown)


def _title(one: Mapping[str, Any]) -> str:
    return one.get("title") or one.get("document") or ""


def _cut(text: str) -> str:
    return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]} (cut for display)"
