"""Read the ledger: the requests of the key's own project, page by page or one in full."""

from __future__ import annotations

import threading
import time
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet
from ninja import Query, Router, Schema
from pydantic import Field, field_validator

from routing import ids
from routing.api import cursors, shapes
from routing.api.document import problems
from routing.api.keys import KeyRequest, Needs
from routing.api.moments import Moment
from routing.errors import NotFound
from routing.models import Completion, Project, Request
from routing.types import Reason, Scope, Tier

router = Router(tags=["Ledger"])

#: How long a request that is not there is waited for.
_PATIENCE_S = 0.5
_LOOK_S = 0.02
#: Who waits holds a database connection: few may at once.
_waiting = threading.BoundedSemaphore(3)
#: A request that is older than this is there or was never.
_NEW_S = 5.0
#: The large columns that a list does not show.
_LARGE = (
    "payload", "query", "metadata", "headers", "retrieval__query", "retrieval__signals",
    "retrieval__sources",
)  # fmt: skip


class Filters(Schema):
    """Which requests, and how many."""

    tier: Tier | None = Field(None, description="The tier that answered")
    reason: Reason | None = Field(None, description="Why the request went there")
    task: str | None = Field(None, max_length=40, description="Task type")
    status: int | None = Field(None, ge=100, le=599, description="HTTP status of the reply")
    since: Moment | None = Field(None, description="Received at this time or later")
    until: Moment | None = Field(None, description="Received before this time")
    session: str | None = Field(None, max_length=120, description="As the client named it")
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the last page")

    @field_validator("task", "session", "cursor")
    @classmethod
    def _storable(cls, value: str | None) -> str | None:
        if value is not None and "\0" in value:
            raise ValueError("NUL characters are not allowed")
        return value

    def conditions(self) -> dict[str, Any]:
        """Return the filters that were set as conditions on requests."""
        given = {
            "decision__tier": self.tier,
            "decision__reason": self.reason,
            "task": self.task,
            "status": self.status,
            "received_at__gte": self.since,
            "received_at__lt": self.until,
            "session": self.session,
        }
        return {name: value for name, value in given.items() if value is not None}


@router.get(
    "/requests",
    auth=Needs(Scope.READ),
    response=shapes.Page,
    operation_id="list_requests",
    summary="List requests, newest first",
    openapi_extra={"responses": problems(400, 401, 403, 405, 429, 503)},
)
def list_requests(request: KeyRequest, filters: Query[Filters]) -> shapes.Page:
    """Requests of the key's project. Needs the scope `read`.

    Follow `next_cursor` for the next page: requests that arrive meanwhile shift nothing. A time
    needs its offset, and in an address its `+` is written `%2B`: `2026-01-31T12:00:00Z`.
    """
    rows = _rows(request.auth.project).filter(**filters.conditions()).defer(*_LARGE)
    if filters.cursor:
        rows = rows.filter(_after(filters.cursor))
    found = list(rows.order_by("-received_at", "-id")[: filters.limit + 1])
    page = found[: filters.limit]
    return shapes.Page(
        items=[shapes.item(row, _served(row)) for row in page],
        next_cursor=_cursor(page[-1]) if len(found) > len(page) else None,
    )


@router.get(
    "/requests/{request_id}",
    auth=Needs(Scope.READ),
    response=shapes.Entry,
    operation_id="get_request",
    summary="Read one request in full",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 429, 503)},
)
def get_request(request: KeyRequest, request_id: UUID) -> shapes.Entry:
    """One request with its decision, the answer that was served, and feedback. Scope: `read`.

    The shadow completion's text is not part of it: people rate the two answers blind, and whoever
    has read one with its tier beside it no longer does. A request can be read a moment after its
    reply has left; requests of other projects are not found.
    """
    row = find(request.auth.project, request_id, full=True)
    return shapes.entry(row, _served(row))


def find(project: Project, request_id: UUID, *, full: bool = False) -> Request:
    """Return a request of the project.

    Raises:
        NotFound: when the project has none with this id.
    """
    rows = _rows(project) if full else Request.objects.filter(project=project)
    if full:
        rows = rows.select_related("pair", "retrieval__collection").prefetch_related("feedback")
    row = _soon(rows.filter(pk=request_id), ids.age_s(request_id) < _NEW_S)
    if row is None:
        raise NotFound(f"No request {request_id} is recorded in this project.")
    return row


def _soon(rows: QuerySet[Request], is_new: bool) -> Request | None:
    """Return the row; a reply that has just left may be in the journal still, for a moment."""
    row = rows.first()
    if row is not None or not is_new or not _waiting.acquire(blocking=False):
        return row
    try:
        give_up = time.monotonic() + _PATIENCE_S
        while (row := rows.all().first()) is None and time.monotonic() < give_up:
            time.sleep(_LOOK_S)
    finally:
        _waiting.release()
    return row


def _rows(project: Project) -> QuerySet[Request]:
    """Return the project's requests with all that a reply shows: three queries for any number."""
    served = Completion.objects.filter(is_shadow=False).defer("body")
    return (
        Request.objects.filter(project=project)
        .select_related("decision__policy", "retrieval")
        .prefetch_related(
            "shadow_jobs", Prefetch("completions", served, to_attr="served_completions")
        )
    )


def _served(row: Request) -> Completion | None:
    served: list[Completion] = getattr(row, "served_completions", [])
    return served[0] if served else None


def _cursor(row: Request) -> str:
    return cursors.of(row.received_at, row.pk)


def _after(cursor: str) -> Q:
    """Return the condition that finds what comes after the cursor's row.

    Raises:
        InvalidRequest: when the cursor is none of ours.
    """
    at, name = cursors.read(cursor)
    try:
        last = UUID(name)
    except ValueError as exc:
        raise cursors.refusal() from exc
    return Q(received_at__lt=at) | Q(received_at=at, pk__lt=last)
