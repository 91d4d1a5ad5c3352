"""Index files of what is newest in each collection: once for all that came in a row."""

from __future__ import annotations

import logging

from routing import indexes
from routing.errors import place
from routing.models import CollectionVersion, Upload

log = logging.getLogger(__name__)

#: Chunks whose files are built in a second or two, so that nobody need wait for others.
_FEW = 5_000


def can_wait(version: CollectionVersion) -> bool:
    """Return whether another upload will want these files anew, and building them takes long.

    The last in a row builds for all. Meanwhile `build_due` does, for as many as there are then.
    """
    waiting = Upload.objects.filter(collection=version.collection_id, state=Upload.State.WAITING)
    return version.chunks > _FEW and waiting.exists()


def build(version: CollectionVersion) -> bool:
    """Build a version's files where they are missing; return whether they are there."""
    try:
        indexes.ensure(version)
    except (OSError, ValueError) as exc:
        # The version stays, and its files are tried again.
        log.error("no index of version %s: %s at %s", version.pk, type(exc).__name__, place(exc))
        return False
    return True


def build_due() -> int:
    """Build the files of newest versions that lack them, and drop old ones; return how many."""
    due = [one for one in indexes.newest_versions().values() if not indexes.is_built(one)]
    built = sum(map(build, due))
    indexes.tidy()
    return built
