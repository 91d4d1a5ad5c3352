"""Trainings: what can be trained on which labels, what is under way, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from reviews import labels, permissions, versions
from reviews import training as trainings
from reviews.errors import BadInput
from reviews.models import TrainingExample, TrainingRun
from reviews.views.frame import about, current_project, page, posted_project
from routing import embedders
from routing.models import Project

_SHOWN = 20
#: What the form asks for beside sources: each is text, empty for the usual.
_TEXTS = ("since", "until", "most", "seed", "embedder")


@require_http_methods(["GET", "HEAD", "POST"])
@page("see_results")
def train(request: HttpRequest) -> HttpResponse:
    """Show what can be trained and the trainings; count what one would learn from; start one.

    What cannot be comes back with what was typed and the reason.
    """
    if request.method != "POST":
        return _form(request, current_project(request), request.GET)
    permissions.check(request.user, "train_routers")
    project = posted_project(request)
    assert isinstance(request.user, User)
    if request.POST.get("action") == "count":
        return _form(request, project, request.POST, is_counted=True)
    try:
        run = trainings.ask(
            project,
            kind=request.POST.get("kind", ""),
            name=request.POST.get("name", ""),
            options=_options(request.POST),
            by=request.user,
        )
    except BadInput as exc:
        return _form(request, project, request.POST, problem=str(exc))
    return redirect("training", run.pk)


def _form(
    request: HttpRequest,
    project: Project | None,
    said: QueryDict,
    problem: str = "",
    is_counted: bool = False,
) -> HttpResponse:
    known = trainings.trained_kinds()
    default = "two-heads" if "two-heads" in known else next(iter(known), "")
    kind = said.get("kind", default)
    shown = {
        **about(project),
        "section": "routers",
        "kinds": [(name, one, name == kind) for name, one in known.items()],
        "sources": _sources(project, said),
        "embedders": embedders.NAMES,
        "values": _values(said),
        "problem": problem,
        "runs": _runs(project),
        "can_train": permissions.can(request.user, "train_routers"),
    }
    if project is not None and is_counted:
        shown |= _counted(project, kind, said)
    return render(request, "reviews/train.html", shown)


def _sources(project: Project | None, said: QueryDict) -> list[dict[str, Any]]:
    """Return the sources with how many labels each has, and which are chosen."""
    found = labels.counts(project) if project else None
    return [
        {
            "name": source.value,
            "title": source.label,
            "n": found.by_source.get(source.value, 0) if found else 0,
            "is_chosen": source.value in said.getlist("sources") if "seed" in said else True,
        }
        for source in TrainingExample.Source
    ]


def _values(said: Mapping[str, Any]) -> dict[str, Any]:
    usual = trainings.usual()
    return {name: said.get(name) or usual[name] or "" for name in _TEXTS} | {
        name: said.get(name, "") for name in ("name", "tasks")
    }


def _options(said: QueryDict) -> dict[str, Any]:
    """Return the options that a form names; what is left empty is as usual."""
    named = {name: str(said[name]).strip() for name in _TEXTS if str(said.get(name, "")).strip()}
    tasks = [name.strip() for name in str(said.get("tasks", "")).split(",") if name.strip()]
    return named | {"sources": said.getlist("sources"), "tasks": tasks}


def _counted(project: Project, kind: str, said: QueryDict) -> dict[str, Any]:
    """Return what a training would learn from, before anybody starts it."""
    try:
        options = trainings.checked(kind, _options(said))
    except BadInput as exc:
        return {"problem": str(exc)}
    return {"amount": versions.amount(versions.wanted(project, options))}


def _runs(project: Project | None) -> list[TrainingRun]:
    rows = TrainingRun.objects.filter(project=project).select_related("router", "created_by")
    return list(rows.defer("router__artifact")[:_SHOWN])


@require_GET
@page("see_results")
def training(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how far a training is; a script asks again every two seconds, a reload does too."""
    rows = TrainingRun.objects.select_related("project", "router", "created_by")
    run = get_object_or_404(rows.defer("router__artifact"), pk=pk)
    shown = {
        **about(run.project),
        "section": "routers",
        "run": run,
        "is_open": run.state in TrainingRun.OPEN,
        "ahead": _ahead(run),
        "can_train": permissions.can(request.user, "train_routers"),
    }
    return render(request, "reviews/training.html", shown)


def _ahead(run: TrainingRun) -> int:
    """Return how many trainings of any project come first."""
    if run.state != TrainingRun.State.WAITING:
        return 0
    return TrainingRun.objects.filter(state__in=TrainingRun.OPEN, pk__lt=run.pk).count()


@require_POST
@page("train_routers")
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """End a training that waits or is worked on."""
    run = get_object_or_404(TrainingRun, pk=pk)
    assert isinstance(request.user, User)
    trainings.cancel(run, request.user)
    return redirect("training", run.pk)
