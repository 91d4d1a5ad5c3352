"""Sign-offs: ask, look at what changes, decide."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from reviews import estimation, permissions, signoff
from reviews.errors import BadInput, NotAllowed, ReviewError
from reviews.models import Approval, Rater, SignOff, Study
from reviews.views.frame import about, current_project, page
from reviews.views.study import study_or_404
from reviews.views.threshold import SEEN

#: How long a page may be looked at before its numbers are signed, seconds.
_LONGEST_LOOK_S = 3600


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f} %"


def _interval(point: dict[str, Any], name: str, n: str) -> str:
    """Return an estimate in words, never without its interval and n."""
    low, high = _percent(point[f"{name}_low"]), _percent(point[f"{name}_high"])
    doubt = "; the weights are too unequal for it" if point.get("weights_too_unequal") else ""
    return f"{_percent(point[name])} (95 % {low} to {high}{doubt}, n = {point[n]})"


def _figures(content: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is signed, as it was frozen; evidence of an earlier version says less."""
    point = content["point"]
    share = f"{_percent(point['cheap_share'])} ({point['cheap_count']} of {content['n_frame']})"
    by = dict(Rater.Kind.choices).get(content["raters"], content["raters"])
    waiting, newer = content.get("n_waiting", 0), content.get("n_newer", 0)
    return [
        ("Study", f"{content['study']['name']}, router {content['router']['name']}"),
        ("Models", _models(content.get("models", {}))),
        ("Floor", f"at most {_percent(content['floor'])} made worse; {_floor(content)}"),
        ("Cheap share", f"{share} pairs"),
        ("Made worse, of all requests", _interval(point, "degradation", "n_harm")),
        ("Adequate among cheap-routed", _interval(point, "adequacy", "n_adequacy")),
        ("Saving", _percent(point["saving_share"])),
        ("Requests without a pair", _missing(content)),
        ("Rated", f"{content['n_rated']} of {content['n_selected']} drawn, by: {by}"),
        ("Not counted yet", f"{waiting} rated pairs and {newer} newer ones"),
    ]


def _models(identity: dict[str, dict[str, str]]) -> str:
    return ", ".join(f"{who['model']} ({who['provider']})" for who in identity.values()) or "–"


def _floor(content: dict[str, Any]) -> str:
    """Return in words where the interval lies; it is pointwise and certifies nothing."""
    point, floor = content["point"], content["floor"]
    if point["degradation_low"] > floor:
        return "the whole interval lies above it"
    return "the interval reaches above it" if point["degradation_high"] > floor else "below it"


def _missing(content: dict[str, Any]) -> str:
    """Return how many requests the figures leave out, and why."""
    reasons = content.get("missing") or {}
    return ", ".join(f"{n} ({why})" for why, n in reasons.items()) or "none"


def _seen(request: HttpRequest, study: Study) -> signoff.Seen:
    """Return what the page showed, as this server wrote it; nobody picks another moment.

    Raises:
        BadInput: when the form does not carry it, or was opened too long ago.
    """
    try:
        said = signing.loads(request.POST.get("seen", ""), salt=SEEN, max_age=_LONGEST_LOOK_S)
    except signing.BadSignature:
        raise BadInput(
            "The page is too old to be signed from; look at the numbers again."
        ) from None
    if said["study"] != study.pk:
        raise BadInput("These numbers belong to another study; look at them again.")
    moment = estimation.Moment.parse(said["moment"])
    assert moment is not None, "the server signed it"
    return signoff.Seen(said["kind"], moment, said["sha256"])


def _back_to_the_curve(request: HttpRequest) -> HttpResponse:
    request.session["signoff_reason"] = request.POST.get("reason", "")[:5000]
    asked = {
        "study": request.POST.get("study", ""),
        "raters": request.POST.get("raters", ""),
        "at": request.POST.get("threshold", ""),
    }
    return redirect(f"{reverse('threshold')}?{urlencode(asked)}")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


@page("see_results")
def signoffs(request: HttpRequest) -> HttpResponse:
    """List the sign-offs of the project; a POST asks for a new one.

    A request that is refused leads back to the curve, with what was typed.
    """
    if request.method == "POST":
        try:
            return _request(request)
        except NotAllowed:
            raise
        except ReviewError as exc:
            messages.error(request, str(exc))
            return _back_to_the_curve(request)
    rows = SignOff.objects.filter(project=current_project(request)).select_related("requester")
    return render(request, "reviews/signoffs.html", {"rows": rows})


def _request(request: HttpRequest) -> HttpResponse:
    permissions.check(request.user, "request_signoff")  # before anything is read
    study = study_or_404(request.POST.get("study", ""))
    try:
        threshold = float(request.POST.get("threshold", ""))
    except ValueError:
        raise BadInput("The threshold is not a number.") from None
    row = signoff.request(
        study=study,
        user=_user(request),
        threshold=threshold,
        reason=request.POST.get("reason", ""),
        seen=_seen(request, study),
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
