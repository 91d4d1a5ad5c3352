"""What a query would find in a collection, off the hot path: no model is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from routing.indexes import Open
from routing.retrieval import searching
from routing.retrieval.searching import Search
from routing.types import Source


class Tried(NamedTuple):
    """One search, and its sources in order with their scores."""

    search: Search
    sources: tuple[Source, ...]


def look(opened: Open, query: str, strategy: str, k: int) -> Tried:
    """Search a collection as a request would.

    Args:
        opened: of `shelf.get`.
        query: self-contained.
        strategy: bm25, dense, hybrid or auto.
        k: sources wanted.
    """
    vector = opened.embedder.embed(query)
    search = searching.search(opened.index, query, vector, strategy, k, opened.chooser)
    found = zip(search.found.rows, search.found.scores, strict=True)
    sources = (
        replace(opened.index.source(int(row)), n=n, score=float(score))
        for n, (row, score) in enumerate(found, 1)
    )
    return Tried(search, tuple(sources))
