"""Write the audit trail of a project, check it, hand it out.

Each entry holds the hash of the one before it, so that a row which was changed, removed or moved is
found, also when somebody with all rights switched the triggers off. Whoever rewrites every hash is
found by those kept elsewhere: each decision pack holds the trail up to its sign-off. What sign-offs
and rollouts say of themselves has to be in the trail too (`untold`), so that it cannot be emptied
unseen, nor they be written beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from reviews import chain, untold
from reviews.models import AuditEntry, AuditHead
from routing import policy
from routing.models import Challenger, Project


@transaction.atomic
def write(
    project: Project,
    actor: User | None,
    event: str,
    subject: str,
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append an event to the project's trail, in the caller's transaction.

    What happened and that it was noted are one: both are kept or neither. Entries of a project are
    numbered one at a time, under the lock of `policy.lock`. Running it twice leaves two entries.

    Args:
        project: whose trail.
        actor: who did it, None for the service itself.
        event: what, such as `signoff.requested`.
        subject: to what, such as `signoff 7`.
        detail: JSON, never a prompt or an answer.
    """
    policy.lock(project)
    head = AuditHead.objects.filter(project=project).first()
    number, previous = (head.number, head.sha256) if head else (0, chain.START)
    entry = AuditEntry(
        project=project,
        number=number + 1,
        at=timezone.now(),
        actor=actor.username if actor else "",
        event=event,
        subject=subject,
        detail=json.loads(chain.canonical(detail or {})),
        previous_sha256=previous,
    )
    entry.sha256 = chain.seal(row(entry))
    entry.save()
    _move(head, entry)
    return entry


def challenger_stopped(row: Challenger, why: str = "", *, by: User | None = None) -> None:
    """Note that a router challenges no more: somebody stopped it, or what it did."""
    detail = {"router": row.router.name, "sha256": row.router.sha256}
    detail |= {"why": why} if why else {}
    write(row.project, by, "challenger.stopped", f"challenger {row.pk}", detail)


def _move(head: AuditHead | None, entry: AuditEntry) -> None:
    head = head or AuditHead(project=entry.project)
    head.number, head.sha256 = entry.number, entry.sha256
    head.save()


def row(entry: AuditEntry) -> dict[str, Any]:
    """Return an entry as it is hashed and handed out."""
    return {
        "project": entry.project.slug,
        "number": entry.number,
        "at": _time(entry.at),
        "actor": entry.actor,
        "event": entry.event,
        "subject": entry.subject,
        "detail": entry.detail,
        "previous_sha256": entry.previous_sha256,
        "sha256": entry.sha256,
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def rows(project: Project, last: int | None = None) -> Iterator[dict[str, Any]]:
    """Return the project's trail from its first entry, up to a number or to its end."""
    entries = AuditEntry.objects.filter(project=project).select_related("project")
    if last is not None:
        entries = entries.filter(number__lte=last)
    return (row(entry) for entry in entries.order_by("number").iterator())


@transaction.atomic
def verify(project: Project) -> list[str]:
    """Return what is wrong with the trail, a line for each fault; empty when it is whole.

    It has to follow from its first row to its head, and tell of each revision, decision, state and
    deployment what these say of themselves.
    Nothing is appended meanwhile: else its end would not be where its head says.
    """
    policy.lock(project)
    last = AuditEntry.objects.filter(project=project).order_by("-number").first()
    head = AuditHead.objects.filter(project=project).first()
    found = chain.faults(rows(project))
    ends, should = ((one.number, one.sha256) if one else (0, chain.START) for one in (last, head))
    if ends != should:
        found.append(f"the trail ends with row {ends[0]}, and should with row {should[0]}")
    return found + untold.faults(project)


def last_of(project: Project, subject: str) -> int:
    """Return the number of the newest entry about a subject, 0 when there is none."""
    entries = AuditEntry.objects.filter(project=project, subject=subject)
    return entries.order_by("-number").values_list("number", flat=True).first() or 0


def about(project: Project, *subjects: str) -> list[AuditEntry]:
    """Return the entries about any of the subjects, oldest first."""
    entries = AuditEntry.objects.filter(project=project, subject__in=subjects)
    return list(entries.order_by("number"))


def lines(found: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """Return entries as JSON lines."""
    return (chain.canonical(one) + b"\n" for one in found)
