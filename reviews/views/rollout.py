"""What people do to a rollout by hand: the next step now, pause, go on, stop, roll back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from reviews import asking, rollout
from reviews.errors import BadInput
from reviews.models import Rollout
from reviews.views.frame import page, posted_project, to_page
from reviews.views.signoff import user_of


@require_POST
@page("deploy")
def steer(request: HttpRequest, pk: int) -> HttpResponse:
    """Move the rollout of a sign-off as a button says."""
    way = get_object_or_404(Rollout, signoff=pk)
    user, why = user_of(request), request.POST.get("why", "")
    action = request.POST.get("action", "")
    if action == "next":
        way = rollout.go_on(way, by=user, seen=_seen(request), why=why)
    elif action == "resume":
        way = rollout.resume(way, by=user)
    elif action == "pause":
        way = rollout.pause(way, by=user, why=why)
    elif action == "stop":
        way = rollout.stop(way, by=user, why=why)
    else:
        raise BadInput("Choose next step, pause, go on or stop.")
    messages.success(request, f"The rollout: {way.get_state_display().lower()}. {way.why}".strip())
    return redirect("signoff", pk)


def _seen(request: HttpRequest) -> int:
    """Return what had happened last when the page was made."""
    try:
        return int(request.POST.get("seen", ""))
    except ValueError:
        raise BadInput("The form does not say what it was made from; look again.") from None


@require_POST
@page("roll_back")
def roll_back(request: HttpRequest) -> HttpResponse:
    """Go back to always expensive or to the policy before, logged with the reason."""
    project = posted_project(request)
    reason = asking.words(request.POST.get("reason", ""))
    to = request.POST.get("to", "always_expensive")
    if to not in ("always_expensive", "previous"):
        raise BadInput("Go back to always expensive or to the previous policy.")
    row = rollout.roll_back(project, by=user_of(request), reason=reason, to=to)  # type: ignore[arg-type]
    messages.success(request, f"{project}: rolled back to {row.policy}.")
    return to_page("policies", project)
