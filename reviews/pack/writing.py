"""Write a decision pack: the evidence, its columns, who signed, the trail, a report, a script.

The same sign-off in the same state gives the same bytes. No prompt and no answer is in it.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.db import transaction

from reviews import audit, chain, columnar, evidence, report, statements
from reviews.errors import CannotPrint
from reviews.models import SignOff
from reviews.pack import names
from routing import policy

#: The earliest that a zip can say: the time of packing would make every pack another one.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_READABLE = 0o644 << 16
_RELATED = ("evidence", "project", "requester", "policy_before", "policy_after")


def write(row: SignOff, file: IO[bytes]) -> None:
    """Write the pack of a sign-off.

    Raises:
        Conflict: for evidence of an earlier version, whose inputs were not kept.
    """
    row, files = _taken(row)
    files |= _frozen(row)
    files |= _printed(row, files.pop(names.HTML))
    files[names.MANIFEST] = chain.readable(_manifest(row, files))
    with ZipFile(file, "w") as pack:
        for name in sorted(files):
            entry = ZipInfo(name, _NO_TIME)
            entry.external_attr, entry.compress_type = _READABLE, ZIP_DEFLATED
            pack.writestr(entry, files[name])


@transaction.atomic
def _taken(row: SignOff) -> tuple[SignOff, dict[str, bytes]]:
    """Return a sign-off as it is now, with all that changes when somebody says a word about it.

    Under the lock under which they say it: else one file would know of it and another not.
    """
    policy.lock(row.project)
    row = SignOff.objects.select_related(*_RELATED).get(pk=row.pk)
    return row, {
        names.SIGNOFF: chain.readable(signed(row)),
        names.AUDIT: b"".join(audit.lines(audit.rows(row.project, _last(row)))),
        names.HTML: report.html(row, is_page=False).encode(),
    }


def _frozen(row: SignOff) -> dict[str, bytes]:
    """Return what stays as it is, which may take its time."""
    content, frozen = row.evidence.content, evidence.frozen_inputs(row.evidence)
    return {
        names.README: _shipped(names.README),
        names.SCRIPT: _shipped(names.SCRIPT),
        names.EVIDENCE: chain.canonical(content),
        names.PLAN: chain.readable(content["plan"]),
        names.RESULT: chain.readable(content["certificate"]),
        names.PARQUET: frozen,
        names.CSV: columnar.csv_file(columnar.read_parquet(frozen)),
    }


def _shipped(name: str) -> bytes:
    return resources.files("reviews.pack").joinpath(name).read_bytes()


def _last(row: SignOff) -> int:
    """Return where the trail is cut: after the last word about this sign-off."""
    return audit.last_of(row.project, report.subject(row))


def _printed(row: SignOff, page: bytes) -> dict[str, bytes]:
    """Return the report, as a page where nothing can set a PDF."""
    try:
        return {names.PDF: report.printed(page.decode(), row.evidence.sha256)}
    except CannotPrint:
        return {names.HTML: page}


def signed(row: SignOff) -> dict[str, Any]:
    """Return what was asked for and who decided what; people under the names they had then."""
    entries = audit.about(row.project, report.subject(row))
    actors = {
        (one.event, one.detail.get("role"), one.detail.get("revision")): one.actor
        for one in entries
    }
    return {
        "id": row.pk,
        "project": row.project.slug,
        "state": row.state,
        **statements.of_revision(row),
        "requester": actors.get(("signoff.requested", None, None), row.requester.username),
        "required_roles": row.required_roles,
        "policy_before": row.policy_before.name,
        "policy_after": row.policy_after.name if row.policy_after else None,
        "decisions": [
            statements.of_decision(
                one,
                actors.get((f"signoff.{one.decision}", one.role, one.revision), one.user.username),
            )
            for one in row.approvals.select_related("user")
        ],
    }


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
