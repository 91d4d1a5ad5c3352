"""Check a decision pack without a database: hashes, trail, and the certificate made again.

Nothing of the pack is run: its certificate is made again by this installation, twice, by the engine
that made it and by the other one that packs carry. A pack proves that its parts fit together; that
nobody made another pack from end to end shows against the live trail, or against another copy.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import zlib
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import BadZipFile, ZipFile

from reviews import chain, columnar, evidence, statements, untold
from reviews.pack import names, recompute

#: Some two million requests; more in a file that was made to be small would fill the memory.
_MOST_BYTES = 2_000_000_000
_NEEDED = (
    names.README, names.SCRIPT, names.EVIDENCE, names.PLAN, names.RESULT, names.SIGNOFF,
    names.PARQUET, names.CSV, names.AUDIT,
)  # fmt: skip
_SIGNOFF = (
    "id", "project", "state", "requester", "required_roles", "policy_before", "policy_after",
    "decisions",
)  # fmt: skip

#: How a file fails that is no zip, or one that cannot be read.
BROKEN = (
    BadZipFile, EOFError, OSError, RecursionError, RuntimeError, ValueError, lzma.LZMAError,
    zlib.error,
)  # fmt: skip
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
    first = [row["actor"] for row in mine if row["event"] == "signoff.requested"]
    projects = {said["project"], manifest["project"], content["project"]["slug"]}
    fits = {
        f"is not of {subject}": said["id"] == manifest["signoff"],
        "is of another project": projects == {row["project"] for row in rows},
        "asks for other thresholds than the evidence": (
            (said["threshold"], said["thresholds"]) == (content["threshold"], content["thresholds"])
        ),
        "names another requester than the trail": [said["requester"]] == first,
        **_against_trail(said, mine, content["policy"]["name"]),
        "is not spelled as it was written": _says(files[names.SIGNOFF], said),
        "says more than a sign-off does": _is_known(said),
    }
    return [
        f"{names.SIGNOFF} was changed: it {fault}" for fault, holds in fits.items() if not holds
    ]


def _against_trail(
    said: dict[str, Any], mine: list[dict[str, Any]], before: str
) -> dict[str, bool]:
    """Return whether state, revision, policies and decisions are those of the trail.

    Args:
        said: the sign-off.
        mine: the rows about it.
        before: the live policy of the evidence, for trails that do not name it.
    """
    states = [untold.STATES[row["event"]] for row in mine if row["event"] in untold.STATES]
    asked = [row["detail"] for row in mine if row["event"] in untold.ASKED]
    after = [row["detail"]["policy"] for row in mine if row["event"] == "signoff.approved"]
    newest = asked[-1] if asked else {}
    statement = {key: said.get(key) for key in statements.REVISION}
    return {
        "is in another state than the trail": states[-1:] == [said["state"]],
        "is of another revision than the trail": said["revision"] == len(asked),
        "asks for something else than the trail": not untold.differs(newest, statement),
        "needs other roles than the trail": (
            newest.get("roles", said["required_roles"]) == said["required_roles"]
        ),
        "comes after another policy than the trail": (
            newest.get("policy_before", before) == said["policy_before"]
        ),
        "leads to another policy than the trail": (after or [None])[-1] == said["policy_after"],
        "names other decisions than the trail": _are_noted(said["decisions"], mine),
    }


def _are_noted(decisions: list[dict[str, Any]], rows: list[dict[str, Any]]) -> bool:
    """Return whether the decisions are those of the trail, word for word where it has hashes."""
    noted = {
        (row["detail"]["revision"], row["actor"], row["detail"]["role"], row["event"]): row
        for row in rows
        if row["event"] in untold.DECIDED
    }
    told = {
        (one["revision"], one["user"], one["role"], f"signoff.{one['decision']}"): one
        for one in decisions
    }
    return (
        noted.keys() == told.keys()
        and len(told) == len(decisions)
        and not any(untold.differs(noted[key]["detail"], told[key]) for key in told)
    )


def _is_known(said: dict[str, Any]) -> bool:
    """Return whether nothing is said of which the trail could not know."""
    known = [set(one) <= set(statements.DECISION) for one in said["decisions"]]
    return set(said) <= {*_SIGNOFF, *statements.REVISION} and all(known)


def remarks(path: Path) -> list[str]:
    """Return what nothing confirms in a pack without fault: earlier trails hold fewer hashes."""
    files = read(path)
    subject = f"signoff {json.loads(files[names.MANIFEST])['signoff']}"
    rows = [json.loads(line) for line in files[names.AUDIT].splitlines()]
    silent = [
        row["number"]
        for row in rows
        if row["subject"] == subject
        and row["event"] in (*untold.ASKED, *untold.DECIDED)
        and "said" not in row["detail"]
    ]
    if not silent:
        return []
    return [
        f"{names.SIGNOFF}: reason, required roles, comments and times are not checked: the trail is"
        f" of an earlier version and holds no hash of them (rows {', '.join(map(str, silent))})"
    ]


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
