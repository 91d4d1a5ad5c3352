"""What a query would find in a collection, off the hot path: no model is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from routing import collections, embedders
from routing.embedders import ids
from routing.errors import Conflict, NotFound, ServiceUnavailable
from routing.indexes import Open, shelf
from routing.models import Collection
from routing.retrieval import reranking, searching
from routing.retrieval.searching import Rerank, Search
from routing.types import Source


class Tried(NamedTuple):
    """One search, and its sources in order with their scores."""

    search: Search
    sources: tuple[Source, ...]


def opened(collection: Collection) -> Open:
    """Return a collection as this process serves it.

    Raises:
        Conflict: when nothing was put into it yet.
        ServiceUnavailable: when its index is still being built or loaded.
    """
    if collections.newest(collection) is None:
        raise Conflict(f"The collection {collection.name} holds nothing yet: upload documents.")
    try:
        found = shelf.get(collection.project_id, collection.name)
    except NotFound:  # the shelf looks every few seconds, and this one is newer
        found = None
    if found is None or found.collection_id != collection.pk:
        raise ServiceUnavailable(f"The collection {collection.name} is being loaded; try again.")
    return found


def look(served: Open, query: str, strategy: str, k: int) -> Tried:
    """Search a collection as a request would.

    Args:
        served: of `opened`.
        query: self-contained.
        strategy: bm25, dense, hybrid or auto.
        k: sources wanted.
    """
    vector = served.embedder.embed(query)
    rerank = _reranking(served) if served.reranks else None
    search = searching.search(
        served.index, query, vector, strategy, k, served.chooser, rerank,
        embedder=served.embedder.id,
    )  # fmt: skip
    found = zip(search.found.rows, search.found.scores, strict=True)
    sources = (
        replace(served.index.source(int(row)), n=n, score=float(score))
        for n, (row, score) in enumerate(found, 1)
    )
    return Tried(search, tuple(sources))


def _reranking(served: Open) -> Rerank:
    instant = embedders.get(ids.STATIC)
    return reranking.by_sentences(lambda row: served.index.source(row).text, instant.embed)
