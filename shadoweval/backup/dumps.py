"""What Postgres' own programs do: write a dump of one moment, and put it in place of what is there.

A restore is one transaction, the removal of what was there and the count of what came included:
whatever goes wrong leaves the database as it was.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.db import connection
from psycopg import sql

from shadoweval.backup import programs
from shadoweval.backup.errors import DumpFailed

#: Told each table that is begun.
Told = Callable[[str], object]

_TABLES = (
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT EXISTS "
    "(SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') ORDER BY 1"
)
#: What belongs to an extension stays: only a superuser could make it again.
_FUNCTIONS = (
    "SELECT format('public.%I(%s)', proname, pg_get_function_identity_arguments(p.oid)) "
    "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
    "WHERE n.nspname = 'public' AND NOT EXISTS "
    "(SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e') ORDER BY 1"
)

#: Neither SQL nor a row of any table.
_BROKEN = b"\n\\.\nthis script is not whole;\n"


@contextmanager
def moment() -> Iterator[str]:
    """Hold one moment of the database; give its name, which pg_dump takes."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            cursor.execute("SELECT pg_export_snapshot()")
            yield cursor.fetchone()[0]
        finally:
            cursor.execute("ROLLBACK")


def tables() -> list[str]:
    """Return the names of all tables that are ours."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        return [name for (name,) in cursor.fetchall()]


def rows(names: list[str]) -> dict[str, int]:
    """Count every table; within `moment`, as of that moment."""
    with connection.cursor() as cursor:
        counted = {}
        for name in names:
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(_public(name)))
            counted[name] = cursor.fetchone()[0]
    return counted


def server_major() -> int:
    """Return the server's major version."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        return int(cursor.fetchone()[0]) // 10_000


def write(to: Path, snapshot: str, told: Told) -> None:
    """Write the dump of a moment.

    Raises:
        DumpFailed: pg_dump said so.
        ProgramMissing: there is no pg_dump that suits the server.
    """
    program = programs.find("pg_dump", server_major())
    options = ["--format=custom", "--no-owner", "--no-privileges", "--schema=public", "--verbose"]
    command = [str(program), *options, f"--snapshot={snapshot}", f"--file={to}"]
    with _reading(command) as dump:
        error = _follow(dump.stderr, "dumping contents of table", told)
    if dump.returncode:
        raise DumpFailed(f"pg_dump: {error or f'exit code {dump.returncode}'}")


def restore(dump: Path, counts: dict[str, int], told: Told) -> None:
    """Put a dump in place of everything in the schema `public`, and count what came.

    Raises:
        DumpFailed: a program said so, or a count differs; nothing has changed then.
        ProgramMissing: there is none that suits the server.
    """
    major = server_major()
    reads = [str(programs.find("pg_restore", major)), "--file=-", "--no-owner", "--no-privileges",
             "--no-comments", "--schema=public", "--verbose", str(dump)]  # fmt: skip
    runs = [str(programs.find("psql", major)), "--no-psqlrc", "--quiet", "--single-transaction",
            "--set=ON_ERROR_STOP=1", "--set=VERBOSITY=terse", "--file=-"]  # fmt: skip
    before, after = _removal(), _recount(counts)
    connection.close()  # ours may hold locks that the restore waits for
    with tempfile.TemporaryFile() as words, _writing(runs, words) as writer:
        with _reading(reads) as reader:
            feeding = threading.Thread(target=_feed, args=(writer, before, reader, after))
            feeding.start()
            error = _follow(reader.stderr, "processing data for table", told)
            feeding.join()
        code = writer.wait()
        words.seek(0)
        refused = _first_error(words.read().decode(errors="replace"))
    if reader.returncode or code:
        raise DumpFailed(f"Nothing was restored: {error or refused or f'psql ended with {code}'}")


def _removal() -> str:
    """Return SQL that drops our tables and functions."""
    with connection.cursor() as cursor:
        cursor.execute(_FUNCTIONS)
        functions = [f"DROP FUNCTION IF EXISTS {name} CASCADE;" for (name,) in cursor.fetchall()]
    drops = [sql.SQL("DROP TABLE {} CASCADE;").format(_public(name)) for name in tables()]
    return "\n".join([*(each.as_string(None) for each in drops), *functions, ""])


def _recount(counts: dict[str, int]) -> str:
    """Return SQL that fails unless every table has its rows."""
    checks = [
        sql.SQL("IF (SELECT count(*) FROM {}) <> {} THEN RAISE EXCEPTION {}; END IF;").format(
            _public(name), sql.Literal(count), sql.Literal(f"{name} has not {count} rows")
        )
        for name, count in counts.items()
    ]
    body = sql.SQL("BEGIN {} END").format(sql.SQL(" ").join(checks)).as_string(None)
    return sql.SQL("\nDO {};\n").format(sql.Literal(body)).as_string(None)


def _feed(
    writer: subprocess.Popen[bytes], before: str, reader: subprocess.Popen[bytes], after: str
) -> None:
    """Give psql the removal, the script and the count; an error where the script is not whole."""
    if writer.stdin is None or reader.stdout is None:
        raise AssertionError("both were started with pipes")
    try:
        with writer.stdin as into:
            into.write(before.encode())
            shutil.copyfileobj(reader.stdout, into)
            into.write(after.encode() if reader.wait() == 0 else _BROKEN)
    except BrokenPipeError:  # psql has said why
        reader.kill()


def _reading(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - a program of Postgres that we found ourselves
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=programs.environment(),
    )


def _writing(command: list[str], words: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - a program of Postgres that we found ourselves
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=words,
        env=programs.environment(),
    )


def _follow(lines: IO[bytes] | None, mark: str, told: Told) -> str:
    """Tell each table that a program begins; return its first error."""
    error = ""
    for line in (each.decode(errors="replace").strip() for each in lines or ()):
        if mark in line:
            told(line.rpartition(" ")[2].strip('"'))
        error = error or _first_error(line)
    return error


def _first_error(said: str) -> str:
    """Return the first error without what follows: details quote rows."""
    lines = (line.strip() for line in said.splitlines())
    return next((line for line in lines if "error:" in line.lower()), "")


def _public(name: str) -> sql.Identifier:
    return sql.Identifier("public", name)
