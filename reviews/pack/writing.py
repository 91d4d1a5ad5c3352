"""Write a decision pack: the evidence, its columns, who signed, the trail, a report, a script.

The same sign-off in the same state gives the same bytes. No prompt and no answer is in it.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from reviews import audit, chain, columnar, evidence, report
from reviews.errors import CannotPrint
from reviews.models import SignOff
from reviews.pack import names

#: The earliest that a zip can say: the time of packing would make every pack another one.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16


def write(row: SignOff, file: IO[bytes]) -> None:
    """Write the pack of a sign-off.

    Raises:
        Conflict: for evidence of an earlier version, whose inputs were not kept.
    """
    files = _files(row)
    files[names.MANIFEST] = chain.readable(_manifest(row, files))
    with ZipFile(file, "w") as pack:
        for name in sorted(files):
            entry = ZipInfo(name, _NO_TIME)
            entry.external_attr, entry.compress_type = _READABLE, ZIP_DEFLATED
            pack.writestr(entry, files[name])


def _files(row: SignOff) -> dict[str, bytes]:
    content, frozen = row.evidence.content, evidence.frozen_inputs(row.evidence)
    return {
        names.README: _shipped(names.README),
        names.SCRIPT: _shipped(names.SCRIPT),
        names.EVIDENCE: chain.canonical(content),
        names.PLAN: chain.readable(content["plan"]),
        names.RESULT: chain.readable(content["certificate"]),
        names.SIGNOFF: chain.readable(_signed(row)),
        names.PARQUET: frozen,
        names.CSV: columnar.csv_file(columnar.read_parquet(frozen)),
        names.AUDIT: b"".join(audit.lines(audit.rows(row.project, _last(row)))),
        **_report(row),
    }


def _shipped(name: str) -> bytes:
    return resources.files("reviews.pack").joinpath(name).read_bytes()


def _last(row: SignOff) -> int:
    """Return where the trail is cut: after the last word about this sign-off."""
    return audit.last_of(row.project, report.subject(row))


def _report(row: SignOff) -> dict[str, bytes]:
    """Return the report, as a page where nothing can set a PDF."""
    try:
        return {names.PDF: report.pdf(row)}
    except CannotPrint:
        return {names.HTML: report.html(row, is_page=False).encode()}


def _signed(row: SignOff) -> dict[str, Any]:
    return {
        "id": row.pk,
        "project": row.project.slug,
        "state": row.state,
        "revision": row.revision,
        "threshold": row.threshold,
        "thresholds": row.evidence.content["thresholds"],
        "reason": row.reason,
        "requester": row.requester.username,
        "required_roles": row.required_roles,
        "policy_before": row.policy_before.name,
        "policy_after": row.policy_after.name if row.policy_after else None,
        "decisions": [
            {
                "revision": one.revision, "user": one.user.username, "role": one.role,
                "decision": one.decision,
                "comment": one.comment, "at": one.created_at.isoformat(),
            }
            for one in row.approvals.select_related("user")
        ],
    }  # fmt: skip


def _manifest(row: SignOff, files: dict[str, bytes]) -> dict[str, Any]:
    lines = files[names.AUDIT].splitlines()
    ends = json.loads(lines[-1]) if lines else {"number": 0, "sha256": chain.START}
    return {
        "format": names.FORMAT,
        "signoff": row.pk,
        "project": row.project.slug,
        "evidence_sha256": row.evidence.sha256,
        "audit": {"number": ends["number"], "sha256": ends["sha256"]},
        "code": row.evidence.content["code"],
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in sorted(files.items())
        },
    }
