"""Sign-offs: ask, look at what changes, decide."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from reviews import estimation, signoff
from reviews.errors import BadInput
from reviews.models import Approval, Rater, SignOff
from reviews.views.frame import about, current_project, page
from reviews.views.threshold import study_or_404


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f} %"


def _interval(point: dict[str, Any], name: str, n: str) -> str:
    """Return an estimate in words, never without its interval and n."""
    low, high = _percent(point[f"{name}_low"]), _percent(point[f"{name}_high"])
    doubt = "; the weights are too unequal for it" if point.get("weights_too_unequal") else ""
    return f"{_percent(point[name])} (95 % {low} to {high}{doubt}, n = {point[n]})"


def _figures(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is signed, as it was frozen."""
    point = content["point"]
    share = f"{_percent(point['cheap_share'])} ({point['cheap_count']} of {content['n_frame']})"
    by = dict(Rater.Kind.choices).get(content["raters"], content["raters"])
    return [
        ("Cheap share", f"{share} pairs"),
        ("Made worse, of all requests", _interval(point, "degradation", "n_harm")),
        ("Adequate among cheap-routed", _interval(point, "adequacy", "n_adequacy")),
        ("Saving", _percent(point["saving_share"])),
        ("Requests without a pair", _missing(content)),
        ("Rated", f"{content['n_rated']} of {content['n_selected']} drawn, by: {by}"),
    ]


def _missing(content: dict[str, Any]) -> str:
    """Return how many requests the figures leave out, and why."""
    reasons = content.get("missing") or {}
    return ", ".join(f"{n} ({why})" for why, n in reasons.items()) or "none"


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
        raise BadInput("The threshold is not a number.") from None
    kind = request.POST.get("raters", "")
    row = signoff.request(
        study=study,
        user=_user(request),
        threshold=threshold,
        reason=request.POST.get("reason", ""),
        kind=kind if kind in Rater.Kind.values else "",
        moment=estimation.Moment.parse(request.POST.get("moment", "")),
        seen_sha256=request.POST.get("seen", ""),
    )
    messages.success(request, "Requested. Another person signs next.")
    return redirect("signoff", row.pk)


@page("see_results")
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what would change, on which evidence, and who signed."""
    row = get_object_or_404(
        SignOff.objects.select_related("evidence", "policy_before", "project"), pk=pk
    )
    context = {
        "row": row,
        "figures": _figures(row.evidence.content),
        "approvals": row.approvals.select_related("user"),
        "open_roles": signoff.open_roles(row),
        "is_stale": signoff.is_stale(row),
        "my_role": signoff.role_for(row, _user(request)),
        **about(row.project),
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
        raise BadInput("Choose approve, request changes or reject.")
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
