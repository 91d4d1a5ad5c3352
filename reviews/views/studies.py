"""Studies: which there are, how a new one is planned, what the draw of one came to."""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from reviews import challenges, closing, needs, permissions, plan, planning, sampling, status
from reviews.errors import NothingToSign
from reviews.models import Study
from reviews.plan import PlanError
from reviews.views import planform
from reviews.views.frame import about, current_project, page, posted_project
from reviews.views.study import context, is_id, study_or_404
from routing import policy
from routing.models import Challenger, Policy, Project


@require_GET
@page("see_results")
def studies(request: HttpRequest) -> HttpResponse:
    """List the project's studies."""
    rows = Study.objects.filter(project=current_project(request))
    shown = {"studies": rows, "can_run": permissions.can(request.user, "run_studies")}
    return render(request, "reviews/studies.html", shown)


@require_http_methods(["GET", "HEAD", "POST"])
@page("run_studies")
def new(request: HttpRequest) -> HttpResponse:
    """Show the form of a plan; show what it would draw; start the study.

    What cannot be comes back with what was typed and a sentence by the field. A plan that would
    harm the study is shown with the warning first, and starts once that is accepted.
    """
    if request.method != "POST":
        return _form(request, current_project(request), {})
    project, challenger = posted_project(request), _challenger(request)
    try:
        wanted = plan.parse(request.POST.dict())
    except PlanError as exc:
        return _form(request, project, exc.problems)
    studied = challenges.draft(challenger) if challenger else _live(project)
    warning = sampling.warning(wanted.tilt)
    is_accepted = not warning or request.POST.get("accept") == "yes"
    if request.POST.get("action") == "preview" or not is_accepted:
        drawn = sampling.preview(studied, wanted, is_challenge=challenger is not None)
        return _form(request, project, {}, preview=drawn, warning=warning)
    seed = secrets.token_hex(8)
    if challenger is None:
        study = sampling.start(studied, seed=seed, **wanted.as_fields())
    else:
        assert isinstance(request.user, User)
        study = challenges.study(challenger, wanted, seed=seed, by=request.user)
    messages.success(request, f"“{study}” runs: raters find its pairs on their page.")
    return redirect("study", study.pk)


def _challenger(request: HttpRequest) -> Challenger | None:
    """Return the running challenger that the study is to be about; None for the live router."""
    named = request.POST.get("challenger") or request.GET.get("challenger", "")
    if not named:
        return None
    rows = Challenger.objects.select_related("router", "project").filter(stopped_at=None)
    return get_object_or_404(rows, pk=named if is_id(named) else 0)


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
    values, challenger = plan.shown(plan.usual(), request.POST.dict()), _challenger(request)
    if challenger is not None:
        project = challenger.project
        values["name"] = values["name"] or f"{challenger.router}, before it decides"
    shown = {
        **about(project), "challenger": challenger, "name": values["name"], "problems": problems,
        "groups": planform.form(values, problems), **more,
    }  # fmt: skip
    return render(request, "reviews/study_new.html", shown)


@require_GET
@page("see_results")
def study(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a study's plan, how far it is, how it ends, and by stratum what the draw came to."""
    row = study_or_404(pk)
    now_possible = _ends(row) if row.state == Study.State.RUNNING else {}
    shown = {
        **context(request, row),
        "groups": planform.card(row),
        "status": status.of(row),
        "is_locked": planning.locked(row),
        "deviations": [
            (change, planform.label(change.field))
            for change in row.plan_changes.select_related("by")
        ],
        "strata": sampling.strata(row),
        "next_up": needs.next_up(row),
        "end": sampling.window(row)[1],
        "trained_until": sampling.trained_until(row.router_id),
        **now_possible,
    }
    return render(request, "reviews/study.html", shown)


def _ends(row: Study) -> dict[str, Any]:
    """Return the ways in which a running study can end now."""
    return {
        "wants_why": not closing.is_over(row),
        "can_stop_early": closing.can_stop_early(row),
        "is_futile": closing.is_futile(row),
        "closes": closing.consequence(row),
    }
