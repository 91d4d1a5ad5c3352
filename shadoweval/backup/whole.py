"""Take a backup of everything, and put one in place of everything."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from shadoweval.backup import archive, dumps, journals
from shadoweval.backup.errors import BackupError, NotABackup, WouldOverwrite

#: A connection that was closed is gone a moment later.
_LEAVING_S = 2.0
#: A database where these are empty holds nothing but what `migrate` writes.
_TELLING = ("auth_user", "routing_project", "routing_request")


def take(file: Path, told: dumps.Told) -> archive.Manifest:
    """Write a backup while the service runs, or not.

    The journal is copied before the moment of the dump: what it held is in the copy, or came to
    Postgres before that moment, and a record that is in both is written once.

    Raises:
        BackupError: there is such a file already, or one of its kinds.
        OSError: the file cannot be written.
    """
    if file.exists():
        raise BackupError(f"{file} exists already: choose another name.")
    if not dumps.tables():
        raise BackupError("The database is empty: is SHADOWEVAL_VAR or DATABASE_URL another?")
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as name:
        folder = Path(name)
        journals.copy(settings.SHADOWEVAL_JOURNAL_DIR, folder / archive.JOURNAL)
        with dumps.moment() as snapshot:
            manifest = _described()
            dumps.write(folder / archive.DUMP, snapshot, told)
        archive.pack(folder, manifest, file)
    return manifest


def put(file: Path, told: dumps.Told, *, replace: bool) -> archive.Manifest:
    """Put a backup in place of the database and the journal.

    Args:
        file: What `take` wrote; checked to the byte before anything changes.
        told: Told each table that is begun.
        replace: Whether what is there may be lost.

    Raises:
        BackupError: one of its kinds; nothing has changed then.
    """
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}.") as name:
        folder = Path(name)
        manifest = archive.unpack(file, folder)
        _require_fitting(manifest)
        _require_idle()
        if not replace:
            _require_empty()
        dumps.restore(folder / archive.DUMP, manifest.rows, told)
        journals.replace(settings.SHADOWEVAL_JOURNAL_DIR, folder / archive.JOURNAL)
    return manifest


def unapplied() -> bool:
    """Tell whether this version has migrations that the database has not."""
    return bool(set(MigrationLoader(connection).disk_migrations) - set(_applied()))


def _described() -> archive.Manifest:
    return archive.Manifest(
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        version=version("shadoweval"),
        postgres=dumps.server_major(),
        migrations=sorted(".".join(each) for each in _applied()),
        rows=dumps.rows(dumps.tables()),
    )


def _applied() -> list[tuple[str, str]]:
    return list(MigrationRecorder(connection).applied_migrations())


def _require_fitting(manifest: archive.Manifest) -> None:
    known = {".".join(each) for each in MigrationLoader(None).disk_migrations}
    if unknown := sorted(set(manifest.migrations) - known):
        raise NotABackup(
            f"It was made by a later Shadoweval (it has {unknown[-1]}): install that version first."
        )
    if manifest.postgres > dumps.server_major():
        raise NotABackup(
            f"It was made from PostgreSQL {manifest.postgres}; "
            f"this server is {dumps.server_major()}: upgrade the server first."
        )


def _require_idle() -> None:
    """Refuse while a process of the service is there; our own pool is let go first."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # Postgres' own
    deadline = time.monotonic() + _LEAVING_S
    while (others := _others()) and time.monotonic() < deadline:
        time.sleep(0.05)
    if others:
        raise WouldOverwrite(
            f"The database is in use ({others} other connections): stop the service first."
        )
    journals.require_unused(settings.SHADOWEVAL_JOURNAL_DIR)


def _others() -> int:
    """Count the other connections, by one that is not of the pool, which opens several."""
    with psycopg.connect(**connection.get_connection_params()) as plain:
        found = plain.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND usename = current_user AND pid <> pg_backend_pid()"
        ).fetchone()
    return int(found[0]) if found else 0


def _require_empty() -> None:
    there = set(dumps.tables())
    filled = [name for name, count in dumps.rows(sorted(there & set(_TELLING))).items() if count]
    if there and "django_migrations" not in there:
        filled = sorted(there)
    if filled:
        raise WouldOverwrite(f"The database has data ({filled[0]}): --replace deletes it.")
    if journals.has_records(settings.SHADOWEVAL_JOURNAL_DIR):
        raise WouldOverwrite("The journal has records that wait: --replace deletes them.")
