"""Index files of collections: made from Postgres where they are missing, open where they serve.

The shelf is read by every request that names a collection, without waiting: a thread keeps it up to
date. With Postgres away, what was known last is served.
"""

from __future__ import annotations

import fcntl
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import DatabaseError, connection

from routing import collections, embedders, errors, holdings
from routing.embedders.memory import Remembering
from routing.errors import Conflict, ModelsMissing, NotFound, RequestError, ServiceUnavailable
from routing.models import Chunk, Collection, CollectionVersion, StrategyVersion
from routing.retrieval import choosing, index
from routing.retrieval.choosing import Chooser
from routing.retrieval.index import Entry, Index

log = logging.getLogger(__name__)

REFRESH_S = 2.0
_Key = tuple[int, str]


@dataclass(frozen=True)
class Open:
    """A collection as it is served.

    Attributes:
        version: number of what is searched.
        newest: number of the newest version; what was taken out up to it is found no more.
        chooser: what `auto` goes by.
    """

    collection_id: int
    name: str
    version: int
    newest: int
    embedder: Remembering
    index: Index
    strategy: str
    k: int
    reranks: bool
    chooser: Chooser


def folder(version: CollectionVersion) -> Path:
    """Return where a version's files are, or belong.

    The digest is in the name: a transaction that made files and then no version leaves a folder
    that nothing else takes for its own.
    """
    root = Path(settings.SHADOWEVAL_INDEX_DIR) / str(version.collection_id)
    return root / f"{version.number}-{version.digest[:12]}"


def is_built(version: CollectionVersion) -> bool:
    """Return whether a version's files are there."""
    try:
        index.checked(folder(version))
    except ValueError:
        return False
    return True


def built(version: CollectionVersion, after: int = 0) -> Iterator[CollectionVersion]:
    """Yield the versions up to this one, after a number, that have files; the newest first."""
    if is_built(version):
        yield version
    names = (place.name.split("-")[0] for place in folder(version).parent.glob("[0-9]*-*"))
    numbers = [int(name) for name in names if name.isdecimal()]
    between = [number for number in numbers if after < number < version.number]
    if between:
        rows = CollectionVersion.objects.filter(collection=version.collection_id)
        yield from filter(is_built, rows.filter(number__in=between).order_by("-number"))


def ensure(version: CollectionVersion) -> Path:
    """Return a version's folder, whose files are built if they are missing.

    Processes of one machine wait for each other instead of building twice.

    Raises:
        ValueError: in a sentence, when what the version held was deleted since.
    """
    place = folder(version)
    if is_built(version):
        return place
    with _alone(version.collection_id):
        if not is_built(version):
            _build(version, place)
    return place


def _build(version: CollectionVersion, place: Path) -> None:
    start = time.monotonic()
    collection = version.collection
    if collections.digest(collection, version.number) != version.digest:
        raise ValueError(f"What version {version.number} of {collection} held was deleted since.")
    index.build(place, entries(version), embedders.dimensions(collection.embedder))
    log.info(
        "index of collection %s version %s: %s chunks in %.1f s",
        collection.pk, version.number, version.chunks, time.monotonic() - start,
    )  # fmt: skip


def entries(version: CollectionVersion) -> Iterator[Entry]:
    """Yield a version's chunks in the order of their rows: by document, then by place in it."""
    held = collections.documents(version.collection, version.number).order_by()
    rows = Chunk.objects.filter(document__in=held.values("pk")).order_by("document_id", "ordinal")
    columns = ("pk", "document__key", "document__title", "text", "start", "vector")
    for pk, key, title, text, start, vector in rows.values_list(*columns).iterator(chunk_size=2000):
        yield Entry(pk, key, title, text, start, np.frombuffer(vector or b"", "<f4"))


@contextmanager
def _alone(collection_id: int) -> Iterator[None]:
    root = Path(settings.SHADOWEVAL_INDEX_DIR)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root / f"{collection_id}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Shelf:
    """The collections that this process can serve, open.

    Attributes:
        is_fresh: whether the database was reached the last time.
    """

    def __init__(self) -> None:
        self.is_fresh = False
        self._open: dict[_Key, Open] = {}
        self._absent: dict[_Key, RequestError] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def get(self, project_id: int, name: str) -> Open:
        """Return a collection; waits for nothing.

        Raises:
            NotFound: when it never was, or was deleted; the message says which.
            Conflict: when nothing in it is indexed yet.
            ServiceUnavailable: when it is still being loaded, or cannot be.
        """
        key = (project_id, name)
        absent = self._absent.get(key)  # first: what opens meanwhile is in neither otherwise
        found = self._open.get(key)
        if found is not None:
            return found
        # One error is raised by many requests: each would add to its traceback.
        raise (absent or self._unknown(name)).with_traceback(None)

    def _unknown(self, name: str) -> RequestError:
        if self.is_fresh:
            known = collections.missing(name).message
            return NotFound(f"{known}; one made in the last seconds is not known here yet")
        return ServiceUnavailable("collections are not loaded yet; try again in some seconds")

    def start(self) -> None:
        """Keep refreshing in a thread, from nothing: what was known may be long past."""
        self.is_fresh, self._open, self._absent = False, {}, {}
        self._stopping = False
        self._wake.clear()  # a stop sets it: it would never wait again
        self._thread = threading.Thread(target=self._run, name="shelf-refresh", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop refreshing."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self.refresh()
            except Exception as exc:
                log.warning("keeping the known collections: %s", type(exc).__name__)
            self._wake.wait(REFRESH_S)

    def refresh(self) -> None:
        """Open what is new, let go of what is no more.

        Raises:
            django.db.Error: when the database is away; what was known stays.
        """
        with self._lock:
            try:
                self._read()
            except Exception:
                self.is_fresh = False
                raise
            else:
                self.is_fresh = True
            finally:
                if not connection.in_atomic_block:
                    connection.close()  # back to the pool

    def _read(self) -> None:
        known, absent = dict[_Key, Open](), dict[_Key, RequestError]()
        newest = newest_versions()
        strategies = _newest_strategies()
        for row in Collection.objects.order_by("pk"):  # one that lives comes after its dead
            key = (row.project_id, row.name)
            absent.pop(key, None)
            if row.deleted_at is not None:
                absent[key] = collections.deleted(row.name, row.deleted_at)
                continue
            try:
                known[key] = self._opened(row, newest.get(row.pk), strategies.get(row.pk))
            except RequestError as exc:
                # Its traceback holds this frame, and all that is open, until the collector comes.
                absent[key] = exc.with_traceback(None)
            except ModelsMissing as exc:
                absent[key] = ServiceUnavailable(str(exc))
            except DatabaseError:
                raise
            except Exception as exc:  # what one collection has must not keep the others back
                log.error("collection %s: %s at %s", row.pk, type(exc).__name__, errors.place(exc))
                absent[key] = ServiceUnavailable(f"collection {row.name!r} cannot be loaded")
        self._open, self._absent = known, absent

    def _opened(
        self, row: Collection, version: CollectionVersion | None, strategy: int | None
    ) -> Open:
        """Return a collection as it is served: the newest version whose files are there.

        What was taken out since is not found in it.
        """
        before = self._open.get((row.project_id, row.name))
        if before is not None and before.collection_id != row.pk:
            before = None
        if version is None:
            raise Conflict(
                f"collection {row.name!r} holds nothing that is indexed yet: upload documents, or"
                " wait for those under way"
            )
        searched, number = _searched(row, version, before)
        known = before and (before.index, before.newest)
        if number < version.number and known != (searched, version.number):
            searched = searched.without(holdings.gone(row.pk, number))
        chooser = _chooser(strategy) if strategy else choosing.RULES
        return Open(
            row.pk, row.name, number, version.number, embedders.get(row.embedder), searched,
            row.strategy, row.k, row.reranks, chooser,
        )  # fmt: skip


def _searched(row: Collection, newest: CollectionVersion, before: Open | None) -> tuple[Index, int]:
    """Return the newest version that has files, and its number."""
    if before is not None and before.index.folder == folder(newest):
        return before.index, before.version
    known = before.version if before else 0
    for version in built(newest, known):
        with suppress(ValueError):
            return Index.open(folder(version)), version.number
    if before is None:
        raise ServiceUnavailable(f"collection {row.name!r} is still being indexed")
    return before.index, known


def newest_versions() -> dict[int, CollectionVersion]:
    """Return the newest version of each collection that lives, by collection."""
    rows = CollectionVersion.objects.filter(collection__deleted_at=None)
    rows = rows.order_by("collection_id", "-number").distinct("collection_id")
    return {row.collection_id: row for row in rows}


def _newest_strategies() -> dict[int, int]:
    rows = StrategyVersion.objects.order_by("collection_id", "-pk").distinct("collection_id")
    return dict(rows.values_list("collection_id", "pk"))


_choosers: dict[int, Chooser] = {}


def _chooser(strategy_id: int) -> Chooser:
    """Return a trained chooser, loaded once; the rules for one that cannot be read."""
    if strategy_id not in _choosers:
        try:
            artifact = StrategyVersion.objects.values_list("artifact", flat=True).get(
                pk=strategy_id
            )
            _choosers[strategy_id] = choosing.loads(bytes(artifact))
        except ValueError:
            log.exception("strategy %s cannot be loaded", strategy_id)
            _choosers[strategy_id] = choosing.RULES
    return _choosers[strategy_id]


shelf = Shelf()
