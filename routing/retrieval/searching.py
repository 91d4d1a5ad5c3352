"""One search: the strategy, its rows, and how sure one may be of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from routing.embedders import ids
from routing.retrieval import choosing, confidence, features, fusion
from routing.retrieval.base import AUTO, STRATEGIES, Found
from routing.retrieval.choosing import Choice, Chooser

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
        signals: the numbers of `features` that were known; `size`, log of 1 + how many passages are
            searched; `kept_bm25` and `kept_dense`, the share
            of the found rows that this list has as far up; `bm25_share` where scores were blended.
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
    embedder: str = ids.MINILM,
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
        embedder: id of the index's, by which its cosines are judged.

    Raises:
        ValueError: when there is no such strategy.
    """
    if asked not in (*STRATEGIES, AUTO):
        raise ValueError(f"No strategy {asked!r}; there are {', '.join((*STRATEGIES, AUTO))}.")
    lists = look_up(index, query, vector, asked, max(depth, k))
    chooser = chooser or choosing.RULES
    choice = chooser.choose(lists.signals) if asked == AUTO else Choice(asked)
    found = lists.found(choice)
    found = _first(rerank(query, found) if rerank else found, k)
    signals = lists.signals | lists.kept(found)
    if choice.share is not None:
        signals["bm25_share"] = choice.share
    sure = confidence.of(signals, embedder) if found.rows.size else 0.0
    name = chooser.name if asked == AUTO else "asked"
    return Search(choice.strategy, name, found, signals, sure)


@dataclass(frozen=True)
class Lists:
    """What one query finds in either way, before anything is chosen.

    Attributes:
        bm25: None where it was not asked for; dense likewise.
        signals: the numbers of `features` that are known, and `size`.
        most: highest BM25 score that a text could have.
        depth: rows that were asked of each list.
    """

    bm25: Found | None
    dense: Found | None
    signals: dict[str, float]
    most: float
    depth: int

    def found(self, choice: Choice) -> Found:
        """Return the rows of a choice, as many as the lists are deep."""
        if self.bm25 is None or self.dense is None or choice.strategy != "hybrid":
            found = self.dense if choice.strategy == "dense" else self.bm25
            assert found is not None
            return found
        if choice.share is None:
            return fusion.rrf([self.bm25, self.dense], self.depth)
        return fusion.blend(self.bm25, self.dense, choice.share, self.most, self.depth, self.depth)

    def kept(self, found: Found) -> dict[str, float]:
        """Return the share of found rows that each list has as far up."""
        lists = {"kept_bm25": self.bm25, "kept_dense": self.dense}
        return {
            name: features.overlap(found.rows, known.rows, found.rows.size)
            for name, known in lists.items()
            if known is not None
        }


def look_up(
    index: Searchable, query: str, vector: np.ndarray, asked: str = AUTO, depth: int = DEPTH
) -> Lists:
    """Search what a strategy needs, as `search` does."""
    bm25 = index.bm25.search(query, depth) if asked != "dense" else None
    dense = index.dense.search(vector, depth) if asked != "bm25" else None
    most = features.ceiling(query, index.bm25) if bm25 is not None else 0.0
    signals = features.of_query(query, index.bm25) | features.of_lists(bm25, dense, most)
    signals["size"] = math.log1p(index.bm25.size)
    return Lists(bm25, dense, signals, most, depth)


def alternative(strategy: str, signals: Mapping[str, float] | None = None) -> str:
    """Return what to compare a retrieval with: what finds the most other rows.

    Of hybrid that is the list that it kept less of; of bm25 dense, and of dense bm25.
    """
    if strategy == "hybrid" and signals:
        return "bm25" if signals["kept_bm25"] < signals["kept_dense"] else "dense"
    return "bm25" if strategy == "dense" else "dense"


def _first(found: Found, k: int) -> Found:
    return Found(found.rows[:k], found.scores[:k])
