"""What a sign-off rests on, to be taken away: audit trail, report, decision pack."""

from __future__ import annotations

import io

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from reviews import audit, pack, permissions, report
from reviews.errors import NotAllowed
from reviews.models import AuditEntry, SignOff, Study
from reviews.views.frame import about, current_project, page
from routing.models import Project

_MOST_SHOWN = 200


@require_safe
@page("see_results")
def trail(request: HttpRequest) -> HttpResponse:
    """Show the project's audit trail, and whether it is whole."""
    project = _project(request)
    entries = AuditEntry.objects.filter(project=project).order_by("-number")
    context = {
        "entries": entries[:_MOST_SHOWN],
        "n": entries.count(),
        "faults": audit.verify(project),
        **about(project),
    }
    return render(request, "reviews/audit.html", context)


@require_safe
@page("see_results")
def trail_lines(request: HttpRequest) -> HttpResponseBase:
    """Hand out the project's audit trail as JSON lines."""
    project = _project(request)
    content = b"".join(audit.lines(audit.rows(project)))
    return _download(content, f"audit-{project.slug}.jsonl", "application/jsonl")


@require_safe
@page("see_results")
def printable(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the report of a sign-off as a page for printing."""
    return HttpResponse(report.html(_signoff(pk)))


@require_safe
@page("see_results")
def pdf(request: HttpRequest, pk: int) -> HttpResponse:
    """Hand out the report of a sign-off as PDF."""
    return _download(report.pdf(_signoff(pk)), f"signoff-{pk}.pdf", "application/pdf")


@require_safe
@page("see_results")
def packed(request: HttpRequest, pk: int) -> HttpResponse:
    """Hand out the decision pack of a sign-off.

    It says of each pair how it was rated: whoever may still be handed one gets it when the study is
    closed.
    """
    row = _signoff(pk)
    if row.study.state != Study.State.CLOSED and permissions.can(request.user, "rate"):
        raise NotAllowed(
            "The pack tells how each pair was rated, and you may still be asked to rate some: it is"
            " yours when the study is closed."
        )
    file = io.BytesIO()
    pack.write(row, file)
    return _download(file.getvalue(), f"signoff-{pk}.zip", "application/zip")


def _signoff(pk: int) -> SignOff:
    rows = SignOff.objects.select_related("evidence", "project", "study", "requester")
    return get_object_or_404(rows, pk=pk)


def _project(request: HttpRequest) -> Project:
    project = current_project(request)
    if project is None:
        raise Http404
    return project


def _download(content: bytes, name: str, content_type: str) -> HttpResponse:
    """Return a file to be saved, never kept by anybody between."""
    return HttpResponse(
        content,
        content_type=content_type,
        headers={
            "content-disposition": f'attachment; filename="{name}"',
            "cache-control": "no-store",
        },
    )
