"""A challenger beside the live router at equal cost, and one click to study it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from reviews import contestchart, contests, permissions
from reviews.operating import HARM
from reviews.views.frame import about, page
from reviews.views.signoff import user_of
from routing import policy
from routing.models import Challenger


@require_GET
@page("see_results")
def compare(request: HttpRequest, pk: int) -> HttpResponse:
    """Show how many requests each makes worse at the same cost, and how sure that is."""
    row = _row(pk)
    live = policy.live(row.project)
    found = contests.compare(row, live)
    shown: dict[str, Any] = {
        **about(row.project),
        "section": "routers",
        "row": row,
        "found": found,
        "fewest": contests.FEWEST,
        "can_run": permissions.can(request.user, "run_studies"),
    }
    if found is not None:
        names = (row.router.name, live.router.name if live else "")
        shown["harm"] = HARM[found.loss]
        shown["figures"] = contestchart.figures(found, *names)
    return render(request, "reviews/contest.html", shown)


@require_POST
@page("run_studies")
def study(request: HttpRequest, pk: int) -> HttpResponse:
    """Start its study with the plan of what is live."""
    row = contests.study(_row(pk), user_of(request))
    messages.success(request, f"“{row}” runs: raters find its pairs on their page.")
    return redirect("study", row.pk)


def _row(pk: int) -> Challenger:
    rows = Challenger.objects.select_related("router", "project").defer("router__artifact")
    return get_object_or_404(rows, pk=pk)
