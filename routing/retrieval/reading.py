"""Files as documents: JSON lines, Markdown, text, PDF. What cannot be read is told from the rest.

No error quotes a text.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from routing.retrieval import pdf

JSONL, MARKDOWN, TEXT, PDF = "jsonl", "markdown", "text", "pdf"
_ENDINGS = {
    ".jsonl": JSONL, ".ndjson": JSONL, ".md": MARKDOWN, ".markdown": MARKDOWN,
    ".txt": TEXT, ".text": TEXT, ".pdf": PDF,
}  # fmt: skip
_KEYS = ("id", "doc_id", "key", "_id")
MOST_KEY, MOST_TITLE, MOST_NAME = 300, 300, 200
#: Characters of one document: a long book has a million.
MOST_CHARS = 2_000_000
#: Bytes of one document's metadata, as JSON.
MOST_METADATA = 10_000
#: Refused documents that are listed.
_MOST_LISTED = 200
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
#: NUL, which Postgres does not take, and halves of characters, which JSON can carry.
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t](.*)$", re.MULTILINE)


class Item(NamedTuple):
    """One document as it was read; `where` is its place in the file, such as "line 3"."""

    key: str
    title: str
    text: str
    metadata: dict[str, Any]
    where: str


class Refused(NamedTuple):
    """One document that was left out: where it stands, why, and its key where that is known."""

    where: str
    why: str
    key: str = ""


@dataclass(frozen=True)
class Read:
    """What a file holds."""

    documents: list[Item] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    @property
    def keys(self) -> set[str]:
        """Keys of all documents, refused ones too."""
        return {item.key for item in self.documents} | {one.key for one in self.refused}

    def listed(self) -> list[dict[str, str]]:
        """Return what was left out; of many the last entry counts those that are not listed."""
        listed = [one._asdict() for one in self.refused[:_MOST_LISTED]]
        more = len(self.refused) - len(listed)
        if more > 0:
            listed.append(
                {"where": "", "why": f"{more:,} more documents were left out.", "key": ""}
            )
        return listed


def file_name(name: str) -> str:
    """Return the last part of a file's name, without what cannot be shown; "upload" for nothing."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return _CONTROL.sub("", clean(last)).strip()[-MOST_NAME:] or "upload"


def kind_of(name: str) -> str:
    """Return what a name's ending says of the kind, or ""."""
    return _ENDINGS.get(PurePosixPath(name).suffix.lower(), "")


def clean(text: str) -> str:
    """Return a text with a mark for every character that cannot be stored."""
    return _UNWRITABLE.sub("\ufffd", text)


def check(name: str, kind: str, content: bytes) -> None:
    """Look at a file before it is taken.

    Raises:
        ValueError: in a sentence, when it is empty, or plainly not of its kind.
    """
    if not content.strip():
        raise ValueError(f"“{name}” is empty.")
    if kind == PDF:
        if b"%PDF-" not in content[:1024]:
            raise ValueError(f"“{name}” is no PDF.")
    elif not _decoded(name, content).strip():
        raise ValueError(f"“{name}” is empty.")


def read(kind: str, name: str, content: bytes) -> Read:
    """Return a file's documents in order, and what was left out.

    Args:
        kind: jsonl, markdown, text or pdf.
        name: of the file; the key of a document that is a whole file.
        content: bytes as they came.

    Raises:
        ValueError: in a sentence, when nothing of it can be read.
    """
    check(name, kind, content)
    if kind == JSONL:
        return _lines(_decoded(name, content))
    if kind == PDF:
        found = pdf.read(content)
        item = Item(name, clean(found.title)[:MOST_TITLE], found.text, {"pages": found.pages}, name)
    else:
        text = _decoded(name, content)
        item = Item(name, _heading(text) if kind == MARKDOWN else "", text, {}, name)
    made = Read()
    _add(made, item, {})
    return made


def _decoded(name: str, content: bytes) -> str:
    """Return UTF-8 as text, or UTF-16 that says so itself."""
    is_utf16 = content.startswith(_UTF16)
    try:
        text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        why = f"“{name}” is no text in UTF-8: it is binary, or coded otherwise."
        raise ValueError(why) from None
    if "\0" in text:
        raise ValueError(f"“{name}” is binary: it holds zero bytes.")
    return text


def _heading(text: str) -> str:
    for found in _HEADING.finditer(text):
        if said := found.group(1).strip().rstrip("#").strip():
            return clean(said)[:MOST_TITLE]
    return ""


def _lines(text: str) -> Read:
    made, seen = Read(), dict[str, str]()
    for number, line in enumerate(_split(text), 1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            item = _item(line, where)
        except ValueError as exc:
            made.refused.append(Refused(where, str(exc)))
        else:
            _add(made, item, seen)
    return made


def _split(text: str) -> Iterator[str]:
    """Yield lines; `str.splitlines` would cut at characters that JSON has inside strings."""
    start = 0
    while start <= len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _add(made: Read, item: Item, seen: dict[str, str]) -> None:
    item = item._replace(text=clean(item.text))
    why = ""
    if not item.text.strip("\ufffd \t\r\n\f\v\u00a0"):
        why = "It has no text."
    elif len(item.text) > MOST_CHARS:
        why = f"It has {len(item.text):,} characters; a document has at most {MOST_CHARS:,}."
    elif item.key in seen:
        why = f"Its key stands in {seen[item.key]} already."
    if why:
        made.refused.append(Refused(item.where, why, item.key))
    else:
        seen[item.key] = item.where
        made.documents.append(item)


def _item(line: str, where: str) -> Item:
    row = _json(line)
    said = next((row[name] for name in _KEYS if row.get(name) is not None), None)
    if isinstance(said, bool) or not isinstance(said, str | int):
        raise ValueError(f"It has no key: a text or number under one of {', '.join(_KEYS)}.")
    key = _CONTROL.sub("", clean(str(said))).strip()
    if not 0 < len(key) <= MOST_KEY:
        raise ValueError(f"A key has 1 to {MOST_KEY} characters.")
    if key == "." or ".." in key.split("/"):
        raise ValueError("A key has no part “..”: in an address it would lead elsewhere.")
    text, title = row.get("text"), row.get("title") or ""
    if not isinstance(text, str) or not isinstance(title, str):
        raise ValueError("Its text, and its title if it has one, must be strings.")
    title = _CONTROL.sub(" ", clean(title)).strip()[:MOST_TITLE]
    return Item(key, title, text, _metadata(row.get("metadata")), where)


def _json(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ValueError("It is no JSON.") from None
    if not isinstance(row, dict):
        raise ValueError("It is no JSON object.")
    return row


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and its like are no JSON


def _metadata(said: Any) -> dict[str, Any]:
    if said is None:
        return {}
    try:
        written = json.dumps(said, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        raise ValueError("Its metadata cannot be stored.") from None
    if not isinstance(said, dict) or len(written.encode("utf-8", "replace")) > MOST_METADATA:
        raise ValueError(f"Metadata is an object of at most {MOST_METADATA:,} bytes.")
    # NUL is written as an escape; a real backslash before it is written as two.
    written = re.sub(r"(?<!\\)((?:\\\\)*)\\u0000", r"\1\\ufffd", clean(written))
    stored: dict[str, Any] = json.loads(written)
    return stored
