"""Check a decision pack without a database: hashes, trail, and the certificate made again.

Nothing of the pack is run: its certificate is made again by this installation, twice, by the engine
that made it and by the other one that packs carry. A pack proves that its parts fit together; that
nobody made another pack from end to end shows against the live trail, or against another copy.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import BadZipFile, ZipFile

from reviews import chain, columnar, evidence
from reviews.pack import names, recompute

#: Some two million requests; more in a file that was made to be small would fill the memory.
_MOST_BYTES = 2_000_000_000
_NEEDED = (
    names.README, names.SCRIPT, names.EVIDENCE, names.PLAN, names.RESULT, names.SIGNOFF,
    names.PARQUET, names.CSV, names.AUDIT,
)  # fmt: skip


#: How a file fails that is no zip, or one that cannot be read.
BROKEN = (BadZipFile, EOFError, OSError, RecursionError, RuntimeError, ValueError, zlib.error)
_UNREADABLE = (
    AttributeError, IndexError, KeyError, OSError, RecursionError, TypeError, ValueError,
)  # fmt: skip


def check(path: Path) -> list[str]:
    """Return what is wrong with a pack, a line for each fault; empty when all of it fits.

    What was changed is named by its file, or by its row of the trail.
    """
    try:
        files = read(path)
        manifest = json.loads(files.pop(names.MANIFEST, b"null"))
    except BROKEN as exc:
        return [f"this is no decision pack: {exc}"]
    if not isinstance(manifest, dict):
        return [f"this is no decision pack: it has no {names.MANIFEST}"]
    try:
        return _of_files(files, manifest) or _of_content(files, manifest)
    except _UNREADABLE as exc:
        return [f"{names.MANIFEST} cannot be read: {type(exc).__name__}: {exc}"]


def read(path: Path) -> dict[str, bytes]:
    """Return the files of a pack by name.

    Raises:
        ValueError: when two have one name, or all together are too large to be read.
    """
    with ZipFile(path) as pack:
        if len(set(pack.namelist())) < len(pack.namelist()):
            raise ValueError("two of its files have one name")
        if sum(one.file_size for one in pack.infolist()) > _MOST_BYTES:
            raise ValueError(f"its files are larger than {_MOST_BYTES:,} bytes")
        return {name: pack.read(name) for name in pack.namelist()}


def _of_files(files: dict[str, bytes], manifest: dict[str, Any]) -> list[str]:
    """Return files that are missing, that nobody listed, and that were changed."""
    listed = manifest.get("files", {})
    missing = sorted({*_NEEDED, *listed} - set(files))
    extra = sorted(set(files) - set(listed))
    strange = sorted(set(listed) - {*_NEEDED, names.PDF, names.HTML})
    changed = [
        name
        for name in sorted(set(files) & set(listed))
        if hashlib.sha256(files[name]).hexdigest() != listed[name]["sha256"]
    ]
    return [
        *(f"{name} is missing" for name in missing),
        *(f"{name} is not listed in {names.MANIFEST}" for name in extra),
        *(f"{name} is no file of a decision pack" for name in strange),
        *(f"{name} was changed: {names.MANIFEST} has another SHA-256" for name in changed),
    ]


def _of_content(files: dict[str, bytes], manifest: dict[str, Any]) -> list[str]:
    """Return what does not follow from what: each file is checked against the evidence."""
    try:
        content = json.loads(files[names.EVIDENCE])
        return [
            *_of_evidence(files, content, manifest),
            *_of_shipped(files, content),
            *_of_trail(files[names.AUDIT], manifest),
            *_of_signoff(files, content, manifest),
            *_of_certificate(files, content),
        ]
    except _UNREADABLE as exc:
        return [f"{names.EVIDENCE} cannot be read: {type(exc).__name__}: {exc}"]


def _of_evidence(
    files: dict[str, bytes], content: dict[str, Any], manifest: dict[str, Any]
) -> list[str]:
    parquet = hashlib.sha256(files[names.PARQUET]).hexdigest()
    csv = columnar.csv_file(columnar.read_parquet(files[names.PARQUET]))
    fits = {
        f"{names.EVIDENCE} was changed: it is not the evidence that {names.MANIFEST} names": (
            hashlib.sha256(files[names.EVIDENCE]).hexdigest() == manifest["evidence_sha256"]
            and chain.canonical(content) == files[names.EVIDENCE]
        ),
        f"{names.PARQUET} was changed: it is not the one of the evidence": (
            parquet == content["inputs"]["sha256"]
        ),
        f"{names.CSV} was changed: it is not what {names.PARQUET} holds": files[names.CSV] == csv,
        f"{names.PLAN} was changed: it is not the plan of the evidence": (
            _says(files[names.PLAN], content["plan"])
        ),
        f"{names.RESULT} was changed: it is not the certificate of the evidence": (
            _says(files[names.RESULT], content["certificate"])
        ),
    }
    return [fault for fault, holds in fits.items() if not holds]


def _says(file: bytes, value: Any) -> bool:
    """Return whether a file is the one spelling of a value: no key twice, nothing beside it."""
    said = json.loads(file)
    return chain.canonical(said) == chain.canonical(value) and file == chain.readable(said)


def _of_shipped(files: dict[str, bytes], content: dict[str, Any]) -> list[str]:
    """Return what this version ships and is another here; nothing can be said of other versions."""
    if content["code"] != evidence.code():
        return []
    shipped = resources.files("reviews.pack")
    return [
        f"{name} was changed: it is not what this version writes"
        for name in (names.README, names.SCRIPT)
        if files[name] != shipped.joinpath(name).read_bytes()
    ]


def _of_signoff(
    files: dict[str, bytes], content: dict[str, Any], manifest: dict[str, Any]
) -> list[str]:
    """Return what the sign-off says of itself that evidence and trail do not say."""
    said = json.loads(files[names.SIGNOFF])
    subject = f"signoff {manifest['signoff']}"
    rows = [json.loads(line) for line in files[names.AUDIT].splitlines()]
    mine = [row for row in rows if row["subject"] == subject]
    asked = [row["actor"] for row in mine if row["event"] == "signoff.requested"]
    projects = {said["project"], manifest["project"], content["project"]["slug"]}
    fits = {
        f"is not of {subject}": said["id"] == manifest["signoff"],
        "is of another project": projects == {row["project"] for row in rows},
        "asks for other thresholds than the evidence": (
            (said["threshold"], said["thresholds"]) == (content["threshold"], content["thresholds"])
        ),
        "names another requester than the trail": [said["requester"]] == asked,
        "names other decisions than the trail": _decisions(said) == _noted(mine),
        "is not spelled as it was written": _says(files[names.SIGNOFF], said),
    }
    return [
        f"{names.SIGNOFF} was changed: it {fault}" for fault, holds in fits.items() if not holds
    ]


def _decisions(said: dict[str, Any]) -> list[tuple[Any, ...]]:
    return sorted(
        (one["revision"], one["user"], one["role"], one["decision"]) for one in said["decisions"]
    )


def _noted(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Return the decisions that the trail knows of."""
    known = {f"signoff.{one}": one for one in ("approve", "request_changes", "reject")}
    return sorted(
        (row["detail"]["revision"], row["actor"], row["detail"]["role"], known[row["event"]])
        for row in rows
        if row["event"] in known
    )


def _of_trail(lines: bytes, manifest: dict[str, Any]) -> list[str]:
    """Return what is wrong with the trail, and whether it speaks of this evidence."""
    rows = [json.loads(line) for line in lines.splitlines()]
    found = chain.faults(rows)
    if b"".join(chain.canonical(row) + b"\n" for row in rows) != lines:
        found.append("it is not spelled as it was written")
    ends = (rows[-1]["number"], rows[-1]["sha256"]) if rows else (0, chain.START)
    if ends != (manifest["audit"]["number"], manifest["audit"]["sha256"]):
        found.append(f"it ends with row {ends[0]}, and should with {manifest['audit']['number']}")
    subject = f"signoff {manifest['signoff']}"
    told = [row["detail"].get("evidence") for row in rows if row["subject"] == subject]
    if manifest["evidence_sha256"] not in told:
        found.append(f"no row about {subject} names this evidence")
    return [f"{names.AUDIT}: {fault}" for fault in found]


def _of_certificate(files: dict[str, bytes], content: dict[str, Any]) -> list[str]:
    """Return whether the certificate follows from the columns and the plan, by both engines."""
    found = []
    if evidence.remade(files[names.PARQUET], content) != chain.canonical(content):
        version = content["code"]["version"]
        is_other = content["code"] != evidence.code()
        by = f"; it was made by other code, version {version}" if is_other else ""
        found.append(f"the certificate does not follow from {names.PARQUET} and the plan{by}")
    with TemporaryDirectory() as folder:
        for name in (names.CSV, names.EVIDENCE):
            Path(folder, name).write_bytes(files[name])
        _, _, differences = recompute.differences(Path(folder))
    return found + [f"{names.SCRIPT} comes to something else: {line}" for line in differences]
