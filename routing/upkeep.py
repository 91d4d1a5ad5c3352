"""Index files follow their versions: built where they are missing, deleted where they are old.

They are built once for all that came in a row. A full disk keeps the newest files from being
written; those written last then stay, to be served.
"""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError

from routing import indexes
from routing.errors import brief, place
from routing.models import CollectionVersion, Upload

log = logging.getLogger(__name__)

#: Folders of older versions stay so long for whoever is about to open them.
_OLD_S = 600.0
#: Chunks whose files are built in a second or two, so that nobody need wait for others.
_FEW = 5_000
#: Uploads in a row leave what they brought unserved for so long, or as long as one of them takes.
_STALE_S = 300.0


def can_wait(version: CollectionVersion) -> bool:
    """Return whether another upload will want these files anew, and building them takes long.

    The last in a row builds for all. Meanwhile `run` does, for as many as there are then; where all
    threads have uploads it gets no turn, so that nobody waits once what is served is old.
    """
    waiting = Upload.objects.filter(collection=version.collection_id, state=Upload.State.WAITING)
    return version.chunks > _FEW and waiting.exists() and not _is_old(version)


def _is_old(version: CollectionVersion) -> bool:
    served = next(indexes.built(version), None)
    return served is None or _age(indexes.folder(served), None) > _STALE_S


def build(version: CollectionVersion) -> bool:
    """Build a version's files where they are missing; return whether they are there.

    Raises:
        django.db.Error: when the database is away.
    """
    try:
        indexes.ensure(version)
    except DatabaseError:
        raise
    except Exception as exc:  # what one collection has must not keep the others back
        # The version stays, and its files are tried again.
        log.error("no index of version %s: %s at %s", version.pk, brief(exc), place(exc))
        return False
    return True


def run() -> int:
    """Build the files of newest versions that lack them, and drop old ones; return how many."""
    due = [one for one in indexes.newest_versions().values() if not indexes.is_built(one)]
    built = sum(map(build, due))
    tidy()
    return built


def tidy(now: float | None = None) -> int:
    """Delete the folders of versions that are old, or whose collection is; return how many.

    Whoever has one open keeps reading it.
    """
    # Folders first: one that comes after the versions were read would look like one of no version.
    paths = list(Path(settings.SHADOWEVAL_INDEX_DIR).glob("*/*"))
    kept = _kept()
    count = 0
    for path in paths:
        is_alive = path.parent in kept
        if is_alive and path == kept[path.parent]:
            continue
        if not is_alive or _age(path, now) > _OLD_S:
            shutil.rmtree(path, ignore_errors=True)
            count += 1
        if not is_alive:
            with suppress(OSError):
                path.parent.rmdir()
    return count


def _kept() -> dict[Path, Path]:
    """Return the folder of each living collection's version that can be served, by its parent."""
    newest = indexes.newest_versions().values()
    served = (next(indexes.built(version), version) for version in newest)
    return {path.parent: path for path in map(indexes.folder, served)}


def _age(path: Path, now: float | None) -> float:
    """Return seconds since a folder was written; 0 for one that another process took away."""
    try:
        return (now or time.time()) - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
