"""Rules of a version: edited in rows, tried on recorded requests, saved as a new version."""

from __future__ import annotations

import math
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from reviews import differences, making, permissions, rehearsal
from reviews.choice import Thresholds
from reviews.errors import BadInput
from reviews.views import ruleform
from reviews.views.frame import about, current_project, page, posted_project
from reviews.views.making import said_next
from reviews.views.ruleform import Checked, Row
from reviews.views.signoff import user_of
from reviews.views.study import is_id
from reviews.views.versions import usable
from routing import policy, routers
from routing.models import Project, RouterVersion
from routing.policy import HIGHEST_THRESHOLD
from routing.routers import rulefields


@require_http_methods(["GET", "HEAD", "POST"])
@page("see_results")
def rules(request: HttpRequest) -> HttpResponse:
    """Show a version's rules; change rows, try them, or save them as a new version."""
    if request.method != "POST":
        project = current_project(request)
        base = _base(project, request.GET.get("version", ""))
        rows = ruleform.rows_of(making.rules_of(base)) if base else []
        return _show(request, project, base, rows)
    permissions.check(request.user, "train_routers")
    project = posted_project(request)
    base = _base(project, request.POST.get("version", ""))
    if base is None:
        raise BadInput("Choose a version that rules can stand before.")
    return _edit(request, project, base)


def _edit(request: HttpRequest, project: Project, base: RouterVersion) -> HttpResponse:
    rows, action = ruleform.read(request.POST), request.POST.get("action", "")
    moved = ruleform.changed(rows, action)
    if moved is not None:
        return _show(request, project, base, moved)
    checked = ruleform.check(rows)
    if checked.rules is None:
        return _show(request, project, base, checked.rows, problems=_told(checked))
    try:
        if action == "save":
            return _save(request, project, base, checked)
        return _try(request, project, base, checked)
    except BadInput as exc:
        return _show(request, project, base, rows, problems=[str(exc)])


def _told(checked: Checked) -> list[str]:
    return checked.problems or ["Nothing was tried or saved: see the rules below."]


def _save(
    request: HttpRequest, project: Project, base: RouterVersion, checked: Checked
) -> HttpResponse:
    assert checked.rules is not None, "checked before"
    name = request.POST.get("name", "")
    made = making.with_rules(project, base, checked.rules, name=name, by=user_of(request))
    messages.success(request, said_next(made, routers.kinds()[made.kind]))
    return redirect("router", made.pk)


def _try(
    request: HttpRequest, project: Project, base: RouterVersion, checked: Checked
) -> HttpResponse:
    assert checked.rules is not None, "checked before"
    at = _thresholds(project, request.POST.get("at", "").strip())
    old = making.rules_of(base)
    found = rehearsal.run(project, base, old, checked.rules, at, user_of(request))
    return _show(request, project, base, checked.rows, found=found, compared_at=at)


def _thresholds(project: Project, typed: str) -> Thresholds:
    """Return the thresholds to compare at: the live ones when nothing is typed."""
    live = policy.live(project)
    if not typed:
        return Thresholds(live.threshold, live.thresholds) if live else Thresholds(0.0)
    try:
        value = float(typed)
    except ValueError:
        value = math.nan
    if not 0 <= value <= HIGHEST_THRESHOLD:
        raise BadInput("The threshold must be a number from 0 to 2; empty takes the live ones.")
    return Thresholds(value)


def _base(project: Project | None, named: str) -> RouterVersion | None:
    """Return the version that is named, or else the live one, or else the newest; None without any.

    Raises:
        Http404: when what is named cannot have rules, or is not the project's to use.
    """
    rows = _editable(project)
    if named:
        found = next((row for row in rows if is_id(named) and row.pk == int(named)), None)
        if found is None:
            raise Http404("There is no such version here that rules can stand before.")
        return found
    live = policy.live(project) if project else None
    return next((row for row in rows if live and row.pk == live.router_id), next(iter(rows), None))


def _editable(project: Project | None) -> list[RouterVersion]:
    rows = usable(project).defer("artifact", "card")
    return [row for row in rows if making.may_have_rules(row)]


def _show(
    request: HttpRequest,
    project: Project | None,
    base: RouterVersion | None,
    rows: list[Row],
    **more: Any,
) -> HttpResponse:
    frame = about(project)
    live = frame["live"]
    shown = {
        **frame,
        "section": "routers",
        "versions": _editable(project),
        "base": base,
        "is_live": bool(base and live and live.router_id == base.pk),
        "rows": list(enumerate(rows)),
        "last": len(rows) - 1,
        "kinds": rulefields.KINDS.items(),
        "can_train": permissions.can(request.user, "train_routers"),
        "at": request.POST.get("at", ""),
        "name": request.POST.get("name", ""),
        "most": differences.MOST,
        **more,
    }
    return render(request, "reviews/rules.html", shown)
