"""Sign-offs: ask, look at what changes, decide."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from reviews import signoff
from reviews.errors import NothingToSign
from reviews.models import Approval, SignOff
from reviews.views.frame import current_project, page
from reviews.views.threshold import study_or_404


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@page("see_results")
def signoffs(request: HttpRequest) -> HttpResponse:
    """List the sign-offs of the project; a POST asks for a new one."""
    if request.method == "POST":
        return _request(request)
    rows = SignOff.objects.filter(project=current_project(request)).select_related("requester")
    return render(request, "reviews/signoffs.html", {"rows": rows})


def _request(request: HttpRequest) -> HttpResponse:
    study = study_or_404(request.POST.get("study", ""))
    try:
        threshold = float(request.POST.get("threshold", ""))
    except ValueError:
        raise NothingToSign("The threshold is not a number.") from None
    reason = request.POST.get("reason", "")
    row = signoff.request(study=study, user=_user(request), threshold=threshold, reason=reason)
    messages.success(request, "Requested. Another person signs next.")
    return redirect("signoff", row.pk)


@page("see_results")
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what would change, on which evidence, and who signed."""
    row = get_object_or_404(SignOff.objects.select_related("evidence", "policy_before"), pk=pk)
    context = {
        "row": row,
        "content": row.evidence.content,
        "point": row.evidence.content["point"],
        "approvals": row.approvals.select_related("user"),
        "open_roles": signoff.open_roles(row),
        "my_role": signoff.role_for(row, _user(request)),
        "is_mine": row.requester_id == request.user.pk and row.state == SignOff.State.REQUESTED,
    }
    return render(request, "reviews/signoff.html", context)


@require_POST
@page("decide_signoff")
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Approve, request changes or reject."""
    row = get_object_or_404(SignOff, pk=pk)
    decision = request.POST.get("decision", "")
    if decision not in Approval.Decision.values:
        raise NothingToSign("Choose approve, request changes or reject.")
    comment = request.POST.get("comment", "")
    row = signoff.decide(row, user=_user(request), decision=decision, comment=comment)
    messages.success(request, f"Stored: {row.get_state_display()}.")
    return redirect("signoff", pk)


@require_POST
@page("request_signoff")
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one's own request back."""
    signoff.withdraw(get_object_or_404(SignOff, pk=pk), user=_user(request))
    messages.success(request, "Withdrawn.")
    return redirect("signoff", pk)
