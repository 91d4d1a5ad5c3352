"""Single sign-on: who the provider's claims stand for here, and whether they come in.

Nobody signs up: a person comes in who is linked already, whose verified address somebody here has,
who holds an invitation, or who is in a mapped group while SHADOWEVAL_OIDC_AUTO_CREATE is on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from reviews import people, permissions
from reviews.errors import BadInput, Conflict, NotAllowed

#: Stands in the callback's address, and for the provider in allauth's rows.
PROVIDER = "sso"
_NAME_MOST = 150


@dataclass(frozen=True)
class Identity:
    """Who has come, as the provider says.

    `email` is empty unless the provider verified it; `groups` are the values of the roles' claim.
    """

    subject: str
    email: str
    name: str
    groups: frozenset[str]


def is_on() -> bool:
    """Return whether single sign-on is set up."""
    return bool(
        settings.SHADOWEVAL_OIDC_URL
        and settings.SHADOWEVAL_OIDC_CLIENT_ID
        and settings.SHADOWEVAL_OIDC_CLIENT_SECRET
    )


def read(id_token: Mapping[str, Any], userinfo: Mapping[str, Any]) -> Identity:
    """Put together what a checked id_token and the userinfo endpoint say.

    Raises:
        NotAllowed: when they speak of two people (OpenID Connect Core 1.0, 5.3.2), or of nobody.
    """
    subject = id_token.get("sub")
    if not isinstance(subject, str) or not subject or userinfo.get("sub") != subject:
        raise NotAllowed("The sign-on provider's answers do not fit together.")
    claims = {**id_token, **userinfo}
    email, verified = claims.get("email"), claims.get("email_verified")
    is_verified = isinstance(email, str) and (verified is True or verified == "true")
    said = claims.get(settings.SHADOWEVAL_OIDC_ROLES_CLAIM) or []
    groups = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    return Identity(
        subject=subject,
        email=str(email).strip() if is_verified else "",
        name=str(claims.get("preferred_username") or email or subject),
        groups=frozenset(group for group in groups if isinstance(group, str)),
    )


def let_in(identity: Identity, token: str = "") -> User:
    """Return the person, written or linked at first use, with the roles that hold from now on.

    Args:
        identity: from `read`.
        token: of the invitation that the person came by, or "".

    Raises:
        NotAllowed: when they are not known, not invited, deactivated, or without a role.
        Conflict: when the invitation is no longer open, or the same person comes twice at once.
    """
    user = _known(identity)
    if user is not None and not user.is_active:
        raise NotAllowed("Your account is deactivated.")
    mapped = _mapped(identity)
    is_welcome = bool(mapped) or not settings.SHADOWEVAL_OIDC_ROLES_CLAIM
    if is_welcome:
        user = _link(identity, user, token, mapped)
    elif user is None:
        raise NotAllowed("None of your groups has a role here.")
    if settings.SHADOWEVAL_OIDC_ROLES_CLAIM:
        people.follow(user, mapped)
    if not permissions.roles_of(user):
        raise NotAllowed("Your account has no role here.")
    return user


def _mapped(identity: Identity) -> set[str]:
    """Return the roles of the person's groups."""
    mapping = settings.SHADOWEVAL_OIDC_ROLES
    return {role for group in identity.groups for role in mapping.get(group, ())}


def _known(identity: Identity) -> User | None:
    """Return the person who is linked, or the only one with the verified address, active or not.

    Raises:
        NotAllowed: when several people have the address.
    """
    linked = SocialAccount.objects.filter(provider=PROVIDER, uid=identity.subject)
    account = linked.select_related("user").first()
    if account is not None:
        return account.user
    if not identity.email:
        return None
    found = list(User.objects.filter(email__iexact=identity.email)[:2])
    if len(found) > 1:
        raise NotAllowed("Several people here have your e-mail address; ask an admin.")
    return found[0] if found else None


def _link(identity: Identity, user: User | None, token: str, mapped: set[str]) -> User:
    """Write what is missing in one transaction: the person, the invitation's end, the link."""
    try:
        with transaction.atomic():
            if user is None:
                user = _new(identity, bool(token), mapped)
            if token:
                people.accept(token, user)
            elif user.pk is None:
                user.save()
            _remember(identity, user)
    except (IntegrityError, BadInput):
        raise Conflict("Somebody of your name came in at the same time; try again.") from None
    return user


def _remember(identity: Identity, user: User) -> None:
    """Link the person at the first time, and end their password.

    Whoever took an account with somebody else's address beforehand must not keep a way in.
    """
    _, is_new = SocialAccount.objects.get_or_create(
        provider=PROVIDER, uid=identity.subject, defaults={"user": user}
    )
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])


def _new(identity: Identity, is_invited: bool, mapped: set[str]) -> User:
    """Return a person who is not saved yet.

    Raises:
        NotAllowed: when nothing lets them in.
    """
    if not is_invited and not (settings.SHADOWEVAL_OIDC_AUTO_CREATE and mapped):
        raise NotAllowed("You are not known here. Ask for an invitation.")
    return User(username=_free_name(identity.name), email=identity.email)


def _free_name(wanted: str) -> str:
    """Return a user name like the wanted one that nobody has."""
    base = re.sub(r"[^\w.@+-]+", "-", wanted).strip("-")[: _NAME_MOST - 5] or "person"
    taken = set(User.objects.filter(username__istartswith=base).values_list("username", flat=True))
    lower = {name.lower() for name in taken}
    names = (base if n == 1 else f"{base}-{n}" for n in range(1, len(lower) + 2))
    return next(name for name in names if name.lower() not in lower)
