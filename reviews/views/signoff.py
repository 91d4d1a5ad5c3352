"""Sign-offs: ask, look at what changes, discuss, change, decide."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviews import audit, choice, estimation, permissions, signatures, signoff
from reviews.choice import Thresholds
from reviews.errors import BadInput, Conflict, NotAllowed, ReviewError
from reviews.models import Approval, Rollout, SignOff
from reviews.views import signed_figures, signoff_form
from reviews.views.frame import about, current_project, page
from reviews.views.study import study_or_404
from reviews.views.threshold import OTHERS
from routing import policy

#: The tabs of a sign-off, by the word in the address.
TABS = {
    "summary": "Summary",
    "changes": "What changes",
    "evidence": "Evidence",
    "discussion": "Discussion",
    "history": "History",
}


def user_of(request: HttpRequest) -> User:
    """Return who is logged in; every page here asks for a login."""
    assert isinstance(request.user, User)
    return request.user


@require_http_methods(["GET", "HEAD", "POST"])
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
    rows = SignOff.objects.filter(project=current_project(request))
    context = {
        "rows": rows.select_related("requester", "way"),
        "need_me": signatures.needing(user_of(request)),
    }
    return render(request, "reviews/signoffs.html", context)


def _request(request: HttpRequest) -> HttpResponse:
    permissions.check(request.user, "request_signoff")  # before anything is read
    study = study_or_404(request.POST.get("study", ""))
    said = signoff_form.read(request, study)
    row = signoff.request(study=study, user=user_of(request), **said)
    messages.success(request, "Requested. Each role is signed by another person next.")
    return redirect("signoff", row.pk)


def _back_to_the_curve(request: HttpRequest) -> HttpResponse:
    request.session["signoff_reason"] = request.POST.get("reason", "")[:5000]
    asked = {
        "study": request.POST.get("study", ""),
        "raters": request.POST.get("raters", ""),
        "at": request.POST.get("threshold", ""),
    }
    return redirect(f"{reverse('threshold')}?{urlencode(asked)}")


def _row(pk: int) -> SignOff:
    rows = SignOff.objects.select_related(
        "evidence", "policy_before", "policy_after", "project", "study__policy", "requester"
    )
    return get_object_or_404(rows, pk=pk)


@require_safe
@page("see_results")
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one tab of a sign-off: what changes, on which evidence, who signed, what was said."""
    row, user = _row(pk), user_of(request)
    tab = request.GET.get("tab", "summary")
    is_open, is_requester = row.state in SignOff.OPEN, row.requester_id == user.pk
    context = {
        **about(row.project),
        "row": row,
        "tabs": TABS,
        "tab": tab if tab in TABS else "summary",
        "section": "signoffs",
        "approvals": row.approvals.select_related("user"),
        "open_roles": signatures.open_roles(row) if is_open else [],
        "nobody_for": signatures.nobody_for(row) if row.state == SignOff.State.REQUESTED else [],
        "stale": signatures.staleness(row),
        "void": signatures.void(row),
        "my_role": signatures.role_for(row, user),
        "is_mine": is_requester and is_open and permissions.can(user, "request_signoff"),
        "can_comment": permissions.can(user, "comment_signoff"),
        "can_deploy": permissions.can(user, "deploy"),
        "can_invite": permissions.can(user, "invite"),
        "way": Rollout.objects.filter(signoff=row).first(),
        "still_asked": signoff.shadow_rate(row.policy_before),
        **_of_tab(row, tab),
    }
    return render(request, "reviews/signoff.html", context)


def _of_tab(row: SignOff, tab: str) -> dict[str, Any]:
    """Return what one tab alone needs."""
    content = row.evidence.content
    if tab == "changes":
        return {"changes": signed_figures.changes(content)}
    if tab == "discussion":
        return {"comments": row.comments.select_related("user")}
    if tab == "history":
        events = row.way.events.select_related("by") if hasattr(row, "way") else []
        notices = row.notices.select_related("to")
        entries = audit.about(row.project, f"signoff {row.pk}")
        return {
            "revisions": row.revisions.all(),
            "events": events,
            "notices": notices,
            "entries": entries,
        }
    return {"figures": signed_figures.rows(content)}


def _check_revision(request: HttpRequest, row: SignOff) -> None:
    """Refuse what was sent from a page that showed another revision."""
    if request.POST.get("revision", "") != str(row.revision):
        raise Conflict("It was changed meanwhile; look at what it asks for now.")


@require_POST
@page("decide_signoff")
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Approve, request changes or reject the revision that the page showed."""
    row = _row(pk)
    decision = request.POST.get("decision", "")
    if decision not in Approval.Decision.values:
        raise BadInput("Choose approve, request changes or reject.")
    _check_revision(request, row)
    comment = request.POST.get("comment", "")
    row = signoff.decide(row, user=user_of(request), decision=decision, comment=comment)
    messages.success(request, f"Stored: {row.get_state_display()}.")
    return redirect("signoff", pk)


@require_POST
@page("comment_signoff")
def comment(request: HttpRequest, pk: int) -> HttpResponse:
    """Say something that decides nothing."""
    signoff.comment(_row(pk), user=user_of(request), text=request.POST.get("text", ""))
    return redirect(f"{reverse('signoff', args=[pk])}?tab=discussion")


@require_http_methods(["GET", "HEAD", "POST"])
@page("request_signoff")
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the numbers of now and what was asked for; a POST asks for something else instead."""
    row = _row(pk)
    if request.method == "POST":
        _check_revision(request, row)
        said = signoff_form.read(request, row.study)
        signoff.edit(row, user=user_of(request), **said)
        messages.success(request, "Changed. Earlier approvals count no more.")
        return redirect("signoff", pk)
    estimate = estimation.estimate(row.study, row.evidence.content["raters"])
    context = {
        **about(row.project),
        "row": row,
        "section": "signoffs",
        "seen": signoff_form.stamp(row.study, estimate),
        "steps": signoff_form.steps(row),
        "guards": SignOff.Guard.choices,
        "still_asked": signoff.shadow_rate(row.policy_before),
        "others": OTHERS,
        "changes": signed_figures.changes(_compared(row, estimate)),
    }
    return render(request, "reviews/signoff_edit.html", context)


def _compared(row: SignOff, estimate: estimation.Estimate) -> dict[str, Any]:
    """Return the figures of now of what is live and of what is asked for."""
    live = policy.live(row.project)
    found = estimation.rows(row.study, estimate.kind, estimate.moment)
    nothing = choice.point(found, Thresholds(0.0))
    before = choice.live_point(row.study, found, live) if live else nothing
    asked = choice.point(found, Thresholds(row.threshold, row.thresholds))
    return {"point_live": before, "point": asked}


@require_POST
@page("request_signoff")
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one's own request back."""
    signoff.withdraw(_row(pk), user=user_of(request))
    messages.success(request, "Withdrawn.")
    return redirect("signoff", pk)
