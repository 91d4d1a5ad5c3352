"""Collections: made, filled, emptied, deleted. What is uploaded waits here for `indexing`.

Texts are never in a log, nor in the sentence of an error.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from routing import embedders
from routing.embedders import ids
from routing.errors import NotFound
from routing.models import Chunk, Collection, CollectionVersion, Document, Project, Upload
from routing.retrieval import reading
from routing.retrieval.base import AUTO, STRATEGIES

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_STATE = Upload.State
#: Where an embedder stops reading, without the two tokens that it puts around a text.
LONGEST_CHUNK = {ids.MINILM: 254, ids.MINILM_FP32: 254, ids.STATIC: 512}
SHORTEST_CHUNK = 16
#: docs/adr/0040 says why.
CHUNK_TOKENS = 128
MOST_SOURCES = 50
#: Uploads of one collection that may wait.
MOST_WAITING = 1000


def create(
    project: Project,
    name: str,
    *,
    description: str = "",
    embedder: str = "",
    chunk_tokens: int = CHUNK_TOKENS,
    strategy: str = AUTO,
    k: int = 5,
    reranks: bool = False,
) -> Collection:
    """Write an empty collection. Running it twice is refused.

    Args:
        project: whose requests may name it.
        name: letters, digits, "-" and "_".
        description: for people.
        embedder: `minilm`, `static` or an embedder's id; the usual one when empty.
        chunk_tokens: of the embedder, that a chunk has at most.
        strategy: what a request gets that names none.
        k: sources of an answer.
        reranks: whether what was found is put in order once more.

    Raises:
        ValueError: in a sentence, when something cannot be.
    """
    chosen = _embedder(embedder)
    _check(name, chosen, chunk_tokens, strategy, k)
    try:
        with transaction.atomic():
            return Collection.objects.create(
                project=project, name=name, description=description[:200], embedder=chosen,
                chunk_tokens=chunk_tokens, strategy=strategy, k=k, reranks=reranks,
            )  # fmt: skip
    except IntegrityError:
        raise ValueError(f"There is a collection “{name}” already: choose another name.") from None


def _embedder(said: str) -> str:
    chosen = said or settings.SHADOWEVAL_EMBEDDER
    chosen = embedders.NAMES.get(chosen, chosen)
    if chosen not in LONGEST_CHUNK:
        known = ", ".join(embedders.NAMES)
        raise ValueError(f"There is no embedder “{said[:80]}”; there are {known}.")
    return chosen


def _check(name: str, embedder: str, chunk_tokens: int, strategy: str, k: int) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError("A name has 1 to 60 letters, digits, hyphens and underscores.")
    longest = LONGEST_CHUNK[embedder]
    if not SHORTEST_CHUNK <= chunk_tokens <= longest:
        raise ValueError(f"Chunks have {SHORTEST_CHUNK} to {longest} tokens with this embedder.")
    if strategy not in (AUTO, *STRATEGIES):
        raise ValueError(f"A strategy is one of {', '.join((AUTO, *STRATEGIES))}.")
    if not 1 <= k <= MOST_SOURCES:
        raise ValueError(f"An answer has 1 to {MOST_SOURCES} sources.")


def change(
    collection: Collection, *, description: str | None = None, strategy: str | None = None,
    k: int | None = None, reranks: bool | None = None,
) -> None:  # fmt: skip
    """Write other settings; None leaves one as it is. Processes go by them at their next look.

    Raises:
        NotFound: when the collection was deleted.
        ValueError: in a sentence, when something cannot be; nothing is written then.
    """
    said = {"description": description, "strategy": strategy, "k": k, "reranks": reranks}
    with transaction.atomic():
        row = _lock(collection)
        for name in (name for name, value in said.items() if value is not None):
            setattr(row, name, said[name])
        row.description = row.description[:200]
        _check(row.name, row.embedder, row.chunk_tokens, row.strategy, row.k)
        row.save(update_fields=list(said))


def find(project: Project, name: str) -> Collection:
    """Return a project's collection.

    Raises:
        NotFound: when there is none; one that was deleted is told from one that never was.
    """
    mine = Collection.objects.filter(project=project, name=name).order_by("-pk")
    found = next((one for one in mine if one.deleted_at is None), None) or mine.first()
    if found is None:
        raise missing(name)
    if found.deleted_at is not None:
        raise deleted(name, found.deleted_at)
    return found


def missing(name: str) -> NotFound:
    """Return the error of a collection that never was."""
    return NotFound(f"there is no collection {name[:60]!r} in this project")


def deleted(name: str, at: datetime) -> NotFound:
    """Return the error of a collection that is no more."""
    return NotFound(f"collection {name[:60]!r} was deleted on {at:%Y-%m-%d at %H:%M} UTC")


def upload(
    collection: Collection,
    name: str,
    content: bytes,
    kind: str = "",
    *,
    replaces_all: bool = False,
    by: User | None = None,
) -> Upload:
    """Write down a file; a worker reads it. Running it twice uploads twice, which changes nothing.

    Args:
        collection: gets its documents.
        name: of the file; where nothing is said its ending tells the kind, and it is the key of a
            document that is a whole file.
        content: at most SHADOWEVAL_UPLOAD_MAX_MB.
        kind: jsonl, markdown, text or pdf.
        replaces_all: what is not in the file leaves the collection.
        by: who uploads.

    Raises:
        NotFound: when the collection was deleted.
        ValueError: in a sentence, when it cannot be read; nothing is written then.
    """
    name = reading.file_name(name)
    kind = kind or reading.kind_of(name)
    if kind not in Upload.Kind.values:
        known = ", ".join(Upload.Kind.values)
        raise ValueError(f"What kind of file “{name}” is cannot be told: say one of {known}.")
    most = settings.SHADOWEVAL_UPLOAD_MAX_BYTES
    if len(content) > most:
        raise ValueError(
            f"“{name}” has {len(content) / 1e6:.1f} MB, and an upload at most {most / 1e6:g} MB:"
            " split it."
        )
    reading.check(name, kind, content)
    with transaction.atomic():
        _lock(collection)
        if collection.uploads.filter(state__in=Upload.OPEN).count() >= MOST_WAITING:
            raise ValueError(f"{MOST_WAITING} uploads of this collection wait: come back later.")
        return Upload.objects.create(
            collection=collection, name=name, kind=kind, content=content, size=len(content),
            replaces_all=replaces_all, made_by=by,
        )  # fmt: skip


def put(
    collection: Collection,
    key: str,
    text: str,
    *,
    title: str = "",
    metadata: Mapping[str, Any] | None = None,
    by: User | None = None,
) -> Upload:
    """Write down one document, which is added or replaces the one with its key.

    Raises:
        NotFound: when the collection was deleted.
        ValueError: in a sentence, when it cannot be; nothing is written then.
    """
    row = {"id": key, "text": text, "title": title, "metadata": dict(metadata or {})}
    content = json.dumps(row, ensure_ascii=True).encode()
    read = reading.read(reading.JSONL, key, content)
    for refused in read.refused:
        raise ValueError(refused.why)
    return upload(collection, key, content, reading.JSONL, by=by)


def remove(
    collection: Collection, keys: Sequence[str], by: User | None = None
) -> CollectionVersion:
    """Take documents out: one transaction makes the next version. Unknown keys are passed over.

    Older versions keep them until retention takes them, or the collection is deleted.

    Raises:
        NotFound: when the collection was deleted, or has none of these documents.
    """
    with transaction.atomic():
        locked = _lock(collection)
        going = documents(locked).filter(key__in=list(keys))
        number = newest_number(locked) + 1
        count = going.update(removed_in=number)
        if not count:
            raise NotFound(f"collection {locked.name!r} has no such document")
        who = f" by {by.get_username()}" if by else ""
        return make_version(locked, number, f"{count} removed{who}")


def delete(collection: Collection, by: User | None = None) -> None:
    """Erase texts, chunks and vectors, and stop what is under way. Twice is as once.

    The rows of the collection, its versions and its uploads stay. Index files go at the next look
    of `indexes`.
    """
    with transaction.atomic():
        # Its key stays free: a worker that writes documents holds the upload that is wanted next.
        locked = Collection.objects.select_for_update(no_key=True).get(pk=collection.pk)
        if locked.deleted_at is None:
            locked.deleted_at = timezone.now()
            locked.save(update_fields=["deleted_at"])
        who = f" by {by.get_username()}" if by else ""
        waiting = locked.uploads.filter(state__in=Upload.OPEN)
        waiting.update(
            state=_STATE.CANCELLED, finished_at=timezone.now(),
            reason=f"The collection was deleted{who}.",
        )  # fmt: skip
        locked.uploads.exclude(content=None).update(content=None)
        erase(Document.objects.filter(collection=locked))


def erase(rows: QuerySet[Document]) -> int:
    """Delete documents with their chunks; return how many documents."""
    mine = rows.order_by().values("pk")
    chunks = Chunk.objects.filter(document__in=mine)
    chunks._raw_delete(chunks.db)
    return rows.delete()[0]


def cancel(upload: Upload) -> bool:
    """Stop an upload that waits or runs; its documents go. Return whether there was one to stop."""
    with transaction.atomic():
        mine = Upload.objects.filter(pk=upload.pk, state__in=Upload.OPEN, version=None)
        now = timezone.now()
        stopped = mine.update(state=_STATE.CANCELLED, finished_at=now, content=None)
        if stopped:
            erase(Document.objects.filter(upload=upload, added_in=None))
        return bool(stopped)


def retry(upload: Upload) -> bool:
    """Have a failed upload wait again, from where it was; return whether it could."""
    failed = Upload.objects.filter(pk=upload.pk, state=_STATE.FAILED).exclude(content=None)
    failed = failed.filter(collection__deleted_at=None)
    waiting = {"state": _STATE.WAITING, "attempts": 0, "reason": "", "finished_at": None}
    return bool(failed.update(**waiting))


def documents(collection: Collection, number: int | None = None) -> QuerySet[Document]:
    """Return what a version holds, by key; the newest one where none is named."""
    mine = Document.objects.filter(collection=collection).order_by("key")
    if number is None:
        return mine.filter(added_in__isnull=False, removed_in=None)
    return mine.filter(Q(removed_in=None) | Q(removed_in__gt=number), added_in__lte=number)


def newest(collection: Collection) -> CollectionVersion | None:
    """Return the version that requests are answered from, if there is one."""
    return collection.versions.order_by("-number").first()


def newest_number(collection: Collection) -> int:
    """Return the number of the newest version, 0 before the first."""
    found = newest(collection)
    return found.number if found else 0


def make_version(collection: Collection, number: int, note: str) -> CollectionVersion:
    """Write the version of what is marked to be in it; the collection must be locked."""
    held = documents(collection, number)
    return CollectionVersion.objects.create(
        collection=collection, number=number, documents=held.count(), note=note[:200],
        chunks=Chunk.objects.filter(document__in=held.order_by().values("pk")).count(),
        digest=digest(collection, number),
    )  # fmt: skip


def digest(collection: Collection, number: int) -> str:
    """Return the SHA-256 of a version.

    Chunks follow from documents, embedder and chunk length, so the documents' own stand for them.
    """
    total = hashlib.sha256(f"{collection.embedder}\n{collection.chunk_tokens}\n".encode())
    rows = documents(collection, number).order_by("pk").values_list("key", "sha256")
    for key, sha256 in rows.iterator(chunk_size=5000):
        total.update(json.dumps([key, sha256]).encode())
    return total.hexdigest()


def purge(before: datetime) -> int:
    """Erase what left its collection before a moment, and what failed; return how many rows.

    Versions of before then can no longer be searched; their rows stay.
    """
    left = Document.objects.filter(
        collection__versions__number=F("removed_in"), collection__versions__created_at__lt=before
    )
    gone = erase(Document.objects.filter(pk__in=left.order_by().values("pk")))
    failed = Upload.objects.filter(state=_STATE.FAILED, finished_at__lt=before)
    gone += erase(Document.objects.filter(upload__in=failed, added_in=None))
    return gone + failed.exclude(content=None).update(content=None)


def _lock(collection: Collection) -> Collection:
    """Return the collection, which nobody else changes until the transaction ends.

    Raises:
        NotFound: when it was deleted.
    """
    locked = Collection.objects.select_for_update(no_key=True).get(pk=collection.pk)
    if locked.deleted_at is not None:
        raise deleted(locked.name, locked.deleted_at)
    return locked
