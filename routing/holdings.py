"""What collections hold, what left them and what is under way in them."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery

from routing.models import Chunk, Collection, CollectionVersion, Document, Project, Upload


class Holding(NamedTuple):
    """A collection, its newest version (none before the first upload is done), open uploads."""

    collection: Collection
    version: CollectionVersion | None
    under_way: int


class Pace(NamedTuple):
    """How fast an upload is: chunks a second, and seconds left; None where it cannot be told."""

    rate: float | None
    left_s: float | None


def of(project: Project) -> list[Holding]:
    """Return the project's collections by name: two queries for any number."""
    return _with_versions(project.collections.filter(deleted_at=None).order_by("name"))


def one(collection: Collection) -> Holding:
    """Return what a collection holds."""
    return _with_versions(Collection.objects.filter(pk=collection.pk))[0]


def _with_versions(rows: QuerySet[Collection]) -> list[Holding]:
    newest = CollectionVersion.objects.filter(collection=OuterRef("pk")).order_by("-number")
    is_open = Q(uploads__state__in=Upload.OPEN)
    found = list(
        rows.annotate(
            newest=Subquery(newest.values("pk")[:1]), under_way=Count("uploads", filter=is_open)
        )
    )
    versions = CollectionVersion.objects.in_bulk([row.newest for row in found if row.newest])
    return [Holding(row, versions.get(row.newest), row.under_way) for row in found]


def retryable(collection: Collection) -> set[int]:
    """Return the uploads that can be tried again: failed, and what was sent is still there."""
    failed = collection.uploads.filter(state=Upload.State.FAILED).exclude(content=None)
    return set(failed.values_list("pk", flat=True))


def pace(upload: Upload, now: datetime) -> Pace:
    """Return the pace since the upload was begun.

    Example:
        >>> begun = datetime(2026, 1, 1)
        >>> row = Upload(started_at=begun, chunks=300, embedded=100)
        >>> pace(row, begun.replace(second=2))
        Pace(rate=50.0, left_s=4.0)
    """
    if upload.started_at is None or not upload.embedded:
        return Pace(None, None)
    spent_s = max((now - upload.started_at).total_seconds(), 1e-3)
    rate = upload.embedded / spent_s
    return Pace(rate, max(upload.chunks - upload.embedded, 0) / rate)


def stage(upload: Upload, *, is_first: bool = True) -> str:
    """Return what an open upload is at, in a sentence; "" for one that has ended.

    Args:
        upload: as it is now.
        is_first: no older one of its collection is open: they are worked on in their order.

    Example:
        >>> stage(Upload(state="running", chunks=300, embedded=300))
        'Making the version.'
    """
    if upload.state == Upload.State.WAITING:
        return "Waits for a free indexer." if is_first else "Waits for the upload before it."
    if upload.state != Upload.State.RUNNING:
        return ""
    if upload.version_id is not None:
        return "Writing the index."
    if not upload.chunks:
        return "Reading."
    return "Embedding." if upload.embedded < upload.chunks else "Making the version."


def gone(collection_id: int, number: int) -> list[int]:
    """Return the chunks of a version whose documents were taken out of the collection since.

    Those that were replaced are not: they are found until what takes their place is. But nothing
    comes back of a key that the collection was without for a version, whatever it holds now.
    """
    mine = Document.objects.filter(collection=collection_id)
    left = mine.filter(removed_in__gt=number)
    successor = mine.filter(key=OuterRef("key"), added_in=OuterRef("removed_in"))
    keys = left.filter(~Exists(successor)).values("key")
    held = left.filter(added_in__lte=number, key__in=keys)
    return list(Chunk.objects.filter(document__in=held.values("pk")).values_list("pk", flat=True))
