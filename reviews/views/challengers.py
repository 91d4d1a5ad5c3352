"""Challengers: how routers that score in the background compare, and how they come to decide."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from reviews import asking, challenges, permissions, suggestions
from reviews.errors import BadInput
from reviews.views.frame import current_project, page, posted_project, to_page
from reviews.views.signoff import user_of
from reviews.views.study import is_id
from routing import policy
from routing.models import Challenger, Project, RouterVersion


@require_GET
@page("see_results")
def challengers(request: HttpRequest) -> HttpResponse:
    """Show each challenger beside the live router, and which versions may challenge or decide."""
    project = current_project(request)
    shown: dict[str, Any] = {
        "section": "routers",
        "can_train": permissions.can(request.user, "train_routers"),
        "can_run": permissions.can(request.user, "run_studies"),
        "suggestions": suggestions.of(project),
        "can_deploy": permissions.can(request.user, "deploy"),
        "most": challenges.MOST,
        "fewest_labels": challenges.FEWEST_LABELS,
        **(_of(project) if project else {}),
    }
    return render(request, "reviews/challengers.html", shown)


def _of(project: Project) -> dict[str, Any]:
    live = policy.live(project)
    related = Challenger.objects.filter(project=project).defer("router__artifact")
    rows = list(related.select_related("router", "project", "started_by"))
    running = [row for row in rows if row.stopped_at is None]
    versions = _versions(project, {row.router_id for row in running})
    return {
        "standings": [(challenges.standing(row, live), _studies(row)) for row in running],
        "stopped": [row for row in rows if row.stopped_at is not None],
        "may_challenge": [
            row for row in versions if not challenges.has_to_ask(row) and not _decides(row, live)
        ],
        "may_decide": [row for row in versions if challenges.has_to_ask(row)],
    }


def _decides(row: RouterVersion, live: Any) -> bool:
    return live is not None and live.router_id == row.pk


def _studies(row: Challenger) -> Any:
    studies = row.project.studies.filter(router=row.router_id, is_challenge=True)
    return studies.values("pk", "name", "state")


def _versions(project: Project, but: set[int]) -> list[RouterVersion]:
    """Return the versions that the project may use and that do not challenge, the newest first."""
    rows = RouterVersion.objects.filter(Q(project=project) | Q(project=None)).exclude(pk__in=but)
    return list(rows.defer("artifact", "card").order_by("-id"))


@require_POST
@page("train_routers")
def start(request: HttpRequest) -> HttpResponse:
    """Let a router score in the background."""
    project = posted_project(request)
    row = challenges.start(project, _router(request), user_of(request))
    messages.success(
        request, f"{row.router} scores what comes in from now on, and decides nothing."
    )
    return to_page("challengers", project)


@require_POST
@page("train_routers")
def stop(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a challenger score no more."""
    row = get_object_or_404(Challenger.objects.select_related("project", "router"), pk=pk)
    challenges.stop(row, user_of(request))
    messages.success(request, f"{row.router} scores no more; what it said stays.")
    return to_page("challengers", row.project)


@require_POST
@page("deploy")
def decide(request: HttpRequest) -> HttpResponse:
    """Let a router decide at threshold 0, when it was confirmed what that means."""
    project, router = posted_project(request), _router(request)
    if request.POST.get("confirm") != "yes":
        raise BadInput("Nothing was changed: tick the box that says that cheap routing stops.")
    reason = asking.words(request.POST.get("reason", ""))
    row = challenges.always_expensive_with(project, router, by=user_of(request), reason=reason)
    said = f"{row.policy} is live: {router} decides, and everything goes to the expensive tier."
    messages.success(request, said)
    return to_page("challengers", project)


def _router(request: HttpRequest) -> RouterVersion:
    named = request.POST.get("router", "")
    return get_object_or_404(RouterVersion, pk=named if is_id(named) else 0)
