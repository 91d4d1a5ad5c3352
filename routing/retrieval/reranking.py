"""Found rows put in another order by their best sentence.

A passage that answers in one sentence and speaks of other things in the rest has a vector of the
rest. Off unless a collection asks for it: docs/benchmarks/retrieval.md says what it is worth.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

from routing.retrieval.base import Found
from routing.retrieval.searching import Rerank

#: Rows that are looked at, sentences of each, and how much the best one counts.
ROWS, SENTENCES, PART = 20, 60, 0.4
_END = re.compile(r"(?<=[.!?])\s+|\n+")


def by_sentences(
    text_of: Callable[[int], str], embed: Callable[[str], np.ndarray], part: float = PART
) -> Rerank:
    """Return a re-ranking of the first `ROWS` rows; those below stay below, in their order.

    Args:
        text_of: row to its text.
        embed: text to unit vector; called for each sentence, so it should be an instant one.
        part: of the best sentence's cosine, beside the scores brought to [0, 1].
    """

    def rerank(query: str, found: Found) -> Found:
        rows = found.rows[:ROWS]
        if rows.size < 2:
            return found
        asked = embed(query)
        best = np.array([_best(text_of(int(row)), asked, embed) for row in rows])
        worth = (1 - part) * _scaled(found.scores[: rows.size]) + part * best
        order = np.argsort(-worth, kind="stable")
        # Scores stay those of the search, best first: others are on another scale.
        return Found(np.concatenate([rows[order], found.rows[ROWS:]]), found.scores)

    return rerank


def _best(text: str, asked: np.ndarray, embed: Callable[[str], np.ndarray]) -> float:
    sentences = [part for part in _END.split(text) if part.strip()][:SENTENCES]
    return max((float(embed(sentence) @ asked) for sentence in sentences), default=0.0)


def _scaled(scores: np.ndarray) -> np.ndarray:
    width = float(scores[0] - scores[-1])
    scaled: np.ndarray = (scores - scores[-1]) / width if width > 0 else np.zeros(scores.size)
    return scaled
