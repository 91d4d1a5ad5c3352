"""What a lead does to a study that runs: correct its plan, or end it."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from reviews import closing, planning
from reviews import plan as plans
from reviews.errors import BadInput, Conflict
from reviews.models import Study
from reviews.plan import PlanError
from reviews.planfields import FIXED
from reviews.views import planform
from reviews.views.frame import page
from reviews.views.study import context, study_or_404

_BASES = {"early": Study.Basis.EARLY, "futile": Study.Basis.FUTILE}


@require_http_methods(["GET", "POST"])
@page("run_studies")
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what of a running study's plan may still change; change it.

    What cannot be comes back with what was typed and a sentence by the field.
    """
    study = study_or_404(pk)
    if study.state != Study.State.RUNNING:
        raise Conflict("This study is closed: its plan is what its results rest on.")
    if request.method != "POST":
        return _form(request, study, {})
    known = planning.fields(study)
    wanted = plans.read(request.POST.dict(), known)
    assert isinstance(request.user, User)
    reason = request.POST.get("reason", "")
    try:
        planning.change(study, wanted, by=request.user, reason=reason)
    except PlanError as exc:
        return _form(request, study, exc.problems)
    messages.success(request, "The plan is changed.")
    return redirect("study", study.pk)


def _form(request: HttpRequest, study: Study, problems: dict[str, str]) -> HttpResponse:
    values = plans.shown(planning.fields(study), request.POST.dict())
    shown = {
        **context(request, study),
        "groups": planform.form(values, problems, without=FIXED),
        "problems": problems,
        "is_locked": planning.locked(study),
        "reason": request.POST.get("reason", ""),
    }
    return render(request, "reviews/study_change.html", shown)


@require_POST
@page("run_studies")
def close(request: HttpRequest, pk: int) -> HttpResponse:
    """Close a study: because its window is over, early, as futile, or by hand."""
    study = study_or_404(pk)
    if request.POST.get("confirm") != "yes":
        raise BadInput("Nothing was closed: tick the box that says that it cannot be undone.")
    by_time = Study.Basis.WINDOW if closing.is_over(study) else Study.Basis.BY_HAND
    basis = _BASES.get(request.POST.get("basis", ""), by_time)
    assert isinstance(request.user, User)
    closing.close(study, by=request.user, basis=basis, why=request.POST.get("why", ""))
    messages.success(request, f"“{study}” is closed: its ratings stay as they are.")
    return redirect("study", study.pk)
