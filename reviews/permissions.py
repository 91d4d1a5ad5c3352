"""Who may do what: roles are groups, every rule is one line of the table.

`check_x` raises or returns nothing.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import AnonymousUser, Group, User
from django.db.models import Q, QuerySet, prefetch_related_objects

from reviews.errors import NotAllowed

ROLES = ("rater", "lead", "engineering", "product", "admin")

#: What each role may do; `docs/glossary.md` explains the words.
CAN = {
    "rate": {"rater", "lead"},
    "see_results": {"lead", "engineering", "product", "admin"},
    "export": {"lead", "engineering", "product", "admin"},
    "run_studies": {"lead", "admin"},
    "adjudicate": {"lead"},
    "see_raters": {"lead"},
    "manage_collections": {"lead", "engineering", "admin"},
    "train_routers": {"lead", "engineering", "admin"},
    "request_signoff": {"engineering", "product"},
    "decide_signoff": {"engineering", "product"},
    "comment_signoff": {"lead", "engineering", "product", "admin"},
    "deploy": {"engineering", "admin"},
    "roll_back": {"engineering", "admin"},
    "answer_alarms": {"lead", "engineering", "admin"},
    "cap_shadow": {"lead", "admin"},
    "manage_cost": {"lead", "admin"},
    "invite": {"lead", "admin"},
    "administer": {"admin"},
}
#: The roles that a role may hand on by an invitation.
GIVES = {"lead": ("rater",), "admin": ROLES}


def roles_of(user: User | AnonymousUser) -> set[str]:
    """Return the person's roles; a superuser administers and has no other role by that."""
    if not user.is_authenticated:
        return set()
    # A page asks some twenty times; Django forgets what is kept when roles are given or taken.
    prefetch_related_objects([user], "groups")
    names = {group.name for group in user.groups.all()} & set(ROLES)
    return names | {"admin"} if user.is_superuser else names


def can(user: User | AnonymousUser, action: str) -> bool:
    """Return whether one of the person's roles allows the action."""
    return bool(roles_of(user) & CAN[action])


def people_who_can(action: str) -> QuerySet[User]:
    """Return the people who can log in and whose roles allow the action."""
    people = User.objects.filter(is_active=True, groups__name__in=CAN[action])
    return people.filter(_has_a_way_in()).distinct()


def _has_a_way_in() -> Q:
    has_password = ~Q(password__startswith=UNUSABLE_PASSWORD_PREFIX)
    if not settings.SHADOWEVAL_OIDC_URL:
        return has_password
    return has_password | Q(socialaccount__isnull=False)


def admins() -> QuerySet[User]:
    """Return the people who can log in and administer, superusers included."""
    is_admin = Q(groups__name="admin") | Q(is_superuser=True)
    return User.objects.filter(_has_a_way_in(), is_admin, is_active=True).distinct()


def gives(user: User | AnonymousUser) -> tuple[str, ...]:
    """Return the roles that the person may hand on, in the order of ROLES."""
    given = {role for own in roles_of(user) for role in GIVES.get(own, ())}
    return tuple(role for role in ROLES if role in given)


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
