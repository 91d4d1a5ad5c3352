"""Collections by key: make, read, set up and delete them; their versions; try a query."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import transaction
from ninja import Query, Router, Schema, Status
from pydantic import ConfigDict, Field

from routing import collections, holdings
from routing.api import collection_shapes as shapes
from routing.api import cursors
from routing.api.document import problems
from routing.api.keys import KeyRequest, Needs
from routing.errors import Conflict, InvalidRequest
from routing.models import Collection
from routing.types import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator

router = Router(tags=["Collections"])


@contextmanager
def sentences() -> Iterator[None]:
    """Have what a service refuses with a sentence be the client's error.

    Raises:
        InvalidRequest: with that sentence.
    """
    try:
        yield
    except ValueError as exc:
        raise InvalidRequest(str(exc)) from exc


class SettingsIn(Schema):
    """What may be changed at any time; what is left out stays."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={"examples": [{"strategy": "hybrid", "k": 8}]},
    )

    description: shapes.Text | None = Field(None, max_length=200)
    strategy: shapes.Strategy | None = Field(None, description="For requests that name none")
    k: shapes.K | None = Field(None, description="Sources of an answer")
    reranks: bool | None = Field(None, description="Whether what is found is ranked once more")

    def given(self) -> dict[str, Any]:
        """Return what was sent."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


class CollectionIn(SettingsIn):
    """A collection to be made."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={"examples": [{"name": "handbook", "description": "How we work"}]},
    )

    name: shapes.Name = Field(description="What requests call it")
    embedder: shapes.Text | None = Field(
        None,
        max_length=80,
        description="`minilm` or `static`; default: this server's; never changes",
    )
    chunk_tokens: int | None = Field(
        None, ge=16, le=512, description="Tokens of a chunk, at most; never changes"
    )


@router.get(
    "/collections",
    auth=Needs(Scope.READ),
    response=shapes.CollectionList,
    operation_id="list_collections",
    summary="List the project's collections",
    openapi_extra={"responses": problems(400, 401, 403, 405, 429, 503)},
)
def list_collections(request: KeyRequest) -> shapes.CollectionList:
    """All collections of the key's project, by name. Needs the scope `read`."""
    found = holdings.of(request.auth.project)
    return shapes.CollectionList(items=[shapes.collection(one) for one in found])


@router.post(
    "/collections",
    auth=Needs(Scope.IMPORT),
    response={201: shapes.CollectionShape},
    operation_id="create_collection",
    summary="Make a collection",
    openapi_extra={"responses": problems(400, 401, 403, 405, 409, 413, 429, 503)},
)
def create_collection(request: KeyRequest, body: CollectionIn) -> Status[shapes.CollectionShape]:
    """Make an empty collection; documents come by uploads. Needs the scope `import`.

    409 when the project has one of this name. The name of a deleted one may be used again.
    """
    project = request.auth.project
    if Collection.objects.filter(project=project, name=body.name, deleted_at=None).exists():
        raise Conflict(f"This project has a collection {body.name} already.")
    with sentences(), transaction.atomic():
        made = collections.create(project, **body.given())
    return Status(201, shapes.collection(holdings.one(made)))


@router.get(
    "/collections/{name}",
    auth=Needs(Scope.READ),
    response=shapes.CollectionShape,
    operation_id="get_collection",
    summary="Read a collection",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 429, 503)},
)
def get_collection(request: KeyRequest, name: shapes.Name) -> shapes.CollectionShape:
    """Settings, and what it holds now. Needs the scope `read`.

    404 says so when there was one of this name that is deleted.
    """
    found = collections.find(request.auth.project, name)
    return shapes.collection(holdings.one(found))


@router.patch(
    "/collections/{name}",
    auth=Needs(Scope.IMPORT),
    response=shapes.CollectionShape,
    operation_id="change_collection",
    summary="Change a collection's settings",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 413, 429, 503)},
)
def change_collection(
    request: KeyRequest, name: shapes.Name, body: SettingsIn
) -> shapes.CollectionShape:
    """Change description, strategy, k or re-ranking. Needs the scope `import`.

    Requests go by it within seconds. What was answered keeps what it was answered by.
    """
    found = collections.find(request.auth.project, name)
    with sentences():
        collections.change(found, **body.given())
    return shapes.collection(holdings.one(found))


@router.delete(
    "/collections/{name}",
    auth=Needs(Scope.IMPORT),
    response=shapes.CollectionShape,
    operation_id="delete_collection",
    summary="Delete a collection",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 429, 503)},
)
def delete_collection(request: KeyRequest, name: shapes.Name) -> shapes.CollectionShape:
    """Erase its texts, chunks and vectors for good. Needs the scope `import`.

    Requests that name it are then told that it is gone. What it held is returned once more.
    """
    found = collections.find(request.auth.project, name)
    held = shapes.collection(holdings.one(found))
    collections.delete(found)
    return held


class PageQuery(Schema):
    """Which page."""

    limit: int = Field(50, ge=1, le=200)
    cursor: shapes.Text | None = Field(
        None, max_length=2000, description="`next_cursor` of the last page"
    )


@router.get(
    "/collections/{name}/versions",
    auth=Needs(Scope.READ),
    response=shapes.VersionPage,
    operation_id="list_versions",
    summary="List a collection's versions, newest first",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 429, 503)},
)
def list_versions(
    request: KeyRequest, name: shapes.Name, page: Query[PageQuery]
) -> shapes.VersionPage:
    """What it held from one change to the next. Needs the scope `read`.

    Requests and evaluations name the version that they ran on.
    """
    rows = collections.find(request.auth.project, name).versions.order_by("-number")
    if page.cursor:
        rows = rows.filter(number__lt=_number(page.cursor))
    found = list(rows[: page.limit + 1])
    shown = found[: page.limit]
    return shapes.VersionPage(
        items=[shapes.version(row) for row in shown],
        next_cursor=str(shown[-1].number) if len(found) > len(shown) else None,
    )


def _number(cursor: str) -> int:
    """Return the version at which a page begins.

    Raises:
        InvalidRequest: when the cursor is none of ours.
    """
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 10):
        raise cursors.refusal()
    return int(cursor)
