"""Combinations of settings that cannot work, each with an id."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from reviews.permissions import CAN, ROLES

_LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}  # noqa: S104  # compared, not listened on


@register()
def single_sign_on(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with the settings of single sign-on."""
    found: list[CheckMessage] = [*_half_set(), *_in_clear()]
    claim, mapped = settings.SHADOWEVAL_OIDC_ROLES_CLAIM, settings.SHADOWEVAL_OIDC_ROLES
    if bool(claim) != bool(mapped):
        hint = "Set both SHADOWEVAL_OIDC_ROLES_CLAIM and SHADOWEVAL_OIDC_ROLES, or neither."
        found.append(_error("a claim without roles, or roles without a claim", hint, 3))
    unknown = {role for roles in mapped.values() for role in roles} - set(ROLES)
    if unknown:
        hint = f"Roles are {', '.join(ROLES)}."
        found.append(_error(f"SHADOWEVAL_OIDC_ROLES names {', '.join(sorted(unknown))}", hint, 4))
    if settings.SHADOWEVAL_OIDC_AUTO_CREATE and not mapped:
        hint = "Name roles by SHADOWEVAL_OIDC_ROLES, or invite people."
        found.append(_error("people would be written without a role", hint, 5))
    return found


@register()
def links(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Warn when mail is sent whose links lead nowhere."""
    if settings.SHADOWEVAL_MAIL and urlsplit(settings.PUBLIC_URL).hostname in _LOCAL:
        hint = "Set SHADOWEVAL_PUBLIC_URL to the address that people use."
        return [Warning("links in mails lead to the reader's own machine", hint, id=_id("W", 1))]
    return []


@register()
def webhook(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return what is wrong with the address of the webhook, and warn when nothing is signed."""
    url = urlsplit(settings.SHADOWEVAL_WEBHOOK_URL)
    if not url.hostname:
        return []
    if url.scheme != "https" and url.hostname not in _LOCAL:
        hint = "SHADOWEVAL_WEBHOOK_URL must begin with https://, or name this machine."
        return [_error("events of sign-offs would pass in clear", hint, 6)]
    if not settings.SHADOWEVAL_WEBHOOK_SECRET:
        hint = "Set SHADOWEVAL_WEBHOOK_SECRET, so that receivers can tell who posts."
        return [Warning("the webhook is not signed", hint, id=_id("W", 2))]
    return []


@register()
def signatures(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return why no sign-off could be approved by the roles that must sign."""
    roles, able = settings.SHADOWEVAL_SIGNOFF_ROLES, CAN["decide_signoff"]
    if roles and len(set(roles)) == len(roles) and set(roles) <= able:
        return []
    hint = f"SHADOWEVAL_SIGNOFF_ROLES names {' or '.join(sorted(able))}, or both, each once."
    return [_error("no sign-off could be approved", hint, 7)]


def _half_set() -> list[CheckMessage]:
    names = [f"SHADOWEVAL_OIDC_{name}" for name in ("URL", "CLIENT_ID", "CLIENT_SECRET")]
    missing = [name for name in names if not getattr(settings, name)]
    wanted = len(missing) < len(names) or settings.SHADOWEVAL_OIDC_ROLES_CLAIM
    if not (missing and wanted):
        return []
    return [_error("single sign-on is half set up", f"Also set {', '.join(missing)}.", 1)]


def _in_clear() -> list[CheckMessage]:
    parts = urlsplit(settings.SHADOWEVAL_OIDC_URL)
    if parts.scheme != "http" or parts.hostname in _LOCAL:
        return []
    hint = "Secrets and claims would pass in clear: SHADOWEVAL_OIDC_URL must begin with https://."
    return [_error("the provider of single sign-on is asked without TLS", hint, 2)]


def _error(text: str, hint: str, number: int) -> Error:
    return Error(text, hint, id=_id("E", number))


def _id(level: str, number: int) -> str:
    return f"shadoweval.{level}{number:03}"
