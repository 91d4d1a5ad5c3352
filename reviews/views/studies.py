"""Studies: which there are, how a new one is planned, what the draw of one came to."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET

from reviews import permissions, plan, sampling
from reviews.errors import NothingToSign
from reviews.models import Study
from reviews.plan import PlanError
from reviews.views.frame import about, current_project, page, posted_project
from reviews.views.study import context
from routing import policy
from routing.models import Policy, Project


@require_GET
@page("see_results")
def studies(request: HttpRequest) -> HttpResponse:
    """List the project's studies."""
    rows = Study.objects.filter(project=current_project(request))
    shown = {"studies": rows, "can_run": permissions.can(request.user, "run_studies")}
    return render(request, "reviews/studies.html", shown)


@page("run_studies")
def new(request: HttpRequest) -> HttpResponse:
    """Show the form of a plan; show what it would draw; start the study.

    What cannot be comes back with what was typed and a sentence by the field. A plan that would
    harm the study is shown with the warning first, and starts once that is accepted.
    """
    if request.method != "POST":
        return _form(request, current_project(request), {})
    project = posted_project(request)
    try:
        wanted = plan.parse(request.POST.dict())
    except PlanError as exc:
        return _form(request, project, exc.problems)
    live = _live(project)
    warning = sampling.warning(wanted.tilt)
    is_accepted = not warning or request.POST.get("accept") == "yes"
    if request.POST.get("action") == "preview" or not is_accepted:
        drawn = sampling.preview(live, wanted)
        return _form(request, project, {}, preview=drawn, warning=warning)
    study = sampling.start(live, seed=secrets.token_hex(8), **wanted.as_fields())
    messages.success(request, f"“{study}” runs: raters find its pairs on their page.")
    return redirect("study", study.pk)


def _live(project: Project) -> Policy:
    live = policy.live(project)
    if live is None:
        raise NothingToSign("This project has no live policy yet.")
    return live


def _form(
    request: HttpRequest,
    project: Project | None,
    problems: dict[str, str],
    **more: Any,
) -> HttpResponse:
    typed = plan.typed(request.POST.dict())
    numbers = [
        {
            "name": name,
            "value": _words(typed[name]),
            "problem": problems.get(name, ""),
            **row._asdict(),
        }
        for name, row in plan.NUMBERS.items()
    ]
    switches = [
        {"name": name, "label": label, "about": line, "value": typed[name]}
        for name, (label, line) in plan.SWITCHES.items()
    ]
    shown = {
        **about(project), "name": typed["name"], "problems": problems,
        "numbers": numbers, "switches": switches, **more,
    }  # fmt: skip
    return render(request, "reviews/study_new.html", shown)


def _words(value: str | float) -> str:
    """Return a number as people write it; what was typed stays as it is."""
    return value if isinstance(value, str) else f"{value:g}"


@require_GET
@page("see_results")
def study(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a study's plan and seed, and by stratum what was expected of the draw and what came."""
    row = get_object_or_404(Study.objects.select_related("project", "router", "policy"), pk=pk)
    shown = {
        **context(request, row),
        "numbers": [
            (one.label, _words(getattr(row, name)), one.about) for name, one in plan.NUMBERS.items()
        ],
        "switches": [
            (label, getattr(row, name), line) for name, (label, line) in plan.SWITCHES.items()
        ],
        "strata": sampling.strata(row),
        "floor": f"{_words(100 * row.floor)} %",
    }
    return render(request, "reviews/study.html", shown)
