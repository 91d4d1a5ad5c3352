"""The file: a tar of a manifest, the dump and the journal, each with its checksum.

manifest.json      what it is, by which version, how many rows each table has, the checksums
database.dump      pg_dump's custom format
journal/…          the journal's folders as they were
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from shadoweval.backup.errors import NotABackup

FORMAT = 1
MANIFEST, DUMP, JOURNAL = "manifest.json", "database.dump", "journal"


@dataclass(frozen=True)
class Manifest:
    """What a backup says of itself.

    Attributes:
        made_at: UTC, ISO 8601.
        postgres: major version of the server it was made from.
        migrations: every applied migration, "app.name".
        rows: rows of every table at the moment of the dump.
        sha256: of every other member, by its name.
    """

    made_at: str
    version: str
    postgres: int
    migrations: list[str]
    rows: dict[str, int]
    sha256: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT


def pack(folder: Path, manifest: Manifest, file: Path) -> None:
    """Write what lies in a folder, readable by its owner only; whole or not at all."""
    half = file.with_name(f".{file.name}.{os.getpid()}")
    sums = {name: _sha256(folder / name) for name in _members(folder)}
    said = json.dumps(asdict(manifest) | {"sha256": sums}, indent=1).encode()
    (folder / MANIFEST).write_bytes(said)
    try:
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with tarfile.open(fileobj=raw, mode="w") as tar:
                for name in (MANIFEST, *sums):
                    tar.add(folder / name, name, recursive=False)
            os.fsync(raw.fileno())
        half.rename(file)
    finally:
        half.unlink(missing_ok=True)


def unpack(file: Path, folder: Path) -> Manifest:
    """Write what a backup holds into a folder, and check every byte of it.

    Raises:
        NotABackup: it is none, of a later format, or damaged.
    """
    try:
        with tarfile.open(file) as tar:
            tar.extractall(folder, filter="data")
        manifest = _manifest((folder / MANIFEST).read_bytes())
    except (OSError, tarfile.TarError, ValueError, TypeError, KeyError) as exc:
        raise NotABackup(f"{file} is no backup that can be read ({type(exc).__name__}).") from exc
    held = {name: _sha256(folder / name) for name in _members(folder) if name != MANIFEST}
    if held != manifest.sha256:
        wrong = sorted(name for name, _ in held.items() ^ manifest.sha256.items())
        raise NotABackup(f"{file} is damaged: {wrong[0]} is not what was written.")
    return manifest


def _manifest(said: bytes) -> Manifest:
    read = json.loads(said)
    if read["format"] != FORMAT:
        raise NotABackup(f"It is of format {read['format']}; this version reads {FORMAT}.")
    return Manifest(**read)


def _members(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
