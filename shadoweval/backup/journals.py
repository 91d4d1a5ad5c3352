"""The journal's folder on its way into a backup and back."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from routing import journal
from shadoweval.backup.errors import WouldOverwrite


def copy(root: Path, to: Path) -> None:
    """Copy what waits there while processes write to it.

    A segment may go meanwhile, since its records came to Postgres, or end amid a record, which
    whoever reads the copy leaves out.
    """
    for path in [each for each in root.rglob("*") if each.is_file()] if root.is_dir() else []:
        target = to / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(path, target)


def has_records(root: Path) -> bool:
    """Tell whether anything waits there, or was refused."""
    return root.is_dir() and any(each.is_file() for each in root.rglob("*"))


def require_unused(root: Path) -> None:
    """Check that no process writes there.

    Raises:
        WouldOverwrite: one does.
    """
    free = list(journal.orphans(root))
    for orphan in free:
        orphan.release()
    held = [each for each in _folders(root) if each not in {orphan.folder for orphan in free}]
    if held:
        raise WouldOverwrite(f"A web process writes to {root}: stop the service first.")


def replace(root: Path, by: Path) -> None:
    """Put the folder of a backup where the journal is; a start of the service replays it."""
    shutil.rmtree(root, ignore_errors=True)
    if by.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(by, root)
        for each in (root, *root.rglob("*")):
            each.chmod(0o700 if each.is_dir() else 0o600)


def _folders(root: Path) -> list[Path]:
    each = root.iterdir() if root.is_dir() else []
    return [folder for folder in each if (folder / journal.LOCK).is_file()]
