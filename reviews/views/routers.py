"""Routers: which versions and kinds there are."""

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from reviews import suggestions
from reviews.views.frame import current_project, page
from routing import policy
from routing.models import RouterVersion


@require_GET
@page("see_results")
def routers(request: HttpRequest) -> HttpResponse:
    """List the versions that the project may use, and say which one is live."""
    project = current_project(request)
    live = policy.live(project) if project else None
    versions = RouterVersion.objects.filter(Q(project=project) | Q(project=None)).order_by("-id")
    shown = {
        "versions": versions,
        "live_id": live.router_id if live else None,
        "suggestions": suggestions.of(project),
    }
    return render(request, "reviews/routers.html", shown)
