"""Who asks: the API key of a request, and whether it may be used for this."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from routing.access import digest, key_in
from routing.errors import AuthenticationFailed, PermissionDenied
from routing.models import ApiKey
from routing.types import Scope

_TOUCH_EVERY = timedelta(minutes=1)


class KeyRequest(HttpRequest):
    """A request whose key was accepted."""

    auth: ApiKey


class Needs:
    """Lets a request pass when its key has the scope.

    Args:
        scope: what the operation is.
    """

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def __call__(self, request: HttpRequest) -> ApiKey:
        """Return the key.

        Raises:
            AuthenticationFailed: when there is none, or it is unknown or revoked.
            PermissionDenied: when the key lacks the scope.
        """
        key = _find(key_in(request.headers))
        if self._scope.value not in key.scopes:
            raise PermissionDenied(f"This API key lacks the scope {self._scope.value}.")
        _touch(key)
        return key


def _find(raw: str) -> ApiKey:
    if not raw:
        raise AuthenticationFailed("Send your API key in the x-api-key header.")
    keys = ApiKey.objects.select_related("project")
    key = keys.filter(digest=digest(raw), revoked_at=None).first()
    if key is None:
        raise AuthenticationFailed("This API key is unknown or was revoked.")
    return key


def _touch(key: ApiKey) -> None:
    """Note the use, at most once a minute."""
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - _TOUCH_EVERY:
        stale = Q(last_used_at=None) | Q(last_used_at__lt=now - _TOUCH_EVERY)
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
