"""Read typed values from the environment; a wrong value stops the program with one sentence."""

import os
from decimal import Decimal, InvalidOperation
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """Return the variable, or the content of the file that NAME_FILE points at.

    Raises:
        ImproperlyConfigured: when NAME_FILE names a file that cannot be read.
    """
    file_name = os.environ.get(f"{name}_FILE")
    if not file_name:
        return os.environ.get(name, default)
    try:
        return Path(file_name).read_text(encoding="utf-8").strip()
    except OSError as exc:
        raise ImproperlyConfigured(f"{name}_FILE={file_name} cannot be read: {exc}") from exc


def boolean(name: str, default: bool) -> bool:
    """Return true or false for the usual spellings of either."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ImproperlyConfigured(f"{name}={value!r} must be one of true, false, 1, 0, yes, no.")


def number(name: str, default: float, low: float, high: float) -> float:
    """Return a number in [low, high]."""
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        parsed = float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r} must be a number.") from None
    if not low <= parsed <= high:
        raise ImproperlyConfigured(f"{name}={value!r} must lie between {low:g} and {high:g}.")
    return parsed


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """Return one of the words that are allowed."""
    value = text(name) or default
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r} must be one of {', '.join(allowed)}.")
    return value


def usd(name: str) -> Decimal | None:
    """Return an amount of money, or None when none is set."""
    value = text(name)
    if not value:
        return None
    try:
        parsed = Decimal(value)
    except InvalidOperation:
        parsed = Decimal(-1)
    if not (parsed.is_finite() and 0 <= parsed <= 1_000_000):
        raise ImproperlyConfigured(f"{name}={value!r} must be USD from 0 to 1,000,000.")
    return round(parsed, 4)


def words(name: str, default: str) -> list[str]:
    """Return a comma-separated list without blanks."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def pairs(name: str) -> dict[str, str]:
    """Return `a=1,b=2` as a dictionary."""
    said = [word.partition("=") for word in words(name, "")]
    if not all(key and sign for key, sign, _ in said):
        raise ImproperlyConfigured(f"{name} must read like input=1,output=5,source=...,date=....")
    return {key.strip(): value.strip() for key, _, value in said}


def url(name: str, schemes: set[str]) -> str:
    """Return an address with one of the schemes, or "" when none is set."""
    value = text(name)
    if value and value.partition("://")[0] not in schemes:
        begin = " or ".join(f"{scheme}://" for scheme in sorted(schemes))
        raise ImproperlyConfigured(f"{name} must begin with {begin}.")
    return value


def roles(name: str) -> dict[str, list[str]]:
    """Return `group=role,other=role` as the roles of each group; a group may have several."""
    found: dict[str, list[str]] = {}
    for word in words(name, ""):
        group, sign, role = word.rpartition("=")
        if not (group.strip() and sign and role.strip()):
            raise ImproperlyConfigured(f"{name} must read like reviewers=rater,heads=lead.")
        found.setdefault(group.strip(), []).append(role.strip())
    return found
