"""A Postgres whose test database has every migration: made once, copied by each run.

Applying the migrations takes half a minute of computing; copying the folder takes a second.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from shadoweval import embedded
from shadoweval.embedded.places import DATABASE

CHECKOUT = Path(__file__).parents[1]
_KEPT = CHECKOUT / ".testdb"


def copy_to(place: Path) -> None:
    """Fill the folder that a server shall start on; the first run of all makes the original."""
    _KEPT.mkdir(exist_ok=True)
    original = _KEPT / _version()
    with (_KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not original.exists():
            _make(original)
    _copy(original, place)


def rename(url: str) -> None:
    """Give the copy's test database the name that Django expects in this process of the run."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        ours = sql.Identifier(f"test_{DATABASE}"), sql.Identifier(f"test_{DATABASE}_{worker}")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*ours))


def _version() -> str:
    """Name the original by what it was made from.

    A migration that is only added needs no other original: Django applies it to the copy.
    """
    said = hashlib.sha256()
    for path in [CHECKOUT / "constraints.txt", *sorted(CHECKOUT.glob("*/migrations/0*.py"))]:
        said.update(path.name.encode() + path.read_bytes())
    return said.hexdigest()[:16]


def _make(original: Path) -> None:
    """Migrate a database elsewhere, then put its folder in place of older originals."""
    for older in [each for each in _KEPT.iterdir() if each.is_dir()]:
        shutil.rmtree(older)
    with tempfile.TemporaryDirectory(prefix="shadoweval-testdb-") as folder:
        Path(folder).chmod(0o755)  # as root, the database's own account must get through
        place = Path(folder) / "postgres"
        _migrate(place)
        shutil.rmtree(place / "logs", ignore_errors=True)
        _copy(place, original.with_suffix(".new"))
    original.with_suffix(".new").rename(original)


def _migrate(place: Path) -> None:
    server = embedded.Postgres(place, ephemeral=True)
    server.start()
    try:
        server.ensure_database()
        server.ensure_database(f"test_{DATABASE}")
        url = urlsplit(embedded.postgres_url(place))._replace(path=f"/test_{DATABASE}").geturl()
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity=0"],
            cwd=CHECKOUT, env=os.environ | {"DATABASE_URL": url}, check=True,
        )  # fmt: skip
    finally:
        server.stop()


def _copy(folder: Path, to: Path) -> None:
    """Copy with owners: as root, the files are those of the database's account."""
    subprocess.run(["cp", "-a", folder, to], check=True)
