"""Mark in a passage the words that a query has too; whatever is in it stays text."""

from __future__ import annotations

import re
from functools import cache

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from routing.retrieval import terms

_WORDS = re.compile(r"(\w+)")


def mark(text: str, query: str) -> SafeString:
    """Return the text as HTML, with words in `mark` whose term the query has.

    Example:
        >>> mark("Invoices <b> are due", "an invoice")
        '<mark>Invoices</mark> &lt;b&gt; are due'
    """
    asked = set(terms.of(query))

    @cache
    def is_asked(word: str) -> bool:
        return not asked.isdisjoint(terms.of(word))

    pieces = _WORDS.split(text)  # words stand at the odd places
    shown = (
        f"<mark>{escape(piece)}</mark>" if place % 2 and is_asked(piece) else escape(piece)
        for place, piece in enumerate(pieces)
    )
    return mark_safe("".join(shown))  # noqa: S308 - every piece is escaped
