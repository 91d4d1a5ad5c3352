"""Alternatives: EXPENSIVE asked once more, with what another retrieval finds for the same query.

If that answer is the better one, a worse answer is to be blamed on what was found. Like a repeat it
is a shadow job, written in the transaction that writes its pair; those of pairs that are recorded
with their request come from `records`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from django.db import InterfaceError, OperationalError, connection

from routing import embedders, holdings, indexes, records, repeats, retrieving
from routing.models import (
    CollectionVersion,
    Completion,
    Retrieval,
    RetrievalPair,
    ShadowJob,
    ShadowPair,
)
from routing.retrieval import searching
from routing.retrieval.index import Index
from routing.shadowjob import Job
from routing.types import Source, Tier
from routing.wire import sources as wire

log = logging.getLogger(__name__)


class Elsewhere(NamedTuple):
    """What another strategy finds in the collection as it was, and how long that took."""

    strategy: str
    sources: tuple[Source, ...]
    ms: float


class NotAsked(Exception):
    """Nobody can be asked, for this reason.

    Attributes:
        is_possible: whether it is a failure; else there is nothing to ask.
        retryable: whether it may be different later.
    """

    def __init__(self, reason: str, *, is_possible: bool = False, retryable: bool = False) -> None:
        super().__init__(reason)
        self.is_possible, self.retryable = is_possible, retryable


def plan(jobs: Sequence[Job]) -> None:
    """Write a job for each of these pairs that had a search and is drawn; again: no second one.

    Args:
        jobs: whose pairs were written in the caller's transaction.
    """
    drawn = {job.request_id: job for job in jobs if is_drawn(job)}
    if not drawn:
        return
    found = Retrieval.objects.filter(pk__in=drawn, collection__isnull=False)
    rows = [
        repeats.following(drawn[pk], ShadowJob.Purpose.RETRIEVAL, drawn[pk].terms.retrieval_rate)
        for pk in found.values_list("pk", flat=True)
    ]
    ShadowJob.objects.bulk_create(rows, ignore_conflicts=True)


def is_drawn(job: Job) -> bool:
    """Return whether the pair's question is asked on another retrieval, if it had one."""
    return records.is_drawn(str(job.request_id), job.terms.retrieval_rate, records.ELSEWHERE)


def find(job: Job) -> Elsewhere:
    """Search as the request did, in what its collection held then, by another strategy; blocking.

    Raises:
        NotAsked: when it cannot be done, or finds the same in the same order.
    """
    try:
        return _find(job)
    except NotAsked:
        raise
    except (OperationalError, InterfaceError) as exc:
        raise NotAsked("database: away", is_possible=True, retryable=True) from exc
    except Exception as exc:
        log.error("the other retrieval of shadow job %s: %s", job.pk, type(exc).__name__)
        raise NotAsked(f"retrieval_error: {type(exc).__name__}", is_possible=True) from exc
    finally:
        connection.close()  # one thread of many: they would keep one each


def _find(job: Job) -> Elsewhere:
    served = Retrieval.objects.select_related("collection").get(pk=job.request_id)
    index = _index(served)
    begin = time.perf_counter()
    strategy, sources = _search(served, index)
    ms = (time.perf_counter() - begin) * 1000
    if [one.chunk for one in sources] == [one["chunk"] for one in served.sources]:
        raise NotAsked(f"{records.SAME_SOURCES}: {strategy} finds the same in the same order")
    return Elsewhere(strategy, sources, ms)


def _index(served: Retrieval) -> Index:
    """Return what was searched, without what was taken out of the collection since.

    Raises:
        NotAsked: when it is gone, or some of what was found is: the other strategy could not.
    """
    version = _version(served)
    index = _opened(_folder(version))
    gone = holdings.gone(version.collection_id, version.number)
    if {one["chunk"] for one in served.sources} & set(gone):
        raise NotAsked("sources_gone: what was found was removed since")
    return index.without(gone)


def _version(served: Retrieval) -> CollectionVersion:
    """Return the version of the collection that was searched.

    Raises:
        NotAsked: when its texts are gone.
    """
    collection = served.collection
    if collection is None or collection.deleted_at is not None:
        raise NotAsked("collection_deleted: what was searched is gone")
    assert served.version is not None
    return collection.versions.get(number=served.version)


def _folder(version: CollectionVersion) -> Path:
    """Return where a version's index is; one that is the newest still is built where it is missing.

    Raises:
        NotAsked: when it is gone: nobody builds an index for one shadow call.
    """
    is_newest = not version.collection.versions.filter(number__gt=version.number).exists()
    if not (is_newest or indexes.is_built(version)):
        raise NotAsked("version_gone: the collection has changed since")
    return indexes.ensure(version)


@lru_cache(2)
def _opened(folder: Path) -> Index:
    return Index.open(folder)


def close() -> None:
    """Let go of the indexes that are open: files that were deleted stay on the disk until then."""
    _opened.cache_clear()


def _search(served: Retrieval, index: Index) -> tuple[str, tuple[Source, ...]]:
    collection = served.collection
    assert collection is not None
    strategy = searching.alternative(served.strategy, served.signals)
    vector = embedders.get(collection.embedder).embed(served.query)
    most = len(served.sources) or collection.k
    # Only the strategy is to differ: what serving ranks once more is ranked once more here.
    again = retrieving.rerank(index) if collection.reranks else None
    found = searching.search(index, served.query, vector, strategy, most, rerank=again).found
    numbered = enumerate(zip(found.rows, found.scores, strict=True), 1)
    return strategy, tuple(
        wire.clean(replace(index.source(int(row)), n=n, score=float(score)))
        for n, (row, score) in numbered
    )


def write(answered: Sequence[tuple[Job, Elsewhere]]) -> None:
    """Write the retrieval pairs of jobs whose answers are stored; again: no second one.

    Raises:
        LookupError: when a pair or its answer on the other retrieval is gone.
    """
    ids = [job.request_id for job, _ in answered]
    if not ids:
        return
    pairs = dict(ShadowPair.objects.filter(request_id__in=ids).values_list("request_id", "pk"))
    other = Completion.objects.filter(
        request_id__in=ids, tier=Tier.EXPENSIVE.value, ordinal=Completion.ELSEWHERE
    )
    others = dict(other.values_list("request_id", "pk"))
    rows = [
        RetrievalPair(
            request_id=job.request_id,
            pair_id=pairs[job.request_id],
            other_id=others[job.request_id],
            strategy=found.strategy,
            sources=[asdict(source) for source in found.sources],
            ms=found.ms,
        )
        for job, found in answered
    ]
    RetrievalPair.objects.bulk_create(rows, ignore_conflicts=True)
