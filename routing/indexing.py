"""Uploads become versions: claimed, read, cut, embedded in groups, then made visible at once.

Every step is a transaction that first makes sure that this worker still holds the upload: whoever
was taken for dead, or whose upload was cancelled, writes nothing more. A worker that is killed
leaves what it committed, and the next one goes on there when the lease has run out.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from routing import collections, embedding, nearest, upkeep
from routing.errors import ModelsMissing, place
from routing.models import Chunk, Collection, CollectionVersion, Document, Upload
from routing.retrieval import chunking, pdf, reading
from routing.retrieval.reading import Item, Read

log = logging.getLogger(__name__)

#: A worker that was not heard of for so long is dead. A group of documents or chunks takes seconds.
LEASE = timedelta(seconds=90)
#: So many may die with nothing embedded in between: another one would, as with too little memory.
MOST_DEATHS = 3
_GIVEN_UP = (
    f"Its worker died {MOST_DEATHS} times, most likely for want of memory: split the file, or give"
    " the indexer more memory."
)
#: Documents written at once, chunks embedded at once: what a worker that dies has done for nothing.
_DOCUMENTS, _CHUNKS = 50, 64
_STATE = Upload.State

#: Set when this process is to end: uploads are given back at their next step.
_ending = threading.Event()


class _Lost(Exception):
    """The upload is no longer this worker's: cancelled, or taken for dead and claimed again."""


class _Ending(Exception):
    """This process is to end."""


class _Refused(Exception):
    """The upload cannot become a version, now or (when it is final) ever; the message says why."""

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        super().__init__(why)
        self.is_final = is_final


class _Hold:
    """A claimed upload; its lease names the claim, as each step and each claim writes another."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self.collection = upload.collection

    @contextmanager
    def step(self, **progress: Any) -> Iterator[None]:
        """Write in one transaction, with the progress, if the upload is still held.

        Raises:
            _Lost: when it is not; nothing is written then.
            _Ending: when this process is to end.
        """
        if _ending.is_set():
            raise _Ending
        lease = timezone.now() + LEASE
        with transaction.atomic():
            if not self._update(lease_until=lease, **progress):
                raise _Lost
            yield
        self.upload.lease_until = lease

    def keep(self) -> None:
        """Renew a lease that runs out: a machine that is slow is not dead."""
        until = self.upload.lease_until
        if until is None or until - timezone.now() < LEASE / 2:
            with self.step():
                pass

    def _update(self, **values: Any) -> bool:
        mine = Upload.objects.filter(
            pk=self.upload.pk, state=_STATE.RUNNING, lease_until=self.upload.lease_until
        )
        return bool(mine.update(**values))

    def end(self, state: str, reason: str = "") -> bool:
        """Say what became of it, unless somebody else did; return whether it was ours to say."""
        now = timezone.now()
        return self._update(state=state, reason=reason[:300], finished_at=now, lease_until=None)

    def refuse(self, why: _Refused) -> None:
        """Fail it; what was read goes, as who tries again reads anew. If final, the file goes."""
        with transaction.atomic():
            if self.end(_STATE.FAILED, str(why)):
                collections.erase(Document.objects.filter(upload=self.upload, added_in=None))
                left = {"content": None} if why.is_final else {}
                Upload.objects.filter(pk=self.upload.pk).update(chunks=0, embedded=0, **left)

    def give_back(self, *, died: bool) -> None:
        """Let another worker have it; what this one failed at counts as a death."""
        lived = 0 if died else 1
        self._update(state=_STATE.WAITING, lease_until=None, attempts=F("attempts") - lived)


def run_due() -> bool:
    """Work on the upload that waited longest, or whose worker died; say whether there was one."""
    upload = claim()
    if upload is not None:
        _work(upload)
    return upload is not None


def work(upload_id: int) -> None:
    """Work on one upload to its end, if it can be claimed."""
    upload = claim(upload_id)
    if upload is not None:
        _work(upload)


def claim(upload_id: int | None = None) -> Upload | None:
    """Take an upload that waits or whose lease ran out, the oldest of its collection, or None.

    One whose workers died too often ends: see `_give_up`.
    """
    now = timezone.now()
    before = Upload.objects.filter(
        collection=OuterRef("collection"), state__in=Upload.OPEN, pk__lt=OuterRef("pk")
    )
    due = Upload.objects.filter(
        Q(state=_STATE.WAITING) | Q(state=_STATE.RUNNING, lease_until__lt=now), ~Exists(before)
    ).filter(**({} if upload_id is None else {"pk": upload_id}))
    with transaction.atomic():
        # Not what was uploaded: the claim needs none of it.
        rows = due.select_related("collection").defer("content")
        found = rows.select_for_update(skip_locked=True, of=("self",)).order_by("pk").first()
        if found is None:
            return None
        if found.attempts >= MOST_DEATHS:
            _give_up(found)
            return None
        found.state, found.attempts = _STATE.RUNNING, found.attempts + 1
        found.lease_until, found.started_at = now + LEASE, found.started_at or now
        found.save(update_fields=["state", "attempts", "lease_until", "started_at"])
    return found


def _give_up(upload: Upload) -> None:
    """End it: one that made its version is done, and `upkeep` writes the files that it lacks."""
    if upload.version_id is None:
        upload.state, upload.reason = _STATE.FAILED, _GIVEN_UP
    else:
        upload.state = _STATE.DONE
    upload.finished_at, upload.lease_until = timezone.now(), None
    upload.save(update_fields=["state", "reason", "finished_at", "lease_until"])


def _work(upload: Upload) -> None:
    hold = _Hold(upload)
    try:
        _make(hold)
    except _Lost:
        log.info("upload %s is no longer this worker's", upload.pk)
    except _Ending:
        hold.give_back(died=False)
    except _Refused as exc:
        hold.refuse(exc)
    except ModelsMissing as exc:
        hold.end(_STATE.FAILED, str(exc))
    except DatabaseError:
        raise  # whoever comes when the lease has run out may find the database again
    except Exception as exc:
        log.error("upload %s failed: %s at %s", upload.pk, type(exc).__name__, place(exc))
        hold.give_back(died=True)


def _make(hold: _Hold) -> None:
    if hold.upload.version_id is None:
        # Counted in the transaction that ends reading.
        if not hold.upload.chunks:
            _read(hold)
        _embed(hold)
        _publish(hold)
    assert hold.upload.version_id is not None
    version = CollectionVersion.objects.get(pk=hold.upload.version_id)
    with hold.step():
        pass
    if not upkeep.can_wait(version):
        upkeep.build(version)
    hold.end(_STATE.DONE)


def _parsed(upload: Upload) -> Read:
    content = Upload.objects.values_list("content", flat=True).get(pk=upload.pk)
    if content is None:
        raise _Lost
    try:
        return reading.read(upload.kind, upload.name, bytes(content))
    except ValueError as exc:
        raise _Refused(str(exc), is_final=not isinstance(exc, pdf.Unfinished)) from None


def _read(hold: _Hold) -> None:
    """Write documents and chunks that are new; a reader that died left rows, which go first."""
    read = _parsed(hold.upload)
    if not read.documents and read.refused:
        first = read.refused[0]
        raise _Refused(f"No document can be read: {first.where}: {first.why}", is_final=True)
    with hold.step(refused=read.listed(), documents=0, embedded=0):
        collections.erase(Document.objects.filter(upload=hold.upload, added_in=None))
    fresh = _fresh(hold.collection, read.documents)
    room = settings.SHADOWEVAL_COLLECTION_MAX_CHUNKS
    if not hold.upload.replaces_all:
        held = collections.newest(hold.collection)
        room -= held.chunks if held else 0
    written = 0
    if len(fresh) > room:  # each has a chunk at least
        raise _Refused(_too_many())
    for start in range(0, len(fresh), _DOCUMENTS):
        items = fresh[start : start + _DOCUMENTS]
        pieces = [_cut(hold, item) for item in items]
        written += sum(map(len, pieces))
        if written > room:
            raise _Refused(_too_many())
        is_last = start + _DOCUMENTS >= len(fresh)
        counted = {"chunks": written} if is_last else {}
        with hold.step(documents=F("documents") + len(items), **counted):
            _write(hold.upload, items, pieces)


def _too_many() -> str:
    most = settings.SHADOWEVAL_COLLECTION_MAX_CHUNKS
    return f"A collection has at most {most:,} chunks, and this would make more."


def fingerprint(item: Item) -> str:
    """Return the SHA-256 of all that a document says; one with the same is not read again."""
    said = json.dumps([item.title, item.text, item.metadata], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _fresh(collection: Collection, items: Sequence[Item]) -> list[Item]:
    """Return the documents that the collection does not hold as they are."""
    known = dict(collections.documents(collection).values_list("key", "sha256"))
    return [item for item in items if known.get(item.key) != fingerprint(item)]


def _cut(hold: _Hold, item: Item) -> list[chunking.Piece]:
    hold.keep()
    is_markdown = hold.upload.kind == Upload.Kind.MARKDOWN
    return chunking.cut(item.text, hold.collection.chunk_tokens, is_markdown=is_markdown)


def _write(
    upload: Upload, items: Sequence[Item], pieces: Sequence[Sequence[chunking.Piece]]
) -> None:
    rows = [
        Document(
            collection_id=upload.collection_id, upload=upload, key=item.key, title=item.title,
            text=item.text, metadata=item.metadata, sha256=fingerprint(item),
        )
        for item in items
    ]  # fmt: skip
    Document.objects.bulk_create(rows)
    Chunk.objects.bulk_create(
        Chunk(document=row, ordinal=ordinal, start=piece.start, text=piece.text)
        for row, parts in zip(rows, pieces, strict=True)
        for ordinal, piece in enumerate(parts)
    )


def _embed(hold: _Hold) -> None:
    """Give every chunk its vector, a group at a time."""
    has_pgvector = nearest.prepare()
    with embedding.pool(hold.collection.embedder, hold.keep) as embed:
        while rows := _unembedded(hold.upload):
            vectors = embed([embedding.passage(title, text) for _, title, text in rows])
            ids = [pk for pk, _, _ in rows]
            counted = {"embedded": F("embedded") + len(rows), "attempts": 1}
            with hold.step(**counted), connection.cursor() as cursor:
                cursor.execute(
                    "UPDATE routing_chunk SET vector = told.vector"
                    " FROM unnest(%s::bigint[], %s::bytea[]) AS told(id, vector)"
                    " WHERE routing_chunk.id = told.id",
                    [ids, [vector.astype("<f4").tobytes() for vector in vectors]],
                )
                if has_pgvector:
                    nearest.keep(ids, vectors)


def _unembedded(upload: Upload) -> list[tuple[int, str, str]]:
    """Return numbers, titles and texts of the next group."""
    rows = Chunk.objects.filter(document__upload=upload, document__added_in=None, vector=None)
    columns = rows.order_by("pk").values_list("pk", "document__title", "text")
    return list(columns[:_CHUNKS])


def _publish(hold: _Hold) -> None:
    """Make the version: new documents come in, those they replace go out, in one transaction.

    An upload that changes nothing makes none, but for a collection that has none yet.
    """
    upload = hold.upload
    kept = _parsed(upload).keys if upload.replaces_all else set()
    with transaction.atomic():
        # Before its upload, as deleting has it: each would wait for the other.
        locked = Collection.objects.select_for_update(no_key=True).get(pk=upload.collection_id)
        with hold.step(content=None):
            if locked.deleted_at is not None:
                raise _Lost
            upload.version = _version(locked, upload, kept)
            Upload.objects.filter(pk=upload.pk).update(version=upload.version)


def _version(locked: Collection, upload: Upload, kept: set[str]) -> CollectionVersion:
    last = collections.newest(locked)
    number = last.number + 1 if last else 1
    fresh = Document.objects.filter(upload=upload, added_in=None)
    held = collections.documents(locked).order_by()
    going = Q(key__in=fresh.order_by().values("key"))
    if upload.replaces_all:
        going |= ~Q(key__in=list(kept))
    changed = held.filter(going).update(removed_in=number)
    changed += fresh.update(added_in=number)
    if changed or last is None:
        last = collections.make_version(locked, number, f"upload {upload.pk}: {upload.name}")
    return last


def stop(*, is_ending: bool = True) -> None:
    """Let uploads of this process wait for another one: it is to end, or is not after all."""
    if is_ending:
        _ending.set()
    else:
        _ending.clear()
