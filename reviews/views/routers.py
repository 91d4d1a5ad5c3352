"""Routers: which versions there are, what has become of them, and the kinds to make others of."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from reviews import making, permissions, suggestions
from reviews.views import versions
from reviews.views.frame import current_project, page
from routing import routers as registry


@require_GET
@page("see_results")
def routers(request: HttpRequest) -> HttpResponse:
    """List the versions that the project may use, and a card of each kind."""
    project = current_project(request)
    offered = [kind for kind in registry.kinds().values() if kind.is_offered]
    # A template would call what a kind's own fields hold.
    shown = {
        "lines": versions.lines(project),
        "kinds": [
            (kind, making.is_configured(kind), making.is_around(kind), kind.fit is not None)
            for kind in offered
        ],
        "suggestions": suggestions.of(project),
        "can_train": permissions.can(request.user, "train_routers"),
    }
    return render(request, "reviews/routers.html", shown)
