"""Invite people, let them in once, change what they may do.

Every change is in the trail of every project. Who does no more than rate is a number there: packs
hold trails, and no rater's name.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.utils import timezone

from reviews import audit, mail, permissions
from reviews.errors import BadInput, Conflict, NotAllowed
from reviews.models import Invitation
from routing.access import digest
from routing.models import Project

_STATES = Invitation.State
_WHY_NOT = {
    _STATES.ACCEPTED: "This invitation was used already. If it was you, log in.",
    _STATES.REVOKED: "This invitation was withdrawn. Ask for another one.",
    _STATES.EXPIRED: "This invitation has run out. Ask for another one.",
}


def invite(by: User, roles: Collection[str], email: str = "") -> tuple[str, Invitation]:
    """Write an invitation; return the token of its link, which is kept nowhere, and the row.

    Raises:
        BadInput: without a role, or with an address that is none or that somebody has already.
        NotAllowed: when the inviter may not hand on one of the roles.
    """
    if not roles or not set(roles) <= set(permissions.ROLES):
        raise BadInput("Choose at least one role.")
    _check_gives(by, roles)
    if email:
        _check_address(email)
    token = secrets.token_urlsafe(32)
    row = Invitation.objects.create(
        digest=digest(token),
        roles=[role for role in permissions.ROLES if role in roles],
        email=email,
        invited_by=by,
        expires_at=timezone.now() + timedelta(days=settings.SHADOWEVAL_INVITATION_DAYS),
    )
    return token, row


def _check_gives(by: User, roles: Collection[str]) -> None:
    given = permissions.gives(by)
    if not set(roles) <= set(given):
        may = ", ".join(given) or "nobody"
        raise NotAllowed(f"You may invite people with these roles only: {may}.")


def _check_address(email: str) -> None:
    try:
        validate_email(email)
    except ValidationError:
        raise BadInput(f"{email} is no e-mail address.") from None
    if User.objects.filter(email__iexact=email).exists():
        raise BadInput("Somebody with this e-mail address is here already.")


def mail_link(row: Invitation, token: str) -> None:
    """Send the invitation's link to its address; raises NotSent."""
    mail.send(
        row.email,
        "Your invitation to Shadoweval",
        f"You are invited to Shadoweval ({', '.join(row.roles)}).\n\n"
        f"Come in by this link. It works once, until {row.expires_at:%Y-%m-%d %H:%M} UTC:\n\n"
        f"{mail.link('join_link', token)}\n\n"
        "If you expected no invitation, you need not do anything.\n",
    )


def find(token: str) -> Invitation:
    """Return the open invitation of a link.

    Raises:
        Invitation.DoesNotExist: when there never was one.
        Conflict: when it was used, was revoked or has run out, says which, or when the inviter
            could no longer make it.
    """
    row = Invitation.objects.get(digest=digest(token))
    _check_open(row)
    _check_still_given(row)
    return row


def _check_open(row: Invitation) -> None:
    if row.state != _STATES.OPEN:
        raise Conflict(_WHY_NOT[_STATES(row.state)])


def _check_still_given(row: Invitation) -> None:
    by = row.invited_by
    given = permissions.gives(by) if by is not None and by.is_active else ()
    if not set(row.roles) <= set(given):
        raise Conflict(_WHY_NOT[_STATES.REVOKED])


def accept(token: str, user: User) -> None:
    """Let a person in: write them with the invitation's roles and address, and end it.

    One transaction; of two at once the second waits for the row and finds it used.

    Args:
        token: of the link.
        user: new and not saved, or somebody who is here already and gets the roles in addition.

    Raises:
        Conflict: when the invitation is no longer open, or the inviter no longer gives its roles.
        BadInput: when the name was taken meanwhile.
    """
    try:
        with transaction.atomic():
            row = Invitation.objects.select_for_update().get(digest=digest(token))
            _check_open(row)
            _check_still_given(row)
            user.email = user.email or row.email
            user.save()
            before = _held(user)
            permissions.give(user, *row.roles)
            _note(row.invited_by, user, "person.joined", before)
            row.accepted_by, row.accepted_at = user, timezone.now()
            row.save(update_fields=["accepted_by", "accepted_at"])
    except IntegrityError:
        raise BadInput("There is a person of this name already.") from None


def revoke(row: Invitation, by: User) -> None:
    """End an open invitation.

    Raises:
        NotAllowed: when the person could not have made it.
        Conflict: when it is no longer open.
    """
    _check_gives(by, row.roles)
    still_open = Invitation.objects.filter(pk=row.pk, accepted_at=None, revoked_at=None)
    if not still_open.update(revoked_at=timezone.now()):
        row.refresh_from_db()
        _check_open(row)


@transaction.atomic
def set_roles(user: User, roles: Collection[str], *, by: User) -> None:
    """Give a person these roles and no others; without `admin` they are no superuser either.

    Ends the open invitations they made that they could make no more.

    Raises:
        BadInput: when a role is none.
        Conflict: when nobody could administer afterwards.
    """
    if not set(roles) <= set(permissions.ROLES):
        raise BadInput("There is no such role.")
    before = _held(user)
    if "admin" not in roles:
        _check_not_last_admin(user)
        User.objects.filter(pk=user.pk).update(is_superuser=False, is_staff=False)
    _write(user, roles, by, before)


@transaction.atomic
def follow(user: User, roles: Collection[str]) -> None:
    """Give a person the roles that the sign-on provider names; the last admin stays one.

    Ends the open invitations they made that they could make no more.
    """
    try:
        _check_not_last_admin(user)
    except Conflict:
        roles = {*roles, "admin"}
    _write(user, roles, None, _held(user))


def _write(user: User, roles: Collection[str], by: User | None, before: list[str]) -> None:
    user.groups.remove(*Group.objects.filter(name__in=set(permissions.ROLES) - set(roles)))
    permissions.give(user, *roles)
    if _held(user) != before:
        _note(by, user, "person.roles", before)
    _withdraw(user, permissions.gives(User.objects.get(pk=user.pk)))


def _held(user: User) -> list[str]:
    """Return the person's roles as the database has them, in the order of ROLES."""
    held = permissions.roles_of(User.objects.get(pk=user.pk))
    return [role for role in permissions.ROLES if role in held]


def _note(by: User | None, user: User, event: str, before: list[str]) -> None:
    """Write a change into the trail of every project, in one order so that no two wait in turn."""
    detail: dict[str, Any] = {"before": before, "after": _held(user)}
    if {*before, *detail["after"]} - {"rater"}:
        detail["name"] = user.username
    for project in Project.objects.order_by("pk"):
        audit.write(project, by, event, f"person {user.pk}", detail)


def _withdraw(by: User, given: Collection[str]) -> None:
    """End the open invitations a person made that give more than these roles."""
    still_open = Invitation.objects.filter(invited_by=by, accepted_at=None, revoked_at=None)
    too_much = still_open.exclude(roles__contained_by=list(given))
    too_much.update(revoked_at=timezone.now())


@transaction.atomic
def deactivate(user: User, *, by: User) -> None:
    """Let a person in no longer, and end the invitations they made; what they did stays.

    Raises:
        Conflict: when nobody could administer afterwards.
    """
    _check_not_last_admin(user)
    if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        _note(by, user, "person.deactivated", _held(user))
    _withdraw(user, ())


@transaction.atomic
def activate(user: User, *, by: User) -> None:
    """Let a person in again."""
    if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
        _note(by, user, "person.activated", _held(user))


def _check_not_last_admin(user: User) -> None:
    # One at a time: two admins who remove each other must not both succeed.
    Group.objects.select_for_update().get(name="admin")
    if set(permissions.admins()) == {user}:
        raise Conflict(f"{user.username} is the last admin; make somebody else an admin first.")
