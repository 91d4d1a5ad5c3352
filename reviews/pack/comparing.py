"""Compare a decision pack with the live project: its trail row by row, and its sign-off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reviews import audit, report, statements
from reviews.models import AuditEntry, SignOff
from reviews.pack import checking, names, writing
from routing.models import Project

_STAYS = ("id", "project", "requester", "required_roles")


def faults(project: Project, path: Path) -> list[str]:
    """Return what the pack says otherwise than the live project; `checking` reads it first."""
    try:
        files = checking.read(path)
        rows = [json.loads(line) for line in files[names.AUDIT].splitlines()]
        said = json.loads(files[names.SIGNOFF])
        return [*_of_trail(project, rows), *_of_signoff(project, said, rows)]
    except (*checking.BROKEN, TypeError, KeyError, AttributeError):
        return []  # `check` has said that there is nothing to compare with


def _of_trail(project: Project, rows: list[dict[str, Any]]) -> list[str]:
    kept = {row["number"]: row["sha256"] for row in rows}
    entries = AuditEntry.objects.filter(project=project, number__in=kept)
    live = dict(entries.values_list("number", "sha256"))
    return [
        f"row {number} of the live trail is not the one in the pack"
        for number, sha256 in kept.items()
        if live.get(number) != sha256
    ]


def _of_signoff(
    project: Project, said: dict[str, Any], rows: list[dict[str, Any]]
) -> Iterator[str]:
    """Return what differs: everything while nothing was said since, else what stays."""
    row = SignOff.objects.filter(project=project, pk=said["id"]).first()
    if row is None:
        yield f"sign-off {said['id']} is not in the live project"
        return
    live = writing.signed(row)
    last = max((one["number"] for one in rows if one["subject"] == report.subject(row)), default=0)
    if last != audit.last_of(project, report.subject(row)):
        live = {key: live[key] for key in (*_STAYS, "decisions")} | _revision(row, said)
    for key in sorted(said.keys() & live.keys() - {"decisions"}):
        if said[key] != live[key]:
            yield f"{names.SIGNOFF} and the live sign-off differ in {key}"
    if not all(
        any(one.items() <= now.items() for now in live["decisions"]) for one in said["decisions"]
    ):
        yield f"{names.SIGNOFF} and the live sign-off differ in decisions"


def _revision(row: SignOff, said: dict[str, Any]) -> dict[str, Any]:
    """Return the live revision of the number that the pack has."""
    kept = row.revisions.filter(number=said["revision"]).first()
    return statements.of_revision(row, kept) if kept else {"revision": None}
