"""The documents of a collection by key: list, read, add or replace one, remove one."""

from __future__ import annotations

import base64
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import Length
from ninja import Query, Router, Schema, Status
from pydantic import ConfigDict, Field

from routing import collections
from routing.api import collection_shapes as shapes
from routing.api import cursors
from routing.api.collections import PageQuery, sentences
from routing.api.document import problems
from routing.api.keys import KeyRequest, Needs
from routing.errors import NotFound
from routing.models import Collection, Document
from routing.types import Scope

router = Router(tags=["Collections"])

_ADDRESS = "/collections/{name}/documents/{path:key}"


class DocumentIn(Schema):
    """One document."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"text": "Invoices are due on the 5th.", "title": "Invoices"}]
        },
    )

    text: shapes.Text = Field(min_length=1)
    title: shapes.Text = Field("", max_length=300)
    metadata: dict[str, Any] = Field(default_factory=dict, description="Yours; never searched")


@router.get(
    "/collections/{name}/documents",
    auth=Needs(Scope.READ),
    response=shapes.DocumentPage,
    operation_id="list_documents",
    summary="List a collection's documents",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 429, 503)},
)
def list_documents(
    request: KeyRequest, name: shapes.Name, page: Query[PageQuery]
) -> shapes.DocumentPage:
    """Those of the newest version, by key, without their texts. Needs the scope `read`."""
    rows = _rows(collections.find(request.auth.project, name)).defer("text").order_by("key")
    if page.cursor:
        rows = rows.filter(key__gt=_read(page.cursor))
    found = list(rows[: page.limit + 1])
    shown = found[: page.limit]
    return shapes.DocumentPage(
        items=[shapes.document(row) for row in shown],
        next_cursor=_cursor(shown[-1]) if len(found) > len(shown) else None,
    )


@router.get(
    _ADDRESS,
    auth=Needs(Scope.READ),
    response=shapes.WholeDocument,
    operation_id="get_document",
    summary="Read a document",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 429, 503)},
)
def get_document(request: KeyRequest, name: shapes.Name, key: shapes.Key) -> shapes.WholeDocument:
    """One document of the newest version with its text. Needs the scope `read`."""
    return shapes.whole_document(_find(collections.find(request.auth.project, name), key))


@router.put(
    _ADDRESS,
    auth=Needs(Scope.IMPORT),
    response={202: shapes.UploadShape},
    operation_id="put_document",
    summary="Add or replace a document",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 413, 429, 503)},
)
def put_document(
    request: KeyRequest, name: shapes.Name, key: shapes.Key, body: DocumentIn
) -> Status[shapes.UploadShape]:
    """Add one document, or replace the one with this key. Needs the scope `import`.

    202: it is searched once its upload is done. Many documents are quicker as one file.
    """
    found = collections.find(request.auth.project, name)
    with sentences():
        made = collections.put(found, key, body.text, title=body.title, metadata=body.metadata)
    return Status(202, shapes.upload(made))


@router.delete(
    _ADDRESS,
    auth=Needs(Scope.IMPORT),
    response=shapes.VersionShape,
    operation_id="delete_document",
    summary="Remove a document",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 429, 503)},
)
def delete_document(request: KeyRequest, name: shapes.Name, key: shapes.Key) -> shapes.VersionShape:
    """Remove one document; the reply is the version without it. Needs the scope `import`."""
    found = collections.find(request.auth.project, name)
    return shapes.version(collections.remove(found, [_find(found, key).key]))


def _rows(collection: Collection) -> QuerySet[Document]:
    rows = collections.documents(collection)
    return rows.annotate(characters=Length("text"), n_chunks=Count("chunks"))


def _find(collection: Collection, key: str) -> Document:
    row = _rows(collection).filter(key=key).first()
    if row is None:
        raise NotFound(f"No document {key[:100]} is in the collection {collection.name}.")
    return row


def _cursor(row: Document) -> str:
    return base64.urlsafe_b64encode(row.key.encode()).decode()


def _read(cursor: str) -> str:
    """Return the key behind which a page begins.

    Raises:
        InvalidRequest: when the cursor is none of ours.
    """
    try:
        key = base64.urlsafe_b64decode(cursor.encode("ascii")).decode()
    except ValueError as exc:
        raise cursors.refusal() from exc
    if "\0" in key:
        raise cursors.refusal()
    return key
