"""Routers by version, loaded once in this process: for work in the background."""

from __future__ import annotations

from functools import lru_cache

from routing import routers
from routing.models import RouterVersion
from routing.routers.asking import Asking, is_asking
from routing.routers.base import Router


@lru_cache(256)
def asks(version_id: int) -> bool:
    """Return whether a version's kind asks the cheap model before it decides; loads nothing.

    Raises:
        KeyError: when there is no such kind here; that is not remembered.
    """
    kind = RouterVersion.objects.values_list("kind", flat=True).get(pk=version_id)
    return routers.kinds()[kind].asks


@lru_cache(16)
def router(version_id: int) -> Router:
    """Return a version's router.

    Raises:
        Exception: whatever its kind raises; that is not remembered.
    """
    row = RouterVersion.objects.get(pk=version_id)
    return routers.load(row.kind, bytes(row.artifact), row.embedder)


def asking(version_id: int) -> Asking | None:
    """Return a version's router if it asks the cheap model before it decides, else None.

    Raises:
        Exception: as `asks` and `router`, and TypeError when it cannot judge what it asked for.
    """
    if not asks(version_id):
        return None
    found = router(version_id)
    if not is_asking(found):
        raise TypeError("a router of a kind that asks cannot judge")
    return found
