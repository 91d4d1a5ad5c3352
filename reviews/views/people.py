"""Settings › People: who is here with which roles, and who is invited."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviews import mail, permissions, reminders
from reviews import people as service
from reviews.errors import NotSent
from reviews.models import Invitation
from reviews.views import signon
from reviews.views.frame import page


@never_cache
@require_safe
@page("invite")
def people(request: HttpRequest) -> HttpResponse:
    """List people and invitations, and offer what the person may do with them."""
    gives = permissions.gives(request.user)
    context = {
        "people": [_row(user) for user in _everybody()],
        "invitations": [
            (row, row.state == Invitation.State.OPEN and set(row.roles) <= set(gives))
            for row in Invitation.objects.select_related("accepted_by", "invited_by")
        ],
        "gives": gives,
        "all_roles": permissions.ROLES,
        "can_administer": permissions.can(request.user, "administer"),
        "has_mail": mail.is_on(),
        "days": settings.SHADOWEVAL_INVITATION_DAYS,
        "roles_follow": settings.SHADOWEVAL_OIDC_ROLES_CLAIM and signon.name(),
    }
    return render(request, "reviews/people.html", context)


def _everybody() -> Any:
    return User.objects.prefetch_related("groups").order_by("-is_active", "username")


def _row(user: User) -> tuple[User, list[str]]:
    held = {group.name for group in user.groups.all()} | ({"admin"} if user.is_superuser else set())
    return user, [role for role in permissions.ROLES if role in held]


@require_POST
@page("invite")
def invite(request: HttpRequest) -> HttpResponse:
    """Write an invitation, show its link once, and send it where mail is on."""
    assert isinstance(request.user, User)
    email = request.POST.get("email", "").strip()[:254]
    token, row = service.invite(request.user, request.POST.getlist("roles"), email)
    link = mail.link("join_link", token)
    messages.success(request, f"The link of the invitation, shown only now: {link}")
    if email and mail.is_on():
        _send(request, row, token)
    return redirect("people")


def _send(request: HttpRequest, row: Invitation, token: str) -> None:
    try:
        service.mail_link(row, token)
    except NotSent as exc:
        messages.error(request, f"{exc} Give the link to them yourself.")
    else:
        messages.success(request, f"It was sent to {row.email}.")


@require_POST
@page("invite")
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """End an open invitation."""
    assert isinstance(request.user, User)
    service.revoke(get_object_or_404(Invitation, pk=pk), request.user)
    messages.success(request, "The invitation is revoked.")
    return redirect("people")


@require_POST
@page("administer")
def set_roles(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a person the roles that are ticked, and no others."""
    assert isinstance(request.user, User)
    user = get_object_or_404(User, pk=pk)
    service.set_roles(user, request.POST.getlist("roles"), by=request.user)
    messages.success(request, f"The roles of {user.username} are changed.")
    return redirect("people")


@require_POST
@page("administer")
def set_active(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a person in no longer, or again."""
    assert isinstance(request.user, User)
    user = get_object_or_404(User, pk=pk)
    if request.POST.get("active") == "yes":
        service.activate(user, by=request.user)
        messages.success(request, f"{user.username} can log in again.")
    else:
        service.deactivate(user, by=request.user)
        messages.success(request, f"{user.username} cannot log in any more.")
    return redirect("people")


@require_http_methods(["GET", "POST"])
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@page("rate")
def remind(request: HttpRequest) -> HttpResponse:
    """Show whether the person gets reminders, and change it."""
    assert isinstance(request.user, User)
    if request.method == "POST":
        change = reminders.resume if request.POST.get("reminders") == "yes" else reminders.stop
        change(request.user)
        return redirect("reminders")
    context = {
        "is_stopped": reminders.is_stopped(request.user),
        "has_mail": mail.is_on(),
        "days": settings.SHADOWEVAL_REMIND_AFTER_DAYS,
    }
    return render(request, "reviews/reminders.html", context)
