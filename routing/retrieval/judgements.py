"""Queries whose relevant documents are known, as files have them.

JSON lines: `{"qid", "query", "qrels": {document key: grade}}`, and if wanted `rewrite` (the query,
self-contained), `kind`, `group`, `keyword`, `turn`. Or TREC: lines `qid 0 document grade`, with
the queries in a second file, `qid<tab>query`.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from routing.retrieval import features

#: Bytes of a file, unpacked: a few packed ones may stand for any number.
MOST_BYTES = 200_000_000
#: A grade is a few steps of relevance; a kind is a heading.
_MOST_GRADE, _MOST_KIND = 100, 60
#: Halves of characters, which JSON can carry, and what no heading has.
_UNWRITABLE, _CONTROL = re.compile("[\ud800-\udfff]"), re.compile("[\x00-\x1f\x7f]")
#: Bad lines that an error names.
_MOST_ERRORS = 5
#: What stands between a conversation and its turn in a qid.
_TURN = "<::>"


@dataclass(frozen=True)
class Judged:
    """One query.

    Attributes:
        query: what is searched for.
        grades: by document key; above 0 is relevant.
        group: what it is alike to, such as its conversation.
        kinds: what figures are cut by; those of the file, or by its words.
    """

    qid: str
    query: str
    grades: Mapping[str, int]
    group: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Qrels:
    """A file of judgements.

    Attributes:
        queries: those with a relevant document, in the file's order.
        sha256: of the file, or files.
        left_out: queries that have no relevant document: nothing can be measured on them.
    """

    queries: tuple[Judged, ...]
    sha256: str
    left_out: int

    @classmethod
    def read(
        cls, file: Path | bytes, queries: Path | bytes | None = None, *, most: int = MOST_BYTES
    ) -> Qrels:
        """Read JSON lines, or TREC's judgements with their queries; either may be gzipped.

        Args:
            file: JSON lines, or TREC's judgements where `queries` are given.
            queries: of TREC's judgements.
            most: bytes of each, unpacked.

        Raises:
            ValueError: in sentences, each with its line, or when there is nothing in it.
            OSError: when a file cannot be read.
        """
        content = _content(file, most)
        others = _content(queries, most) if queries is not None else b""
        rows = _trec(_text(content), _text(others)) if others else _jsonl(_text(content))
        judged = _all(rows)
        if not judged:
            raise ValueError("There is no judged query in it.")
        relevant = tuple(one for one in judged if any(g > 0 for g in one.grades.values()))
        if not relevant:
            raise ValueError("No query in it has a relevant document.")
        digest = hashlib.sha256(content + others).hexdigest()
        return cls(relevant, digest, len(judged) - len(relevant))


def _content(file: Path | bytes, most: int) -> bytes:
    content = file if isinstance(file, bytes) else file.read_bytes()
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.GzipFile(fileobj=BytesIO(content)).read(most + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as exc:
            raise ValueError("It begins as gzip does, and cannot be unpacked.") from exc
    if len(content) > most:
        raise ValueError(f"It has more than {most / 1e6:g} MB, unpacked: split it.")
    return content


def _text(content: bytes) -> list[str]:
    try:
        return content.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as exc:
        line = content.count(b"\n", 0, exc.start) + 1
        raise ValueError(f"Line {line}: this is no UTF-8.") from exc


def _all(rows: Iterable[tuple[int, dict[str, Any] | str]]) -> list[Judged]:
    found: dict[str, Judged] = {}
    errors: list[str] = []
    for line, row in rows:
        try:
            one = _judged(row)
            if one.qid in found:
                raise ValueError(f"qid {one.qid!r} comes twice")
            found[one.qid] = one
        except ValueError as exc:
            errors.append(f"Line {line}: {exc}.")
    if errors:
        more = len(errors) - _MOST_ERRORS
        said = " ".join(errors[:_MOST_ERRORS])
        raise ValueError(said + (f" And {more} more." if more > 0 else ""))
    return list(found.values())


def _jsonl(lines: list[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = "this is no JSON"
        yield number, row if isinstance(row, dict | str) else "this is no JSON object"


def _trec(lines: list[str], queries: list[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    grades: dict[str, dict[str, int]] = {}
    for number, line in enumerate(lines, start=1):
        parts = line.split()
        if len(parts) == 4 and parts[3].lstrip("-").isdecimal():
            grades.setdefault(parts[0], {})[parts[2]] = max(int(parts[3]), 0)
        elif parts:
            yield number, "judgements are `qid 0 document grade`"
    for number, line in enumerate(queries, start=1):
        qid, _, query = line.partition("\t")
        if qid.strip() in grades:
            row = {"qid": qid.strip(), "query": query, "qrels": grades.pop(qid.strip())}
            yield number, row
    if grades:
        yield 1, f"{len(grades)} judged queries have no text, such as {next(iter(grades))!r}"


def _judged(row: dict[str, Any] | str) -> Judged:
    if isinstance(row, str):
        raise ValueError(row)
    qid, grades = str(row.get("qid") or ""), row.get("qrels")
    query = row.get("rewrite") or row.get("query")
    if not qid:
        raise ValueError("it has no qid")
    if not isinstance(query, str) or not query.strip():
        raise ValueError("it has no query")
    if _UNWRITABLE.search(query):
        raise ValueError("its query is no valid Unicode")
    if not isinstance(grades, dict) or not all(map(_is_grade, grades.values())):
        raise ValueError(
            f"qrels are grades, whole numbers from 0 to {_MOST_GRADE}, by document key"
        )
    group = str(row.get("group") or qid.partition(_TURN)[0])
    return Judged(qid, query, grades, group, _kinds(row, query))


def _is_grade(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_GRADE


def _is_shown(text: str) -> bool:
    return not (_UNWRITABLE.search(text) or _CONTROL.search(text))


def _kinds(row: Mapping[str, Any], query: str) -> tuple[str, ...]:
    if kind := row.get("kind"):
        if not isinstance(kind, str) or len(kind) > _MOST_KIND or not _is_shown(kind):
            raise ValueError(f"a kind is a text of at most {_MOST_KIND} characters")
        return (kind,)
    turn = row.get("turn")
    said = {
        "keyword": bool(row.get("keyword", features.is_keywords(query))),
        "identifier": features.identifiers(query) > 0,
        "question": features.is_question(query),
        "multi-turn": isinstance(turn, int) and turn > 1,
    }
    return tuple(kind for kind, is_one in said.items() if is_one)
