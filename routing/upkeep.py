"""Index files follow their versions: built where they are missing, deleted where they are old.

A full disk keeps the newest files from being written; those written last then stay, to be served.
"""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from routing import indexes
from routing.errors import brief

log = logging.getLogger(__name__)

#: Folders of older versions stay so long for whoever is about to open them.
_OLD_S = 600.0


def run() -> int:
    """Build the files of newest versions that lack them, and drop old ones; return how many."""
    built = 0
    for version in indexes.newest_versions().values():
        if not indexes.is_built(version):
            try:
                indexes.ensure(version)
            except (OSError, ValueError) as exc:
                log.error("no index of version %s: %s", version.pk, brief(exc))
            else:
                built += 1
    tidy()
    return built


def tidy(now: float | None = None) -> int:
    """Delete the folders of versions that are old, or whose collection is; return how many.

    Whoever has one open keeps reading it.
    """
    kept = _kept()
    count = 0
    for place in Path(settings.SHADOWEVAL_INDEX_DIR).glob("*/*"):
        is_alive = place.parent in kept
        if is_alive and place == kept[place.parent]:
            continue
        if not is_alive or _age(place, now) > _OLD_S:
            shutil.rmtree(place, ignore_errors=True)
            count += 1
        if not is_alive:
            with suppress(OSError):
                place.parent.rmdir()
    return count


def _kept() -> dict[Path, Path]:
    """Return the folder of each living collection's version that can be served, by its parent."""
    newest = indexes.newest_versions().values()
    served = (indexes.last_built(version) or version for version in newest)
    places = map(indexes.folder, served)
    return {place.parent: place for place in places}


def _age(place: Path, now: float | None) -> float:
    """Return seconds since a folder was written; 0 for one that another process took away."""
    try:
        return (now or time.time()) - place.stat().st_mtime
    except FileNotFoundError:
        return 0.0
