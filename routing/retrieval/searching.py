"""One search: the strategy, its rows, and how sure one may be of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from routing.retrieval import choosing, confidence, features, fusion
from routing.retrieval.base import AUTO, STRATEGIES, Found
from routing.retrieval.choosing import Chooser

#: Rows of each list that are fused and compared.
DEPTH = 100
#: Puts found rows in another order, or leaves them: query, rows.
Rerank = Callable[[str, Found], Found]


class Lexical(features.Lexicon, Protocol):
    """Searches by words."""

    def search(self, query: str, k: int) -> Found:
        """Return the best k rows that share a term with the query."""
        ...


class Nearest(Protocol):
    """Searches by a vector."""

    def search(self, vector: np.ndarray, k: int) -> Found:
        """Return the k nearest rows, with cosines."""
        ...


class Searchable(Protocol):
    """What is searched: both kinds of the same rows."""

    @property
    def bm25(self) -> Lexical:
        """Search by words."""
        ...

    @property
    def dense(self) -> Nearest:
        """Search by vectors."""
        ...


@dataclass(frozen=True)
class Search:
    """What came of it.

    Attributes:
        strategy: bm25, dense or hybrid; never auto.
        chooser: "asked", "rules" or "trained".
        found: at most k rows. None are found where bm25 was asked and knows none of the words.
        signals: the numbers of `features` that were known, and `kept_bm25` and `kept_dense`, the
            share of the found rows that this list has as far up.
        confidence: P(the sources hold the answer), in [0, 1].
    """

    strategy: str
    chooser: str
    found: Found
    signals: dict[str, float]
    confidence: float


def search(
    index: Searchable,
    query: str,
    vector: np.ndarray,
    asked: str,
    k: int,
    chooser: Chooser | None = None,
    rerank: Rerank | None = None,
    depth: int = DEPTH,
) -> Search:
    """Search an index. Only what the strategy needs is searched; `auto` needs both lists.

    Args:
        index: both kinds of the same rows.
        query: self-contained.
        vector: of the query, shape (d,), unit length, by the index's embedder.
        asked: bm25, dense, hybrid or auto.
        k: rows wanted.
        chooser: of `auto`; None for the rules.
        rerank: of what was found, before it is cut to k.
        depth: rows of each list that are fused.

    Raises:
        ValueError: when there is no such strategy.
    """
    if asked not in (*STRATEGIES, AUTO):
        raise ValueError(f"No strategy {asked!r}; there are {', '.join((*STRATEGIES, AUTO))}.")
    depth = max(depth, k)
    bm25 = index.bm25.search(query, depth) if asked != "dense" else None
    dense = index.dense.search(vector, depth) if asked != "bm25" else None
    signals = _signals(index.bm25, query, bm25, dense)
    chooser = chooser or choosing.RULES
    strategy = chooser.choose(signals) if asked == AUTO else asked
    found = _of_strategy(strategy, bm25, dense, depth)
    found = _first(rerank(query, found) if rerank else found, k)
    signals |= _kept(found, bm25, dense)
    sure = confidence.of(signals) if found.rows.size else 0.0
    return Search(strategy, chooser.name if asked == AUTO else "asked", found, signals, sure)


def alternative(strategy: str, signals: Mapping[str, float] | None = None) -> str:
    """Return what to compare a retrieval with: what finds the most other rows.

    Of hybrid that is the list that it kept less of; of bm25 dense, and of dense bm25.
    """
    if strategy == "hybrid" and signals:
        return "bm25" if signals["kept_bm25"] < signals["kept_dense"] else "dense"
    return "bm25" if strategy == "dense" else "dense"


def _signals(
    lexical: Lexical, query: str, bm25: Found | None, dense: Found | None
) -> dict[str, float]:
    most = features.ceiling(query, lexical) if bm25 is not None else 0.0
    return features.of_query(query, lexical) | features.of_lists(bm25, dense, most)


def _of_strategy(strategy: str, bm25: Found | None, dense: Found | None, depth: int) -> Found:
    lists = {"bm25": [bm25], "dense": [dense], "hybrid": [bm25, dense]}[strategy]
    known = [found for found in lists if found is not None]
    return known[0] if len(known) == 1 else fusion.rrf(known, depth)


def _first(found: Found, k: int) -> Found:
    return Found(found.rows[:k], found.scores[:k])


def _kept(found: Found, bm25: Found | None, dense: Found | None) -> dict[str, float]:
    k = found.rows.size
    lists = {"kept_bm25": bm25, "kept_dense": dense}
    return {n: features.overlap(found.rows, f.rows, k) for n, f in lists.items() if f is not None}
