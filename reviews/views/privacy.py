"""Settings → Privacy: what a project stores of texts and for how long, and who is forgotten."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST

from reviews import forgetting
from reviews.errors import BadInput
from reviews.views.frame import page, posted_project, to_page
from reviews.views.signoff import user_of


@require_POST
@page("administer")
def put(request: HttpRequest) -> HttpResponse:
    """Have a project keep texts as the form says."""
    project = posted_project(request)
    said = (request.POST.get(name, "") for name in ("keeps", "redactions", "retention_days"))
    choice = forgetting.read(*said)
    forgetting.put(project, choice, user_of(request))
    messages.success(request, f"From now on {project} stores texts so.")
    return to_page("settings", project)


@require_POST
@page("administer")
def erase(request: HttpRequest) -> HttpResponse:
    """Delete everything about an end user, who is named twice to say so."""
    project = posted_project(request)
    named, again = (request.POST.get(name, "").strip() for name in ("user", "again"))
    if named != again:
        raise BadInput("Nothing was deleted: name the end user twice, the same way.")
    made = forgetting.forget(project, named, user_of(request))
    n = made.counts.get("routing.Request", 0)
    messages.success(request, f"Forgotten: {n} requests with all that belonged to them.")
    return to_page("settings", project)
