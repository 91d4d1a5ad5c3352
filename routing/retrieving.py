"""What is looked up for a request before anybody decides: sources, and how sure one may be of them.

No database is asked: collections are in memory. A request that names none and brings no context
passes as it is.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings

from routing import embedders, rewriting
from routing.embedders import ids
from routing.errors import RequestError, ServiceUnavailable, place
from routing.hands import Hands
from routing.indexes import Open, shelf
from routing.models import Policy
from routing.probing import Bill
from routing.retrieval import confidence, reranking, searching
from routing.retrieval.base import CLIENT
from routing.retrieval.index import Index
from routing.retrieval.searching import Rerank
from routing.rewriting import Rewritten
from routing.types import ChatRequest, RetrievalValue, Source
from routing.wire import sources
from routing.wire.body import LARGE_BYTES

log = logging.getLogger(__name__)

#: An index that is being loaded is there in seconds, one that is being built sooner or later.
_RETRY_S = 5.0
_searchers, _readers = Hands("retrieval"), Hands("context")


async def prepare(
    request: ChatRequest, project_id: int, policy: Policy, bill: Bill | None = None
) -> ChatRequest:
    """Return the request with what was looked up, and its sources in the payload.

    Args:
        request: as the client sent it.
        project_id: whose collections.
        policy: whose cheap model makes the last turn of a conversation self-contained.
        bill: of that; None: no model is asked, and the last turn is searched for as it is.

    Raises:
        NotFound: when the project has no such collection, or it was deleted.
        ServiceUnavailable: when it cannot be searched now. Who asks for documents gets no answer
            without them.
        InvalidRequest: when there is nothing to search for.
    """
    if request.collection:
        found = await _searched(request, project_id, policy, bill)
    elif request.context:
        found = await _brought(request)
    else:
        return request
    work = (request.payload, found.sources)
    if request.length < LARGE_BYTES:
        payload = sources.with_sources(*work)
    else:
        payload = await asyncio.to_thread(sources.with_sources, *work)
    return replace(request, payload=payload, raw=b"", retrieval=found)


async def _searched(
    request: ChatRequest, project_id: int, policy: Policy, bill: Bill | None
) -> RetrievalValue:
    start = time.perf_counter()
    name = request.collection
    try:
        opened = shelf.get(project_id, name)
        asked = await rewriting.query(request, policy, bill)
        within_s = settings.SHADOWEVAL_RETRIEVAL_TIMEOUT_S
        # Not the whole request: who gave up stays in the queue until a search that hangs ends.
        strategy, k = request.strategy or opened.strategy, request.k or opened.k
        made = await _searchers.run(within_s, _search, opened, strategy, k, asked)
    except ServiceUnavailable as exc:
        raise ServiceUnavailable(exc.message, exc.retry_after_s or _RETRY_S) from exc
    except RequestError:
        raise
    except Exception as exc:
        # Its text may hold what was asked: name and place have to do.
        log.error("a collection cannot be searched: %s at %s", type(exc).__name__, place(exc))
        sentence = f"The collection {name!r} cannot be searched at this moment; try again."
        raise ServiceUnavailable(sentence, _RETRY_S) from exc
    return replace(made, ms=_ms_since(start) - (asked.ms or 0.0))


def paid_for(request: ChatRequest, bill: Bill) -> RetrievalValue:
    """Return the record of a look-up that failed after its query was rewritten: nothing found."""
    asked = request.strategy or "auto"
    return RetrievalValue(
        strategy="", asked=asked, chooser="", query="", sources=(), confidence=None, ms=0.0,
        collection=request.collection, rewritten_by=rewriting.CHEAP, rewrite_ms=bill.ms,
        cost_usd=bill.usd,
    )  # fmt: skip


def _search(opened: Open, strategy: str, k: int, asked: Rewritten) -> RetrievalValue:
    vector = opened.embedder.embed(asked.query)
    again = rerank(opened.index) if opened.reranks else None
    said = searching.search(
        opened.index, asked.query, vector, strategy, k, opened.chooser, again,
        embedder=opened.embedder.id,
    )  # fmt: skip
    found = (
        replace(opened.index.source(int(row)), n=n, score=float(score))
        for n, (row, score) in enumerate(zip(*said.found, strict=True), start=1)
    )
    return RetrievalValue(
        strategy=said.strategy,
        asked=strategy,
        chooser=said.chooser,
        query=asked.query,
        sources=tuple(sources.clean(source) for source in found),
        confidence=said.confidence,
        ms=0.0,
        collection=opened.name,
        collection_id=opened.collection_id,
        version=opened.version,
        rewritten_by=asked.by,
        rewrite_ms=asked.ms,
        cost_usd=asked.usd,
        signals=_finite(said.signals),
    )


def rerank(index: Index) -> Rerank:
    """Return what puts found rows in another order, where a collection asks for it."""
    # Every sentence of twenty passages is embedded: only the static embedder is that quick.
    embed = embedders.get(ids.STATIC).embed
    return reranking.by_sentences(lambda row: index.source(row).text, embed)


async def _brought(request: ChatRequest) -> RetrievalValue:
    """Return the client's context; how sure one may be of it is None where nobody can say."""
    start = time.perf_counter()
    query = request.search_query or sources.question(request.payload["messages"])
    query = query[: rewriting.MOST_LETTERS]
    try:
        within_s = settings.SHADOWEVAL_RETRIEVAL_TIMEOUT_S
        sure, signals = await _readers.run(within_s, _judged, query, request.context)
    except Exception as exc:
        log.warning("a client's context was not judged: %s", type(exc).__name__)
        sure, signals = None, {}
    return RetrievalValue(
        strategy=CLIENT,
        asked=CLIENT,
        chooser=CLIENT,
        query=query,
        sources=request.context,
        confidence=sure,
        ms=_ms_since(start),
        rewritten_by=rewriting.CLIENT if request.search_query else "",
        signals=_finite(signals),
    )


def _judged(query: str, context: tuple[Source, ...]) -> tuple[float, dict[str, float]]:
    # Whoever brings twenty passages waits for them: MiniLM takes tens of milliseconds for each.
    embedder = embedders.get(ids.STATIC)
    return confidence.of_context(query, context, embedder.embed)


def _finite(signals: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in signals.items() if math.isfinite(value)}


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
