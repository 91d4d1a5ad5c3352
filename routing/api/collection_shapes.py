"""The JSON of collections: what they are, what is on its way into them, what is in them."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from django.utils import timezone
from ninja import Schema
from pydantic import AfterValidator, Field, WithJsonSchema

from routing import holdings
from routing.holdings import Holding
from routing.models import CollectionVersion, Document, Upload

#: In place: the document would name it "State", as it names that of shadow calls.
UploadState = Annotated[
    Upload.State, WithJsonSchema({"type": "string", "enum": Upload.State.values})
]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("NUL characters are not allowed")
    return value


def _plain(value: str) -> str:
    if _CONTROL.search(value) or value != value.strip():
        raise ValueError("a key has no control characters and no spaces around it")
    return value


#: What Postgres can store.
Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[-a-zA-Z0-9_]+$")]
Key = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_plain)]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
Strategy = Literal["auto", "bm25", "dense", "hybrid"]
#: As many sources as an answer may rest on.
K = Annotated[int, Field(ge=1, le=50)]


class VersionShape(Schema):
    """What a collection held from one change to the next."""

    number: int
    documents: int
    chunks: int
    digest: str = Field(description="SHA-256 over its chunks, the embedder and the chunk length")
    note: str = Field(description="What changed")
    created_at: datetime


class VersionPage(Schema):
    """Versions, newest first."""

    items: list[VersionShape]
    next_cursor: str | None = Field(description="null on the last page")


class CollectionShape(Schema):
    """A collection, its settings, and what it holds now."""

    name: str
    description: str
    embedder: str
    chunk_tokens: int
    strategy: Strategy
    k: int
    reranks: bool
    created_at: datetime
    version: VersionShape | None = Field(description="null before its first upload is done")
    uploads_under_way: int


class CollectionList(Schema):
    """All collections of the project, by name."""

    items: list[CollectionShape]


class Refused(Schema):
    """A document that was left out."""

    where: str
    why: str


class UploadShape(Schema):
    """A file on its way into a collection."""

    id: int
    name: str
    kind: Upload.Kind
    size: int = Field(description="Bytes")
    replaces_all: bool
    state: UploadState
    documents: int = Field(description="Read so far")
    chunks: int = Field(description="Cut so far")
    embedded: int = Field(description="Chunks that have their vector")
    chunks_per_s: float | None = Field(description="null where it cannot be told yet")
    left_s: float | None = Field(description="Seconds, by that pace")
    refused: list[Refused] = Field(description="Documents left out")
    reason: str = Field(description="Why it failed")
    version: int | None = Field(description="The version it made, once done")
    created_at: datetime
    finished_at: datetime | None


class DocumentShape(Schema):
    """One document as the list shows it."""

    key: str
    title: str
    characters: int
    chunks: int
    metadata: dict[str, Any]
    created_at: datetime


class WholeDocument(DocumentShape):
    """One document with its text."""

    text: str


class DocumentPage(Schema):
    """Documents by key."""

    items: list[DocumentShape]
    next_cursor: str | None = Field(description="null on the last page")


def version(row: CollectionVersion) -> VersionShape:
    """Return a version."""
    return VersionShape(**{name: getattr(row, name) for name in VersionShape.model_fields})


def collection(holding: Holding) -> CollectionShape:
    """Return a collection with what it holds."""
    row = holding.collection
    copied = ("name", "description", "embedder", "chunk_tokens", "strategy", "k", "reranks")
    return CollectionShape(
        **{name: getattr(row, name) for name in (*copied, "created_at")},
        version=None if holding.version is None else version(holding.version),
        uploads_under_way=holding.under_way,
    )


def upload(row: Upload) -> UploadShape:
    """Return an upload with its pace."""
    copied = (
        "id", "name", "kind", "size", "replaces_all", "state", "documents", "chunks", "embedded",
        "reason", "created_at", "finished_at",
    )  # fmt: skip
    pace = holdings.pace(row, row.finished_at or timezone.now())
    return UploadShape(
        **{name: getattr(row, name) for name in copied},
        chunks_per_s=pace.rate,
        left_s=pace.left_s if row.state in Upload.OPEN else None,
        refused=[Refused(**one) for one in row.refused],
        version=None if row.version is None else row.version.number,
    )


def document(row: Document) -> DocumentShape:
    """Return a document for a list; `characters` and `n_chunks` must be annotated."""
    return DocumentShape(**_of_document(row))


def whole_document(row: Document) -> WholeDocument:
    """Return a document with its text."""
    return WholeDocument(**_of_document(row), text=row.text)


def _of_document(row: Any) -> dict[str, Any]:
    copied = ("key", "title", "characters", "metadata", "created_at")
    return {name: getattr(row, name) for name in copied} | {"chunks": row.n_chunks}
