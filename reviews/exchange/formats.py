"""Files of rows, written piece by piece: CSV, JSON lines, Parquet.

A piece holds the rows of one chunk, so that no file is ever whole in memory. A spreadsheet takes a
text that begins with a sign like `=` for a formula, quoted or not: such texts get an apostrophe.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from reviews.exchange.columns import Column, Row, Type, Value

# The signs of a formula, also full-width, also behind quotes and spaces that a program may drop.
# An apostrophe at the beginning is doubled, so that taking one away always gives the text back.
_FORMULA = re.compile(r"""'|[\s"\ufeff\x00-\x1f]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]""")


def defused(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    Example:
        >>> defused("=1+1"), defused("a=1")
        ("'=1+1", 'a=1')
    """
    return f"'{text}" if _FORMULA.match(text) else text


def as_it_was(cell: str) -> str:
    """Return the text that was defused."""
    return cell.removeprefix("'")


class Writer(Protocol):
    """One file: a head, pieces of rows, a tail."""

    def head(self) -> bytes:
        """Return what stands before all rows."""

    def rows(self, rows: Sequence[Row]) -> bytes:
        """Return some rows."""

    def tail(self) -> bytes:
        """Return what stands after all rows."""


class CsvWriter:
    """RFC 4180 in UTF-8: commas, CR LF, quotes where they are needed, lists as JSON."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]

    def head(self) -> bytes:
        """Return the line of names."""
        return _lines([self._names])

    def rows(self, rows: Sequence[Row]) -> bytes:
        """Return a line for each row."""
        return _lines([_cell(row.get(name)) for name in self._names] for row in rows)

    def tail(self) -> bytes:
        """Return nothing: the last line has ended."""
        return b""


def _lines(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def _cell(value: Value) -> str | float | int:
    """Return a value as a cell; numbers stay numbers, also negative ones."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    if isinstance(value, datetime):
        return _time(value)
    return defused(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()


class JsonlWriter:
    """One JSON object a line."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]

    def head(self) -> bytes:
        """Return nothing: lines carry their own names."""
        return b""

    def rows(self, rows: Sequence[Row]) -> bytes:
        """Return a line for each row."""
        return b"".join(self._line(row) for row in rows)

    def _line(self, row: Row) -> bytes:
        named = {name: row.get(name) for name in self._names}
        return json.dumps(named, ensure_ascii=False, default=_time).encode() + b"\n"

    def tail(self) -> bytes:
        """Return nothing: the last line has ended."""
        return b""


_ARROW = {
    Type.TEXT: pa.string(),
    Type.NUMBER: pa.float64(),
    Type.WHOLE: pa.int64(),
    Type.FLAG: pa.bool_(),
    Type.TIME: pa.timestamp("us", tz="UTC"),
    Type.TEXTS: pa.list_(pa.string()),
}


class ParquetWriter:
    """Typed columns, one row group for each chunk."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._schema = pa.schema([(column.name, _ARROW[column.type]) for column in columns])
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, self._schema)

    def head(self) -> bytes:
        """Return the mark that Parquet files begin with."""
        return self._sink.taken()

    def rows(self, rows: Sequence[Row]) -> bytes:
        """Return a row group."""
        self._writer.write_table(pa.Table.from_pylist(list(rows), schema=self._schema))
        return self._sink.taken()

    def tail(self) -> bytes:
        """Return the footer, which says where the row groups are."""
        self._writer.close()
        return self._sink.taken()


class _Sink(io.RawIOBase):
    """A file that is only written to, and hands on what it got."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, piece: Any) -> int:
        self._pieces.append(bytes(piece))
        self._at += len(self._pieces[-1])
        return len(self._pieces[-1])

    def taken(self) -> bytes:
        """Return what came since the last time."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


class Format:
    """One format by its name, which is also the ending of its files."""

    def __init__(self, content_type: str, writer: type[Any]) -> None:
        self.content_type = content_type
        self.writer = writer


FORMATS = {
    "csv": Format("text/csv; charset=utf-8; header=present", CsvWriter),
    "jsonl": Format("application/jsonl", JsonlWriter),
    "parquet": Format("application/vnd.apache.parquet", ParquetWriter),
}


def encode(chunks: Iterable[Sequence[Row]], fmt: str, columns: Sequence[Column]) -> Iterator[bytes]:
    """Return the pieces of a file, one for each chunk of rows."""
    writer: Writer = FORMATS[fmt].writer(columns)
    yield writer.head()
    for rows in chunks:
        yield writer.rows(rows)
    yield writer.tail()
