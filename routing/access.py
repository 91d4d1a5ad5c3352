"""API keys: made once, shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Mapping
from decimal import Decimal

from django.utils import timezone

from routing.models import ApiKey, Project
from routing.types import Scope

_PREFIX = "sk-shadow-"


def digest(key: str) -> str:
    """Return the SHA-256 of a key; keys carry 256 random bits, so no salt is needed."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def key_in(headers: Mapping[str, str]) -> str:
    """Return the API key that a request carries, or ""; header names in lower case."""
    authorization = headers.get("authorization", "")
    bearer = authorization[7:].strip() if authorization[:7].lower() == "bearer " else ""
    return headers.get("x-api-key") or bearer


def create_key(
    project: Project,
    name: str,
    *,
    scopes: Collection[Scope] = tuple(Scope),
    requests_per_minute: int | None = None,
    daily_usd: Decimal | None = None,
) -> tuple[str, ApiKey]:
    """Write a key and return it with its row. This is the only time the key itself is seen."""
    key = _PREFIX + secrets.token_urlsafe(32)
    row = ApiKey.objects.create(
        project=project,
        name=name,
        prefix=key[: len(_PREFIX) + 4],
        digest=digest(key),
        scopes=[scope.value for scope in scopes],
        requests_per_minute=requests_per_minute,
        daily_usd=daily_usd,
    )
    return key, row


def revoke(row: ApiKey) -> None:
    """Revoke a key; processes that serve stop taking it within two seconds."""
    ApiKey.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now())
