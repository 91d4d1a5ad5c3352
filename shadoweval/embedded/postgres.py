"""Run a private Postgres on a unix socket."""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql

from shadoweval.embedded import binaries, processes
from shadoweval.embedded.errors import EmbeddedError
from shadoweval.embedded.places import DATABASE, POSTGRES_SOCKET, ROLE, Place
from shadoweval.embedded.server import Server, environment

SUPERUSER = "postgres"

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    # Costs more than it gains on short queries.
    "jit": "off",
    # Statements and rows hold prompts and answers, which belong into no log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}
EPHEMERAL_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # It would note that tables are empty between two tests, and plan the second one by that.
    "autovacuum": "off",
}


class Postgres(Server):
    """Run Postgres in the root folder, with a data folder made at the first start.

    Access is by folder permissions alone: whoever may enter the socket's folder is trusted.
    """

    name: ClassVar[str] = "Postgres"
    # Ends sessions and writes a checkpoint; SIGTERM would wait for clients.
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT
    stop_patience_s: ClassVar[float] = 30.0

    def ensure_database(self, name: str = DATABASE, role: str = ROLE) -> None:
        """Create a role and a database it owns, unless they are there; safe to run twice.

        The role may create databases, for tests, and is no superuser.
        """
        with psycopg.connect(
            host=str(self.place.sockets), user=SUPERUSER, dbname="postgres", autocommit=True
        ) as connection:
            if not _exists(connection, sql.SQL("pg_roles WHERE rolname"), role):
                create = sql.SQL("CREATE ROLE {} LOGIN CREATEDB")
                connection.execute(create.format(sql.Identifier(role)))
            if not _exists(connection, sql.SQL("pg_database WHERE datname"), name):
                create = sql.SQL("CREATE DATABASE {} OWNER {}")
                connection.execute(create.format(sql.Identifier(name), sql.Identifier(role)))
        self.allow_vectors(name)

    def allow_vectors(self, name: str = DATABASE) -> None:
        """Give a database the extension `vector` if the server brings it: only superusers may."""
        with psycopg.connect(
            host=str(self.place.sockets), user=SUPERUSER, dbname=name, autocommit=True
        ) as connection:
            if _exists(connection, sql.SQL("pg_available_extensions WHERE name"), "vector"):
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")

    def _argv(self, place: Place) -> list[str]:
        data = _data(place)
        found = binaries.postgres(_major_of(data))
        folder = binaries.runnable_folder(found.candidate, place.account)
        if not data.exists():
            self._create_data(folder, found.major, place)
        _clear_stale_locks(place)
        settings = SETTINGS | (EPHEMERAL_SETTINGS if self.ephemeral else {})
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(folder / "postgres"), "-D", str(data), "-k", str(place.sockets), *options]

    def _answers(self, place: Place) -> bool:
        """Read the state Postgres keeps in its lock file, which must be that of our child."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            lines = (_data(place) / "postmaster.pid").read_text().splitlines()
            return self._owns(int(lines[0])) and lines[7].strip() == "ready"
        return False

    def _owns(self, pid: int) -> bool:
        return self._process is not None and self._process.pid == pid

    def _create_data(self, programs: Path, major: int, place: Place) -> None:
        """Make the data folder under another name first, so that half of one is never used."""
        data = _data(place)
        for left_over in data.parent.glob(f"{data.name}.new-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        new = data.with_name(f"{data.name}.new-{os.getpid()}")
        for locale in _locales(major):
            failure = self._initdb(programs, new, locale, place)
            if failure is None:
                new.rename(data)
                _flush(data.parent)
                return
        raise EmbeddedError(f"The database could not be created in {data.parent}: {failure}")

    def _initdb(self, programs: Path, new: Path, locale: list[str], place: Place) -> str | None:
        """Run initdb; return its last word if it failed, having cleaned up after itself."""
        access = ["-U", SUPERUSER, "--auth-local=trust", "--auth-host=reject"]
        run = subprocess.run(  # noqa: S603 - a program we found ourselves
            [
                programs / "initdb", "-D", new, "-E", "UTF8", "--no-instructions",
                "--data-checksums", *access, *locale, *(["--no-sync"] if self.ephemeral else []),
            ],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment(),
            cwd=place.servers,
            pass_fds=self._shared_fds(),
            **processes.bound_to_us(signal.SIGTERM, place.account),
        )  # fmt: skip
        if run.returncode == 0:
            return None
        words = [line for line in (run.stderr or run.stdout).splitlines() if "error" in line]
        return words[0] if words else f"initdb ended with {run.returncode}"


def _data(place: Place) -> Path:
    return place.servers / "postgres"


def _major_of(data: Path) -> int | None:
    """Return the version that made the data folder, None if there is no data yet."""
    with contextlib.suppress(FileNotFoundError):
        return int((data / "PG_VERSION").read_text())
    return None


def _locales(major: int) -> list[list[str]]:
    """Return the locales to try in turn; text must sort alike on every machine.

    Postgres 17 brings C.UTF-8 itself; before that it is the system's, and macOS has none.
    """
    if major >= 17:
        return [["--locale-provider=builtin", "--locale=C.UTF-8"]]
    return [["--locale=C.UTF-8"], ["--locale=C"]]


def _clear_stale_locks(place: Place) -> None:
    """Remove Postgres's own lock files; our lock says that no server of ours is left.

    Postgres would refuse to start if a crash left one and its process number now belongs to some
    other process of the account, as is usual after a reboot or in a container.
    """
    for stale in (_data(place) / "postmaster.pid", place.sockets / f"{POSTGRES_SOCKET}.lock"):
        stale.unlink(missing_ok=True)


def _flush(folder: Path) -> None:
    """Make a rename in the folder survive a power failure."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _exists(connection: psycopg.Connection, where: sql.SQL, name: str) -> bool:
    query = sql.SQL("SELECT 1 FROM {} = %s").format(where)
    return connection.execute(query, (name,)).fetchone() is not None
