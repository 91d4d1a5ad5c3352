"""A local file of records on their way to Postgres: what is in it survives the process.

One folder per process, held by a lock while that process lives; in it numbered segments, only ever
appended to. A record is its length, its CRC-32 and its bytes. A segment is removed when all its
records are in Postgres. Folders that nobody holds belong to processes that died: whoever comes next
takes them over and writes their records again, which Postgres takes once only.

Nothing here knows what a record means.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import shutil
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

log = logging.getLogger(__name__)

_MAGIC = b"shadoweval journal 1\n"
_HEAD = struct.Struct(">II")
#: In each folder: held while its process lives.
LOCK = "lock"
_ENDING = ".journal"
#: A segment that grew to this is closed, and the next begins.
SEGMENT_BYTES = 8_000_000


@dataclass(eq=False)
class Segment:
    """One file. `waiting` counts its records that are not in Postgres yet."""

    path: Path
    descriptor: int
    size: int = 0
    waiting: int = 0
    is_synced: bool = True
    is_full: bool = False

    @property
    def is_gone(self) -> bool:
        """Whether the file was deleted under us."""
        return os.fstat(self.descriptor).st_nlink == 0

    def write(self, record: bytes) -> int:
        """Append; return the record's offset. What is written in part only is cut off again."""
        head = _HEAD.pack(len(record), zlib.crc32(record))
        try:
            if os.writev(self.descriptor, (head, record)) != len(head) + len(record):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._cut()
            raise
        offset = self.size + len(head)
        self.size = offset + len(record)
        self.waiting += 1
        self.is_synced = False
        return offset

    def _cut(self) -> None:
        try:
            os.ftruncate(self.descriptor, self.size)
        except OSError:
            self.is_full = True  # its end is in doubt: nothing may follow

    def empty(self) -> None:
        """Give its room back: all its records are in Postgres."""
        os.ftruncate(self.descriptor, len(_MAGIC))
        self.size = len(_MAGIC)

    def remove(self) -> None:
        """Close and delete the file."""
        os.close(self.descriptor)
        try:
            self.path.unlink(missing_ok=True)
        except OSError as exc:
            log.warning("journal %s cannot be deleted: %s", self.path.name, exc)


def _empty_if_done(segment: Segment) -> None:
    if not segment.waiting and segment.size > len(_MAGIC):
        with contextlib.suppress(OSError):
            segment.empty()


@dataclass(frozen=True)
class Mark:
    """Where a record lies."""

    segment: Segment
    offset: int
    length: int


@dataclass
class Journal:
    """The journal of this process.

    A disk that is full costs a record its place in the file, never more: the caller still holds it.
    `append` is for one thread, `read`, `done` and `sync` for one other.

    Attributes:
        root: the folder of all processes' journals; made when the first record comes.
        most_bytes: of all segments of this process together.
        refused: records that found no place, since the start.
    """

    root: Path
    most_bytes: int
    refused: int = 0
    _segments: list[Segment] = field(default_factory=list)
    _folder: Path | None = None
    _lock_file: int = -1
    _number: int = 0
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _is_failing: bool = False

    @property
    def size_bytes(self) -> int:
        """Bytes in the files, written to Postgres or not."""
        return sum(segment.size for segment in list(self._segments))

    def append(self, record: bytes) -> Mark | None:
        """Write a record; return where it is, or None when it found no place."""
        try:
            with self._guard:
                segment = self._room_for(len(record))
                mark = Mark(segment, segment.write(record), len(record))
        except OSError as exc:
            self.refused += 1
            if not self._is_failing:
                log.error("the journal takes no records (%s): they are in memory only", exc)
            self._is_failing = True
            return None
        if self._is_failing:
            log.warning("the journal takes records again")
        self._is_failing = False
        return mark

    def _room_for(self, length: int) -> Segment:
        if self.size_bytes + length > self.most_bytes:
            raise OSError(errno.EDQUOT, "it has grown to SHADOWEVAL_JOURNAL_MB")
        last = self._segments[-1] if self._segments else None
        if last is not None and last.is_gone:
            if last.path.parent == self._folder:
                self._let_go()
            last = None
        if last is None or last.is_full or last.size >= SEGMENT_BYTES:
            last = self._next()
            self._segments.append(last)
        return last

    def _let_go(self) -> None:
        """Somebody deleted our folder: what is in it is open, but gone with us; begin another."""
        log.error("the journal's folder was deleted; a new one is made")
        os.close(self._lock_file)
        self._folder = None

    def _next(self) -> Segment:
        while self._folder is None:
            self._folder, self._lock_file = _claim_new(self.root)
        path = self._folder / f"{self._number:08}{_ENDING}"
        self._number += 1
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            if os.write(descriptor, _MAGIC) != len(_MAGIC):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            os.close(descriptor)
            path.unlink()
            raise
        return Segment(path, descriptor, len(_MAGIC))

    def read(self, mark: Mark) -> bytes:
        """Return a record that was appended.

        Raises:
            OSError: when the disk does not give it back as it was.
        """
        record = os.pread(mark.segment.descriptor, mark.length, mark.offset)
        if len(record) != mark.length:
            raise OSError(errno.EIO, "the journal is shorter than it was")
        return record

    def done(self, marks: Iterable[Mark]) -> None:
        """Forget records: they are in Postgres. A segment without others is removed or emptied."""
        with self._guard:
            for mark in marks:
                mark.segment.waiting -= 1
            closed, last = self._segments[:-1], self._segments[-1] if self._segments else None
            finished = [segment for segment in closed if not segment.waiting]
            self._segments = [s for s in self._segments if s not in finished]
            if last is not None:
                _empty_if_done(last)
        for segment in finished:
            segment.remove()

    def sync(self) -> None:
        """Have the disk keep what is waiting, power or no power."""
        with self._guard:
            dirty = [s for s in self._segments if s.waiting and not s.is_synced]
            for segment in dirty:
                segment.is_synced = True  # what is appended from now on makes it dirty again
        for segment in dirty:
            try:
                os.fdatasync(segment.descriptor)
            except OSError as exc:
                segment.is_synced = False
                log.warning("the journal cannot be synced: %s", exc)

    def close(self) -> None:
        """Let go; records that still wait stay on the disk for whoever comes next."""
        is_empty = not any(segment.waiting for segment in self._segments)
        for segment in self._segments:
            os.close(segment.descriptor)
        self._segments = []
        if self._folder is not None:
            if is_empty:
                shutil.rmtree(self._folder, ignore_errors=True)
            os.close(self._lock_file)  # only now: nobody may take the folder over before
            self._folder = None


def _claim_new(root: Path) -> tuple[Path | None, int]:
    """Make and lock a folder of our own; None when somebody took it for an orphan meanwhile."""
    folder = root / uuid4().hex
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700)
    orphan = _take(folder, os.O_CREAT)
    return (folder, orphan.lock_file) if orphan else (None, -1)


@dataclass(frozen=True)
class Orphan:
    """The journal of a process that died, taken over."""

    folder: Path
    lock_file: int

    def records(self) -> Iterator[bytes]:
        """Give its records in order; one that was not written to its end is left out."""
        for path in sorted(self.folder.glob(f"*{_ENDING}")):
            yield from _records(path)

    def remove(self) -> None:
        """Delete it: all its records are in Postgres."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock_file)

    def release(self) -> None:
        """Leave it for another try."""
        os.close(self.lock_file)


def orphans(root: Path) -> Iterator[Orphan]:
    """Give each journal that nobody holds, locked for the caller, who removes or releases it."""
    folders = sorted(path for path in root.iterdir() if path.is_dir()) if root.is_dir() else []
    for folder in folders:
        orphan = _take(folder)
        if orphan is not None:
            yield orphan


def _take(folder: Path, flags: int = 0) -> Orphan | None:
    """Lock a folder; None when somebody holds it, or removed it meanwhile."""
    lock = folder / LOCK
    try:
        descriptor = os.open(lock, os.O_RDWR | flags, 0o600)
    except OSError:
        if flags:
            raise
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_held = os.path.samestat(os.fstat(descriptor), lock.stat())
    except OSError:
        is_held = False
    if not is_held:
        os.close(descriptor)
        return None
    return Orphan(folder, descriptor)


def _records(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(len(_MAGIC)) != _MAGIC:
            log.warning("journal %s has no beginning: no record was written to it", path.name)
            return
        while file.tell() < size:
            head = file.read(_HEAD.size)
            length, checksum = _HEAD.unpack(head) if len(head) == _HEAD.size else (size, 0)
            if not length or file.tell() + length > size:  # zeros are what a power cut leaves
                log.warning("journal %s ends amid a record, which is left out", path.name)
                return
            record = file.read(length)
            if zlib.crc32(record) == checksum:
                yield record
            else:
                log.error("journal %s has a damaged record, which is left out", path.name)
