"""Keep every served reply: in the local journal before it leaves, in Postgres soon after.

A thread of its own writes what is waiting in groups, some milliseconds later. With Postgres away
records wait in the journal; what does not fit into memory is read back from it. Journals that dead
processes left are written first to last, a group at a time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from routing import records, tally
from routing.errors import place
from routing.journal import Journal, Mark, Orphan, orphans
from routing.served import Served

log = logging.getLogger(__name__)

_GROUP = 200
#: Postgres takes no message above a gigabyte; a group of large bodies stays far below.
_GROUP_BYTES = 32_000_000
#: Groups are let grow for this long: nobody waits for them, and a statement costs more than a row.
_LINGER_S = 0.01
_RETRY_S = 0.25
_LOOK_S = 1.0
_LOOK_FOR_ORPHANS_S = 5.0


def write(rows: Sequence[Served]) -> None:
    """Write served replies now; a second run changes nothing."""
    records.write([records.encode(row) for row in rows])


def refused() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give the records that Postgres would not take; one that cannot be read has no columns."""
    for path in sorted((settings.SHADOWEVAL_JOURNAL_DIR / "refused").glob("*.json")):
        try:
            said = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            said = {}
        yield path, said if isinstance(said, dict) else {}


@dataclass(frozen=True)
class _Entry:
    """A record on its way: in memory, in the journal, or both."""

    record: bytes | None
    mark: Mark | None
    size: int


class Recorder:
    """Takes replies from the event loop; `put` never waits for Postgres and never raises.

    Attributes:
        lost: replies that found room neither in the journal nor in memory.
    """

    def __init__(self, on_written: Callable[[], None] = lambda: None) -> None:
        root = settings.SHADOWEVAL_JOURNAL_DIR
        self.journal = Journal(root, settings.SHADOWEVAL_JOURNAL_BYTES)
        self.lost = 0
        self._most_bytes = settings.SHADOWEVAL_RECORD_QUEUE_BYTES
        self._bytes = 0  # of the records in memory
        self._bytes_lock = threading.Lock()
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        writer = _Writer(self._queue, self.journal, self._forget, on_written, root)
        self._writer = writer
        self._thread = threading.Thread(target=writer.run, name="recorder", daemon=True)

    @property
    def waiting(self) -> int:
        """How many records are not in Postgres yet."""
        return self._queue.qsize() + self._writer.in_hand

    def start(self) -> None:
        """Start the writer."""
        self._thread.start()

    def put(self, row: Served) -> None:
        """Keep a reply: once this returns, the end of the process does not lose it."""
        tally.count(row)
        try:
            record = records.encode(row)
        except Exception as exc:
            # The text of the error may hold what was asked: its name has to do.
            log.error("request %s cannot be recorded: %s", row.request_id, type(exc).__name__)
            self.lost += 1
            return
        mark, in_memory = self.journal.append(record), self._take_room(len(record))
        if mark is None and not in_memory:
            self.lost += 1
            log.error("no room for records: %d replies were not recorded", self.lost)
            return
        self._queue.put(_Entry(record if in_memory else None, mark, len(record)))

    def _take_room(self, size: int) -> bool:
        """Count bytes into memory if they fit; one record alone always does."""
        with self._bytes_lock:
            fits = self._bytes == 0 or self._bytes + size <= self._most_bytes
            self._bytes += size if fits else 0
            return fits

    def _forget(self, size: int) -> None:
        with self._bytes_lock:
            self._bytes -= size

    async def stop(self, timeout_s: float = 20.0) -> None:
        """Write what is waiting, then stop.

        What Postgres does not take within `timeout_s` stays in the journal for the next process.
        """
        self._queue.put(None)
        self._writer.deadline = time.monotonic() + timeout_s
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, timeout_s + 10)
        left, gone = self._writer.left_over()
        self.lost += gone
        if left:
            log.warning("stopping: %d replies wait in the journal for the next start", left)
        if gone:
            log.error("stopping with %d replies not recorded", gone)
        if not self._thread.is_alive():
            self.journal.close()


class _Writer:
    """The thread that writes: live records, and between them those of dead processes."""

    def __init__(
        self,
        waiting: queue.SimpleQueue[_Entry | None],
        journal: Journal,
        forget: Callable[[int], None],
        on_written: Callable[[], None],
        root: Path,
    ) -> None:
        self.deadline: float | None = None
        self.in_hand = 0
        self.unreadable = 0
        self._queue = waiting
        self._journal = journal
        self._forget = forget
        self._on_written = on_written
        self._group: list[_Entry] = []
        self._inheritance = _Inheritance(root)
        self._is_stopping = False

    def run(self) -> None:
        """Write until told to stop."""
        try:
            while not self._is_stopping or self._group or not self._queue.empty():
                if not self._survived_step():
                    break
        finally:
            self._inheritance.release()
            connection.close()

    def _survived_step(self) -> bool:
        """Do a step; whatever it raises, the writer lives on: nobody else writes."""
        try:
            return self._step()
        except Exception as exc:
            log.error("recording stumbled: %s at %s", type(exc).__name__, place(exc))
            time.sleep(_RETRY_S)
            return self.deadline is None or time.monotonic() < self.deadline

    def _step(self) -> bool:
        """Write one group of each kind; return False when there is no time left."""
        if not self._group:
            self._collect()
        if self._group:
            if not self._until_written(self._live()):
                return False
            self._settle()
        inherited = None if self._is_stopping else self._inheritance.group()
        if inherited and self._until_written(inherited):
            self._inheritance.written()
            self._on_written()
        return True

    def _collect(self) -> None:
        """Wait for a record and take what came with it, as far as one statement takes it."""
        is_hurried = self._is_stopping or self._inheritance.has_more
        try:
            self._take(self._queue.get(timeout=0.0 if is_hurried else _LOOK_S))
            if not self._is_stopping:
                time.sleep(_LINGER_S)
            while len(self._group) < _GROUP and sum(e.size for e in self._group) < _GROUP_BYTES:
                self._take(self._queue.get_nowait())
        except queue.Empty:
            pass
        self.in_hand = len(self._group)

    def _take(self, entry: _Entry | None) -> None:
        if entry is None:
            self._is_stopping = True
        else:
            self._group.append(entry)

    def _live(self) -> list[bytes]:
        return [record for entry in self._group if (record := self._record(entry)) is not None]

    def _record(self, entry: _Entry) -> bytes | None:
        if entry.record is not None:
            return entry.record
        assert entry.mark is not None
        try:
            return self._journal.read(entry.mark)
        except OSError as exc:
            log.error("a record cannot be read back from the journal: %s", exc)
            self.unreadable += 1
            return None

    def _settle(self) -> None:
        """Forget a group that was written."""
        self._journal.done(entry.mark for entry in self._group if entry.mark is not None)
        self._forget(sum(entry.size for entry in self._group if entry.record is not None))
        self._group, self.in_hand = [], 0
        self._on_written()

    def _until_written(self, group: list[bytes]) -> bool:
        """Write; a database that is away or read-only is waited for. False: no time was left."""
        is_away = False
        while True:
            try:
                records.store(group)
            except (DatabaseError, InterfaceError) as exc:
                if not is_away:
                    log.warning("recording waits for the database: %s", type(exc).__name__)
                is_away = True
                connection.close()
                self._journal.sync()
                if self.deadline is not None and time.monotonic() > self.deadline:
                    return False
                time.sleep(_RETRY_S)
            else:
                if is_away:
                    log.warning("recording goes on")
                return True

    def left_over(self) -> tuple[int, int]:
        """Return how many records were not written: those in the journal, and those lost."""
        entries = [*self._group]
        while not self._queue.empty():
            entry = self._queue.get_nowait()
            entries += [entry] if entry is not None else []
        kept = sum(entry.mark is not None for entry in entries)
        return kept, len(entries) - kept


class _Inheritance:
    """The journals of dead processes, a group at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._looked_at = -_LOOK_FOR_ORPHANS_S
        self._found: Iterator[Orphan] = iter(())
        self._orphan: Orphan | None = None
        self._records: Iterator[bytes] = iter(())
        self._group: list[bytes] = []

    @property
    def has_more(self) -> bool:
        """Whether a journal is being read."""
        return self._orphan is not None

    def group(self) -> list[bytes]:
        """Return the next records to be written; the same ones until `written`."""
        if not self._group:
            self._next()
        return self._group

    def written(self) -> None:
        """Go on after the last group."""
        self._group = []

    def _next(self) -> None:
        try:
            if self._orphan is None:
                self._look()
            self._group = list(_some(self._records))
            if self._orphan is not None and not self._group:
                log.warning("the journal of a process that ended was written to Postgres")
                self._orphan.remove()
                self._orphan = None
        except Exception as exc:
            # Whatever it was: a journal that was not read to its end must not be removed.
            log.error("a journal cannot be read: %s at %s", type(exc).__name__, place(exc))
            self.release()

    def _look(self) -> None:
        """Take the next orphan, looking for new ones now and then."""
        if time.monotonic() - self._looked_at >= _LOOK_FOR_ORPHANS_S:
            self._found, self._looked_at = orphans(self._root), time.monotonic()
        self._orphan = next(self._found, None)
        self._records = self._orphan.records() if self._orphan else iter(())

    def release(self) -> None:
        """Leave what is not written to somebody else."""
        if self._orphan is not None:
            self._orphan.release()
        self._orphan, self._records, self._group = None, iter(()), []


def _some(all_records: Iterator[bytes]) -> Iterator[bytes]:
    """Give as many records as one statement takes."""
    size = 0
    for record in islice(all_records, _GROUP):
        yield record
        size += len(record)
        if size >= _GROUP_BYTES:
            break
