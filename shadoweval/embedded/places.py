"""Find where the private servers live, and the URLs that lead to them.

Everything here is read off the file system, so that any process comes to the same answer without
starting anything.

    <home>/servers/    0700: postgres/ (data), appendonlydir/ (Valkey's data), and both sockets
    <home>/locks/      who owns which server
    <home>/logs/       postgres.log, valkey.log

The home is the root folder itself. Only for root there is a second one: Postgres refuses to run as
root, so it runs as an ordinary account, and that account cannot enter a checkout below /root. Then
the home is /var/lib/shadoweval-<hash of the root folder's path>; deleting the checkout does not
delete it.
"""

import hashlib
import os
import pwd
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from shadoweval.embedded.errors import EmbeddedError

DATABASE = "shadoweval"
ROLE = "shadoweval"
POSTGRES_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"

# The kernel's socket address holds 104 bytes on macOS and 108 on Linux.
LONGEST_SOCKET_PATH_BYTES = 100
HOMES_APART = Path("/var/lib")
# Fixed, not tempfile.gettempdir(): TMPDIR may differ between a server's owner and its clients.
SOCKETS_APART = Path("/tmp")  # noqa: S108


class Account(NamedTuple):
    """An ordinary account that runs the servers when their owner is root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """Where the servers of one root folder live, and as whom they run.

    Attributes:
        home: The folder of everything below.
        account: Whom the servers run as; None for the caller's own account.
    """

    home: Path
    account: Account | None

    @property
    def servers(self) -> Path:
        """Return the private folder of the data."""
        return self.home / "servers"

    @property
    def owner_uid(self) -> int:
        """Return whom the private folders belong to."""
        return os.geteuid() if self.account is None else self.account.uid

    @property
    def sockets(self) -> Path:
        """Return the private folder of the sockets: that of the data, if its path suits a socket.

        One that is too long, or has characters that a URL or a list of folders would have to
        escape, does not. Then it is a short folder of our own, checked when it exists, since anyone
        may make a folder of that name first.

        Raises:
            EmbeddedError: The short folder belongs to somebody else.
        """
        usual = str(self.servers)
        longest = f"{usual}/{POSTGRES_SOCKET}"
        if len(longest) <= LONGEST_SOCKET_PATH_BYTES and re.fullmatch(r"[A-Za-z0-9/._+-]+", usual):
            return self.servers
        apart = SOCKETS_APART / f"shadoweval-{self.owner_uid}-{_digest(self.home)}"
        if os.path.lexists(apart):
            require_private(apart, self.owner_uid)
        return apart


def find(root: Path) -> Place:
    """Find the home of a root folder, the same one before and after the first start.

    Where the servers have lived once they stay, as the account that owns their data, even if the
    folders above are opened or an account is added later.

    Args:
        root: The folder given by SHADOWEVAL_VAR; need not exist.

    Raises:
        EmbeddedError: The caller is root and there is no account to run the servers as.
    """
    root = Path(root).resolve()
    if os.geteuid() != 0:
        return Place(root, None)
    apart = HOMES_APART / f"shadoweval-{_digest(root)}"
    for home in (root, apart):
        if (owner := _owner(home / "servers")) is not None:
            return Place(home, owner)
    account = _unprivileged()
    return Place(root if reachable(root.parent, account) else apart, account)


def postgres_url(root: Path, database: str = DATABASE, role: str = ROLE) -> str:
    """Return the URL of a database, in the form that libpq and dj-database-url both read.

    Example:
        >>> postgres_url(Path("/srv/shadoweval/var"))  # doctest: +SKIP
        'postgresql://shadoweval@%2Fsrv%2Fshadoweval%2Fvar%2Fservers/shadoweval'
    """
    folder = quote(str(find(root).sockets), safe="")
    return f"postgresql://{quote(role, safe='')}@{folder}/{quote(database, safe='')}"


def redis_url(root: Path, db: int = 0) -> str:
    """Return the URL of the Valkey server for redis-py and Django's cache."""
    return f"unix://{find(root).sockets / VALKEY_SOCKET}?db={db}"


def broker_url(root: Path, db: int = 0) -> str:
    """Return the URL of the Valkey server for Celery, which has its own word for a socket."""
    return f"redis+socket://{find(root).sockets / VALKEY_SOCKET}?virtual_host={db}"


def reachable(path: Path, account: Account) -> bool:
    """Tell whether the account may enter every folder down to the path, missing ones aside."""
    return all(_may_enter(each.stat(), account) for each in (path, *path.parents) if each.is_dir())


def require_private(folder: Path, uid: int) -> None:
    """Refuse a folder that is a link, open to others, or not ours.

    Raises:
        EmbeddedError: With what is wrong and what to do.
    """
    status = folder.lstat()
    ours = status.st_uid in (uid, os.geteuid())
    if not stat.S_ISDIR(status.st_mode) or not ours or status.st_mode & 0o077:
        raise EmbeddedError(
            f"{folder} is not a private folder of ours (owner {status.st_uid}, mode "
            f"{stat.filemode(status.st_mode)}, wanted: owner {uid}, mode 0700): "
            "correct that, or set SHADOWEVAL_VAR to another folder."
        )


def make_private(folder: Path, account: Account | None) -> None:
    """Make a folder that only the account may enter, or check that an existing one is such.

    Raises:
        EmbeddedError: There is something else by that name, or it belongs to somebody else.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    require_private(folder, os.geteuid() if account is None else account.uid)
    if account is not None:
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)


def _may_enter(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _owner(folder: Path) -> Account | None:
    """Return the ordinary account a folder belongs to; None if it is root's or is not there."""
    if not folder.is_dir():
        return None
    status = folder.stat()
    if status.st_uid == 0:
        return None
    return Account(f"account {status.st_uid}", status.st_uid, status.st_gid)


def _unprivileged() -> Account:
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "Postgres does not run as root, and there is no account 'postgres' or 'nobody' for it: "
        "start as an ordinary account, or set DATABASE_URL and REDIS_URL."
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
