"""What can be told of a query before anything is read: of its words, and of the two lists.

All are numbers by name. `of_query` costs microseconds, `of_lists` looks at scores and rows only.
"""

from __future__ import annotations

import math
import re
from typing import Protocol

import numpy as np

from routing.retrieval.base import Found

#: Ranks that are compared.
TOP = 10
#: All numbers that a search of both lists has.
NAMES = (
    "words", "rarity_max", "rarity_mean", "rarity_min", "unknown", "variety", "identifiers",
    "digits", "length", "question", "quoted", "keywords", "bm25_found", "bm25_cover", "bm25_gap",
    "bm25_fall", "bm25_spread", "dense_max", "dense_gap", "dense_fall", "dense_rise",
    "dense_spread", "overlap", "bm25_first", "dense_first",
)  # fmt: skip
_IDENTIFIER = re.compile(r"\w*\d\w*|\w+[_/.]\w+|[a-z]+[A-Z]\w*|[A-Z]{2,}\w*")
_QUOTED = re.compile(r"\"[^\"]+\"|“[^”]+”|`[^`]+`|(?<!\w)'[^']+'(?!\w)")
_QUESTION = re.compile(
    r"\s*(who|what|when|where|which|why|how|whose|is|are|was|were|do|does|did|can|could|should|"
    r"would|will|may|has|have|tell|explain)\b",
    re.IGNORECASE,
)
_FUNCTION = re.compile(
    r"\b(a|about|am|an|and|any|are|as|at|be|been|but|by|can|could|did|do|"
    r"does|for|from|had|has|have|he|her|his|how|i|if|in|into|is|it|"
    r"its|me|my|of|on|or|our|she|should|so|some|that|the|their|them|"
    r"there|these|they|this|to|was|we|were|what|when|where|which|who|why|"
    r"will|with|would|you|your)\b",
    re.IGNORECASE,
)


class Lexicon(Protocol):
    """What a collection knows of terms."""

    size: int

    def terms(self, query: str) -> list[str]:
        """Return the query's terms in order, known or not."""
        ...

    def frequency(self, term: str) -> int:
        """Return how many texts hold the term."""
        ...


def of_query(query: str, lexicon: Lexicon) -> dict[str, float]:
    """Return what the words say.

    Returns:
        words: terms in it. rarity_max, rarity_mean, rarity_min: of its terms, 0 in every text, 1 in
        none. unknown: share of its terms that no text holds. variety: types by tokens.
        identifiers: codes, numbers, abbreviations. digits: share of its characters.
        length: log of 1 + characters. question, quoted, keywords: 1 or 0; keywords is a query
        without function words.
    """
    words = re.findall(r"\w+", query.lower())
    terms = lexicon.terms(query)
    counts = np.array([lexicon.frequency(term) for term in terms], np.float64)
    rarity = _rarity(counts, lexicon.size) if terms else np.zeros(1)
    return {
        "words": float(len(terms)),
        "rarity_max": float(rarity.max()),
        "rarity_mean": float(rarity.mean()),
        "rarity_min": float(rarity.min()),
        "unknown": float(np.mean(counts == 0)) if terms else 1.0,
        "variety": len(set(words)) / len(words) if words else 0.0,
        "identifiers": float(identifiers(query)),
        "digits": sum(map(str.isdigit, query)) / len(query) if query else 0.0,
        "length": math.log1p(len(query)),
        "question": float(is_question(query)),
        "quoted": float(bool(_QUOTED.search(query))),
        "keywords": float(is_keywords(query)),
    }


def is_question(query: str) -> bool:
    """Tell whether it asks, by its first word or a question mark at its end."""
    return query.rstrip().endswith("?") or bool(_QUESTION.match(query))


def is_keywords(query: str) -> bool:
    """Tell whether it has words, and no function words among them."""
    return bool(re.search(r"\w", query)) and not _FUNCTION.search(query)


def identifiers(query: str) -> int:
    """Return how many codes, numbers and abbreviations it has."""
    return len(_IDENTIFIER.findall(query))


def ceiling(query: str, lexicon: Lexicon) -> float:
    """Return the BM25 score that no text can pass: the sum of its terms' weights (Lucene's)."""
    counts = np.array([lexicon.frequency(term) for term in lexicon.terms(query)], np.float64)
    return float(np.log1p((lexicon.size - counts + 0.5) / (counts + 0.5)).sum())


def of_lists(bm25: Found | None, dense: Found | None, most: float = 0.0) -> dict[str, float]:
    """Return what two lists say of themselves and of each other; nothing of one that is None.

    Args:
        bm25: best first.
        dense: best first, with cosines as scores.
        most: the `ceiling` of the query.

    Returns:
        bm25_found: 1 when anything was found. bm25_cover: the best score by `most`.
        bm25_gap, bm25_fall: how much lower second and tenth score, by the best.
        bm25_spread: standard deviation by the mean of the top ten.
        dense_max: highest cosine. dense_gap, dense_fall: how much lower second and tenth are.
        dense_rise: mean of the top five above the list's (WIG). dense_spread: as of bm25.
        overlap: share of the top ten in both. bm25_first, dense_first: 1 / rank of a list's best
        row in the other list, 0 when it is not there.
    """
    found: dict[str, float] = {}
    if bm25 is not None:
        found |= _of_bm25(bm25.scores.astype(np.float64), most)
    if dense is not None:
        found |= _of_dense(dense.scores.astype(np.float64))
    if bm25 is not None and dense is not None:
        found |= _of_both(bm25.rows, dense.rows)
    return found


def _of_bm25(scores: np.ndarray, most: float) -> dict[str, float]:
    best = float(scores[0]) if scores.size else 0.0
    return {
        "bm25_found": float(scores.size > 0),
        "bm25_cover": best / most if most > 0 else 0.0,
        "bm25_gap": (best - _at(scores, 1)) / best if scores.size else 0.0,
        "bm25_fall": (best - _at(scores, TOP - 1)) / best if scores.size else 0.0,
        "bm25_spread": _spread(scores[:TOP]),
    }


def _of_dense(scores: np.ndarray) -> dict[str, float]:
    best = float(scores[0]) if scores.size else 0.0
    rise = scores[:5].mean() - scores.mean() if scores.size else 0.0
    return {
        "dense_max": best,
        "dense_gap": best - _at(scores, 1),
        "dense_fall": best - _at(scores, TOP - 1),
        "dense_rise": float(rise),
        "dense_spread": _spread(scores[:TOP]),
    }


def _of_both(bm25: np.ndarray, dense: np.ndarray) -> dict[str, float]:
    return {
        "overlap": overlap(bm25, dense),
        "bm25_first": _reciprocal(bm25, dense),
        "dense_first": _reciprocal(dense, bm25),
    }


def overlap(one: np.ndarray, other: np.ndarray, k: int = TOP) -> float:
    """Return the share of the first k rows that both have; of the shorter list when it is short."""
    most = min(k, one.size, other.size)
    return float(np.intersect1d(one[:k], other[:k]).size / most) if most else 0.0


def _rarity(counts: np.ndarray, size: int) -> np.ndarray:
    return 1 - np.log1p(counts) / math.log1p(max(size, 1))


def _at(scores: np.ndarray, rank: int) -> float:
    """Return the score at a rank, the last one's where the list is shorter, 0 of an empty one."""
    return float(scores[min(rank, scores.size - 1)]) if scores.size else 0.0


def _spread(scores: np.ndarray) -> float:
    mean = float(scores.mean()) if scores.size else 0.0
    return float(scores.std() / mean) if mean > 0 else 0.0


def _reciprocal(rows: np.ndarray, others: np.ndarray) -> float:
    where = np.flatnonzero(others == rows[0]) if rows.size else np.empty(0, int)
    return float(1 / (1 + where[0])) if where.size else 0.0
