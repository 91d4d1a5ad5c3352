"""Who may do what: roles are groups, every rule is one line of the table.

`check_x` raises or returns nothing.
"""

from __future__ import annotations

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db.models import QuerySet

from reviews.errors import NotAllowed

ROLES = ("rater", "lead", "engineering", "product", "admin")

#: What each role may do; `docs/glossary.md` explains the words.
CAN = {
    "rate": {"rater", "lead"},
    "see_results": {"lead", "engineering", "product", "admin"},
    "run_studies": {"lead", "admin"},
    "request_signoff": {"engineering", "product"},
    "decide_signoff": {"engineering", "product"},
    "roll_back": {"engineering", "admin"},
    "cap_shadow": {"lead", "admin"},
    "administer": {"admin"},
}


def roles_of(user: User | AnonymousUser) -> set[str]:
    """Return the person's roles; a superuser administers and has no other role by that."""
    if not user.is_authenticated:
        return set()
    names = set(user.groups.values_list("name", flat=True)) & set(ROLES)
    return names | {"admin"} if user.is_superuser else names


def can(user: User | AnonymousUser, action: str) -> bool:
    """Return whether one of the person's roles allows the action."""
    return bool(roles_of(user) & CAN[action])


def people_who_can(action: str) -> QuerySet[User]:
    """Return the people who can log in and whose roles allow the action."""
    people = User.objects.filter(is_active=True, groups__name__in=CAN[action])
    return people.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX).distinct()


def check(user: User | AnonymousUser, action: str) -> None:
    """Refuse, in a sentence that names the roles that may.

    Raises:
        NotAllowed: when no role of the person allows the action.
    """
    if not can(user, action):
        raise NotAllowed(f"This takes the role {' or '.join(sorted(CAN[action]))}.")


def ensure_roles() -> None:
    """Write the groups that are missing."""
    for role in ROLES:
        Group.objects.get_or_create(name=role)


def give(user: User, *roles: str) -> None:
    """Give roles to a person."""
    user.groups.add(*Group.objects.filter(name__in=roles))
