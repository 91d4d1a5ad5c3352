"""Collections: what a project's documents are, what is under way, settings, and deletion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from reviews import permissions
from reviews.errors import BadInput
from reviews.views.frame import about, current_project, page, posted_project, to_page
from reviews.views.signoff import user_of
from routing import collections as service
from routing import holdings, indexes
from routing.errors import RequestError
from routing.holdings import Pace
from routing.models import Collection, Project, Upload
from routing.retrieval.base import AUTO, STRATEGIES

#: Uploads and versions that a page shows at most.
_SHOWN = 20
TITLES = {
    AUTO: "Auto: chosen for each query",
    "bm25": "BM25: words in common",
    "dense": "Dense: alike in meaning",
    "hybrid": "Hybrid: both, by rank",
}


class Line(NamedTuple):
    """An upload, how fast it is, what it is at, and whether it can be tried again."""

    row: Upload
    pace: Pace
    is_open: bool
    stage: str
    is_retryable: bool


@require_http_methods(["GET", "POST"])
@page("see_results")
def collections(request: HttpRequest) -> HttpResponse:
    """List the collections of the project; a POST makes one, with its first file if there is one.

    What cannot be comes back with what was typed and the reason.
    """
    if request.method != "POST":
        return _list(request, current_project(request), {})
    permissions.check(request.user, "manage_collections")
    project = posted_project(request)
    try:
        made = _make(request, project)
    except BadInput as exc:
        return _list(request, project, request.POST, str(exc))
    return redirect("collection", made.pk)


def _list(
    request: HttpRequest, project: Project | None, said: Mapping[str, Any], problem: str = ""
) -> HttpResponse:
    shown = {
        **about(project),
        "holdings": holdings.of(project) if project else [],
        "titles": TITLES,
        "said": said,
        "problem": problem,
        **form_context(request),
    }
    return render(request, "reviews/collections.html", shown)


def form_context(request: HttpRequest) -> dict[str, Any]:
    """Return what a form for files needs to know."""
    return {
        "most_mb": settings.SHADOWEVAL_UPLOAD_MAX_BYTES // 1_000_000,
        "can_manage": permissions.can(request.user, "manage_collections"),
        "base_url": f"{request.scheme}://{request.get_host()}",
    }


def _make(request: HttpRequest, project: Project) -> Collection:
    """Make a collection and take its first file: both or nothing."""
    name = request.POST.get("name", "").strip()
    file = request.FILES.get("file")
    with sentences(), transaction.atomic():
        made = service.create(
            project, name, description=request.POST.get("description", "").strip()
        )
        if file is not None:
            service.upload(made, file.name or "", content_of(file), by=user_of(request))
    return made


@contextmanager
def sentences() -> Iterator[None]:
    """Show what a service refuses with a sentence.

    Raises:
        BadInput: with that sentence.
    """
    try:
        yield
    except (ValueError, RequestError) as exc:
        raise BadInput(str(exc)) from exc


def content_of(file: UploadedFile | None, most: int | None = None) -> bytes:
    """Return what was sent, if it has no more bytes than `most`, or than an upload may have.

    Raises:
        BadInput: when nothing was, or too much.
    """
    if file is None:
        raise BadInput("Choose a file first.")
    limit = settings.SHADOWEVAL_UPLOAD_MAX_BYTES if most is None else most
    if (file.size or 0) > limit:
        raise BadInput(
            f"The file is larger than {limit / 1_000_000:g} MB; send it as several files."
        )
    return bytes(file.read())


def find(pk: int) -> Collection:
    """Return a collection that is not deleted, or answer 404."""
    rows = Collection.objects.select_related("project").filter(deleted_at=None)
    return get_object_or_404(rows, pk=pk)


@require_GET
@page("see_results")
def collection(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one collection; while something is under way a script asks again every two seconds."""
    found = find(pk)
    lines, holding = _lines(found), holdings.one(found)
    is_behind = holding.version is not None and not indexes.is_built(holding.version)
    shown = {
        **about(found.project),
        **form_context(request),
        "section": "collections",
        "collection": found,
        "holding": holding,
        "lines": lines,
        "is_behind": is_behind,
        "is_open": is_behind or any(line.is_open for line in lines),
        "versions": found.versions.order_by("-number")[:_SHOWN],
        "strategies": [(name, TITLES[name]) for name in (AUTO, *STRATEGIES)],
    }
    return render(request, "reviews/collections_one.html", shown)


def _lines(found: Collection) -> list[Line]:
    rows = found.uploads.defer("content").select_related("version", "made_by").order_by("-pk")
    waiting = found.uploads.filter(state__in=Upload.OPEN).order_by("pk")
    first = waiting.values_list("pk", flat=True).first()
    retryable = holdings.retryable(found)
    now = timezone.now()
    return [
        Line(
            row,
            holdings.pace(row, row.finished_at or now),
            row.state in Upload.OPEN,
            holdings.stage(row, is_first=row.pk == first),
            row.pk in retryable,
        )
        for row in rows[:_SHOWN]
    ]


@require_POST
@page("manage_collections")
def put(request: HttpRequest, pk: int) -> HttpResponse:
    """Change description, strategy, k and re-ranking."""
    found, said = find(pk), request.POST
    k = said.get("k", "").strip()[:9]
    if not (k.isascii() and k.isdecimal()):
        raise BadInput("How many sources an answer has is a whole number.")
    with sentences():
        service.change(
            found,
            description=said.get("description", "").strip(),
            strategy=said.get("strategy", ""),
            k=int(k),
            reranks=said.get("reranks") == "1",
        )
    messages.success(request, "Requests go by it within seconds.")
    return redirect("collection", pk)


@require_POST
@page("manage_collections")
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a collection with its texts, when its name was typed to say so."""
    found = find(pk)
    if request.POST.get("name", "").strip() != found.name:
        raise BadInput(f"Nothing was deleted: type {found.name} to delete it with all its texts.")
    with sentences():
        service.delete(found, by=user_of(request))
    messages.success(request, f"{found.name} and its texts are gone.")
    return to_page("collections", found.project)
