"""Versions of kinds that are configured: a form for each kind, and what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from reviews import making, options
from reviews.errors import BadInput
from reviews.making import BadOptions
from reviews.views.frame import current_project, page, posted_project
from reviews.views.signoff import user_of
from reviews.views.study import is_id
from reviews.views.versions import usable
from routing.models import Project, RouterVersion
from routing.routers.kinds import Kind


@require_http_methods(["GET", "HEAD", "POST"])
@page("train_routers")
def make(request: HttpRequest) -> HttpResponse:
    """Ask how a version is to be, and write it; what cannot be comes back with its sentences."""
    named = (request.POST if request.method == "POST" else request.GET).get("kind", "")
    kind = making.configured_kinds().get(named)
    if kind is None:
        raise Http404("There is no such kind, or it is trained.")
    if request.method != "POST":
        return _form(request, current_project(request), kind, None, {})
    return _make(request, posted_project(request), kind)


def _make(request: HttpRequest, project: Project, kind: Kind) -> HttpResponse:
    read = options.read(kind, dict(request.POST.lists()))
    problems = dict(read.problems)
    if not problems:
        try:
            made = making.make(
                project, kind.name, said=read.options, name=request.POST.get("name", ""),
                inner=_inner(request, project), by=user_of(request),
            )  # fmt: skip
            messages.success(request, said_next(made, kind))
            return redirect("router", made.pk)
        except BadOptions as exc:
            problems = exc.problems
        except BadInput as exc:
            problems = {"name": str(exc)}
    return _form(request, project, kind, read.options, problems)


def said_next(made: RouterVersion, kind: Kind) -> str:
    """Return that a version is there, and how it comes to decide."""
    after = (
        "Let it decide at threshold 0 (always expensive with this router) to gather its evidence."
        if kind.asks
        else "Let it challenge the live router, and study it."
    )
    return f"{made} is there and decides nothing. Next: {after}"


def _inner(request: HttpRequest, project: Project) -> RouterVersion | None:
    named = request.POST.get("inner", "")
    return usable(project).filter(pk=named if is_id(named) else 0).first()


def _form(
    request: HttpRequest,
    project: Project | None,
    kind: Kind,
    said: Mapping[str, Any] | None,
    problems: Mapping[str, str],
) -> HttpResponse:
    rows = usable(project).defer("artifact", "card") if making.is_around(kind) else []
    shown = {
        "section": "routers",
        "kind": kind,
        "is_around": making.is_around(kind),
        "fields": options.fields(kind, said, problems),
        "inners": [row for row in rows if making.may_be_inner(row)],
        "inner": request.POST.get("inner", ""),
        "name": request.POST.get("name", ""),
        "problems": problems,
        "general": problems.get("", ""),
        "has_rules": not kind.is_control,
    }
    return render(request, "reviews/make.html", shown)
