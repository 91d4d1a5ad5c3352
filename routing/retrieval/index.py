"""One version of a collection as files: passages, vectors and terms, all memory-mapped.

Written whole beside its place, then renamed: a folder that has the name is complete. Nothing in it
is pickled. A process that has it open keeps reading after the folder is gone.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np

from routing.retrieval import bm25, dense
from routing.retrieval.dense import mapped
from routing.types import Source

#: Counts the layouts of the files: those of another one are built anew.
FORMAT = 1
_MANIFEST, _PLACES, _TEXTS = "manifest.json", "places.i64", "texts.utf8"
_TERMS = "bm25"
_INT = np.dtype("<i8")
_BLOCK = 4096


class Entry(NamedTuple):
    """One chunk on its way into an index.

    Attributes:
        chunk: its number in the database.
        document: what its document's owner calls it.
        start: where in the document it begins.
        vector: shape (d,), float32, unit length.
    """

    chunk: int
    document: str
    title: str
    text: str
    start: int
    vector: np.ndarray


class Texts(Sequence[str]):
    """What terms are looked up in, row by row: title and text."""

    def __init__(self, pieces: _Pieces) -> None:
        self._pieces = pieces

    def __len__(self) -> int:
        return self._pieces.size

    @overload
    def __getitem__(self, row: int) -> str: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[str]: ...
    def __getitem__(self, row: int | slice) -> str | Sequence[str]:
        """Return one row's text."""
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        _, title, text = self._pieces.of(row % len(self))
        return f"{title}\n{text}"


class _Pieces:
    """Document keys, titles and texts in one file.

    `places` has shape (n, 5): chunk, start, and where key, title and text begin; a row's text ends
    where the next row's key begins.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self.size = size
        self.places = mapped(folder / _PLACES, (size + 1, 5), _INT)
        self._bytes = mapped(folder / _TEXTS, (int(self.places[size, 2]),), np.dtype("u1"))

    def of(self, row: int) -> tuple[str, str, str]:
        """Return key, title and text."""
        key, title, text = (int(place) for place in self.places[row, 2:])
        end = int(self.places[row + 1, 2])
        return self._between(key, title), self._between(title, text), self._between(text, end)

    def key(self, row: int) -> str:
        """Return the document's key alone."""
        return self._between(int(self.places[row, 2]), int(self.places[row, 3]))

    def _between(self, start: int, end: int) -> str:
        return self._bytes[start:end].tobytes().decode()


class Index:
    """One version of a collection, open.

    Attributes:
        folder: where its files are, or were.
        size: chunks, which are its rows.
        dimensions: of their vectors.
        dense: finds by vectors.
        bm25: finds by terms.
        gone: rows that neither finds, sorted.
    """

    def __init__(self, folder: Path, pieces: _Pieces) -> None:
        self.folder = folder
        self._pieces = pieces
        self.size = pieces.size
        self.dense = dense.Dense.open(folder)
        self.dimensions = self.dense.dimensions
        self.bm25 = bm25.BM25.open(folder / _TERMS)
        self.gone = np.empty(0, np.int64)

    @classmethod
    def open(cls, folder: Path) -> Index:
        """Map the files of a folder.

        Raises:
            ValueError: when they are missing, damaged, or of another layout.
        """
        try:
            return cls(folder, _Pieces(folder, checked(folder)))
        except OSError as exc:
            raise ValueError(f"{folder} cannot be read: {exc.strerror}") from exc

    def without(self, chunks: Sequence[int]) -> Index:
        """Return the same index, whose searches find these chunks no more; rows keep their numbers.

        Args:
            chunks: their numbers in the database; those that it does not hold are passed over.
        """
        rows = np.flatnonzero(np.isin(self._pieces.places[:-1, 0], chunks))
        twin = copy.copy(self)
        twin.gone = np.union1d(self.gone, rows)
        twin.dense, twin.bm25 = self.dense.without(twin.gone), self.bm25.without(twin.gone)
        return twin

    def source(self, row: int) -> Source:
        """Return the passage at a row, without number and score."""
        key, title, text = self._pieces.of(row)
        chunk, start = (int(place) for place in self._pieces.places[row, :2])
        return Source(n=0, text=text, document=key, title=title, chunk=chunk, start=start)

    def keys(self, rows: Iterable[int]) -> list[str]:
        """Return the document keys of rows."""
        return [self._pieces.key(int(row)) for row in rows]

    def chunks(self, rows: Sequence[int] | np.ndarray) -> list[int]:
        """Return the chunks' numbers in the database."""
        return [int(self._pieces.places[int(row), 0]) for row in rows]

    def close(self) -> None:
        """Let go of the files; searches under way end well."""
        del self.dense, self.bm25, self._pieces


def checked(folder: Path) -> int:
    """Return the size of a folder's index whose files are all there.

    Raises:
        ValueError: when they are missing, damaged, or of another layout.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        found = {name: (folder / name).stat().st_size for name in manifest["files"]}
        layout, size = manifest["format"], int(manifest["size"])
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise ValueError(f"{folder} holds no index") from exc
    if layout != FORMAT or found != manifest["files"]:
        raise ValueError(f"{folder} is damaged, or of another layout")
    return size


def build(folder: Path, pieces: Iterable[Entry], dimensions: int | None = None) -> None:
    """Write an index, whole or not at all; one that is there already stays as it is.

    Args:
        folder: its place; the folder above is made.
        pieces: chunks in the order of their rows.
        dimensions: of the vectors; those of the first one where nothing is said.

    Raises:
        ValueError: when vectors are not as they must be.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    beside.mkdir(mode=0o700)
    try:
        _write(beside, iter(pieces), dimensions)
        _settle(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _settle(beside: Path, folder: Path) -> None:
    try:
        beside.rename(folder)
    except OSError:  # there is one: a damaged one goes
        try:
            checked(folder)
        except ValueError:
            shutil.rmtree(folder)
            beside.rename(folder)


def _write(folder: Path, pieces: Iterator[Entry], dimensions: int | None) -> None:
    first = next(pieces, None)
    entries = pieces if first is None else chain([first], pieces)
    if dimensions is None:
        dimensions = 0 if first is None else len(first.vector)
    size = 0
    with (folder / _PLACES).open("wb") as places, (folder / _TEXTS).open("wb") as texts:

        def vectors() -> Iterator[np.ndarray]:
            nonlocal size
            end = 0
            while block := _block(entries):
                rows = np.empty((len(block), 5), _INT)
                for number, entry in enumerate(block):
                    rows[number, :2] = entry.chunk, entry.start
                    for column, text in enumerate((entry.document, entry.title, entry.text), 2):
                        rows[number, column] = end
                        end += texts.write(text.encode())
                places.write(rows.tobytes())
                size += len(block)
                yield np.stack([entry.vector for entry in block])
            places.write(np.array([0, 0, end, end, end], _INT).tobytes())

        dense.build(vectors(), folder, dimensions)
    bm25.build(Texts(_Pieces(folder, size)), folder / _TERMS)
    _seal(folder, size)


def _block(entries: Iterator[Entry]) -> list[Entry]:
    return list(islice(entries, _BLOCK))


def _seal(folder: Path, size: int) -> None:
    """Write the manifest when all else is on the disk, not only in memory."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {str(path.relative_to(folder)): path.stat().st_size for path in paths}
    for name in files:
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())
    manifest = {"format": FORMAT, "size": size, "files": files}
    (folder / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
