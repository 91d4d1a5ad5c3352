"""Who signed a request, who still may, and whether it can be approved at all. Reads only."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from reviews import permissions, planning, standing
from reviews.models import Approval, SignOff
from routing import policy

#: Why a request cannot be approved when something else is live than it was made against.
OVERTAKEN = "Another policy went live since this was requested."


def plan(row: SignOff) -> dict[str, Any]:
    """Return the plan that was signed, which the study's own may have left since.

    Evidence of an earlier version holds none: the study's has to do.
    """
    return row.evidence.content.get("plan") or planning.fields(row.study)


def given(row: SignOff) -> list[Approval]:
    """Return what was decided about the revision that is asked for now."""
    return [one for one in row.approvals.all() if one.revision == row.revision]


def open_roles(row: SignOff) -> list[str]:
    """Return the required roles that have not approved this revision yet."""
    signed = {one.role for one in given(row) if one.decision == Approval.Decision.APPROVE}
    return [role for role in row.required_roles if role not in signed]


def void(row: SignOff) -> list[Approval]:
    """Return the approvals of an open request by people who could not give them any more."""
    if row.state not in SignOff.OPEN:
        return []
    approvals = [one for one in given(row) if one.decision == Approval.Decision.APPROVE]
    return [one for one in approvals if not _holds(one.user, one.role)]


def _holds(user: User, role: str) -> bool:
    return user.is_active and role in permissions.roles_of(user)


def left(row: SignOff) -> list[str]:
    """Return which approvals count no more, a sentence each."""
    return [
        f"{one.user.username} approved for {one.role} and can no longer sign for it: "
        "this approval counts no more."
        for one in void(row)
    ]


def role_for(row: SignOff, user: User, roles: set[str] | None = None) -> str | None:
    """Return the role under which the person may decide now, or None.

    Never the requester, and never twice.

    Args:
        row: the sign-off.
        user: who.
        roles: the person's roles, when they are known already.
    """
    has_decided = any(one.user_id == user.pk for one in given(row))
    if row.state != SignOff.State.REQUESTED or row.requester_id == user.pk or has_decided:
        return None
    held = permissions.roles_of(user) if roles is None else roles
    return next((role for role in open_roles(row) if role in held), None)


def needing(user: User) -> list[SignOff]:
    """Return the requests, of all projects, that the person can decide now."""
    waiting = SignOff.objects.filter(state=SignOff.State.REQUESTED).exclude(requester=user)
    roles = permissions.roles_of(user) if waiting else set()
    rows = waiting.select_related("project").prefetch_related("approvals")
    return [row for row in rows if role_for(row, user, roles)]


def nobody_for(row: SignOff) -> list[str]:
    """Return the open roles for which nobody is left who can log in: three people are needed."""
    people = permissions.people_who_can("decide_signoff").exclude(pk=row.requester_id)
    people = people.exclude(pk__in=[one.user_id for one in given(row)])
    able = {role: set(people.filter(groups__name=role)) for role in open_roles(row)}
    if len(set().union(*able.values())) < len(able):
        return list(able)
    return [role for role, who in able.items() if not who]


def is_overtaken(row: SignOff) -> bool:
    """Return whether another policy went live since the request."""
    live = policy.live(row.project)
    return live is None or live.pk != row.policy_before_id


def staleness(row: SignOff) -> list[str]:
    """Return why an open request can no longer be approved as it is, a sentence each."""
    if row.state not in SignOff.OPEN:
        return []
    return left(row) + standing.staleness(row.evidence)


def signers(row: SignOff) -> list[User]:
    """Return the people who can log in and hold one of the required roles."""
    people = permissions.people_who_can("decide_signoff")
    return list(people.filter(groups__name__in=row.required_roles).distinct())
