"""Words of a text as BM25 counts them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import Stemmer

#: As in bm25s, runs of two or more letters, digits and underscores; and lone digits: "type 2".
_WORD = re.compile(r"\w\w+|\d")


def of(text: str, stem: bool = True) -> list[str]:
    """Return the words in order, in lower case, without stop words; stems of English if asked."""
    stop = _stop_words()
    words = [word for word in _WORD.findall(text.lower()) if word not in stop]
    return stems(words) if stem else words


@cache
def _stop_words() -> frozenset[str]:
    from bm25s.stopwords import STOPWORDS_EN  # with scipy: not before something is searched

    return frozenset(STOPWORDS_EN)


def stems(words: Sequence[str]) -> list[str]:
    """Return each word's stem (Snowball, English)."""
    # A stemmer must not be shared by threads; making one takes microseconds.
    found: list[str] = Stemmer.Stemmer("english").stemWords(list(words))
    return found
