"""What sign-offs, decisions and deployments say of themselves, and the audit trail does not.

Sign-offs on evidence without inputs were asked for before there were trails: they are left out.
Entries of earlier versions hold no hash of what was said; nothing is compared with those.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import F, Q

from reviews import chain, statements
from reviews.models import Approval, AuditEntry, Revision, RolloutEvent, SignOff
from routing.models import Deployment, Project

#: Which state an event leaves a sign-off in.
STATES = {
    "signoff.requested": "requested",
    "signoff.edited": "requested",
    "signoff.request_changes": "changes_requested",
    "signoff.reject": "rejected",
    "signoff.withdrawn": "withdrawn",
    "signoff.approved": "approved",
    "signoff.expired": "expired",
}
#: Which events tell of a revision, of a decision, of a comment.
ASKED = ("signoff.requested", "signoff.edited")
DECIDED = {f"signoff.{one}": one for one in Approval.Decision.values}
COMMENTED = "signoff.commented"


def faults(project: Project) -> list[str]:
    """Return what no entry tells of, or tells otherwise, a line each."""
    told: dict[str, list[AuditEntry]] = {}
    # An entry that somebody forged may say anything; that its hash is another is said elsewhere.
    entries = AuditEntry.objects.filter(project=project).order_by("number").iterator()
    for entry in (one for one in entries if isinstance(one.detail, dict)):
        told.setdefault(entry.subject, []).append(entry)
    early = _early(project)
    rows = SignOff.objects.filter(project=project).exclude(pk__in=early).order_by("pk")
    found = [
        fault
        for row in rows.select_related("policy_before", "policy_after")
        for fault in of_signoff(row, told.get(f"signoff {row.pk}", []))
    ]
    n_told = sum(one.event.startswith("rollout.") for rows in told.values() for one in rows)
    n_done = RolloutEvent.objects.filter(rollout__project=project).count()
    if n_told != n_done:
        found.append(f"it tells of {n_told} moves of rollouts, and there were {n_done}")
    return found + [
        f"no row tells of deployment {pk}, of {name}"
        for pk, name in _deployed(project, early)
        if f"deployment {pk}" not in told
    ]


def _early(project: Project) -> set[int]:
    rows = Revision.objects.filter(signoff__project=project, evidence__inputs__isnull=True)
    return set(rows.values_list("signoff_id", flat=True))


def of_signoff(row: SignOff, entries: list[AuditEntry]) -> list[str]:
    """Return how a sign-off, its revisions, its decisions and its comments differ."""
    name = f"sign-off {row.pk}"
    return [
        *_of_revisions(row, name, entries),
        *_of_state(row, name, entries),
        *_of_decisions(row, name, entries),
        *_of_comments(row, name, entries),
    ]


def _of_state(row: SignOff, name: str, entries: list[AuditEntry]) -> Iterator[str]:
    states = [STATES[entry.event] for entry in entries if entry.event in STATES]
    if not states or states[-1] != row.state:
        yield f"{name} is {row.state}, and the trail says {states[-1] if states else 'nothing'}"
    after = row.policy_after.name if row.policy_after else None
    for entry in entries:
        if entry.event == "signoff.approved" and entry.detail.get("policy") != after:
            yield f"{name} leads to {after}, and row {entry.number} says otherwise"


def _of_revisions(row: SignOff, name: str, entries: list[AuditEntry]) -> Iterator[str]:
    asked = {str(entry.detail.get("evidence")): entry for entry in entries if entry.event in ASKED}
    for kept in row.revisions.annotate(sha256=F("evidence__sha256")):
        entry = asked.get(kept.sha256)
        if entry is None:
            yield f"no row tells of revision {kept.number} of {name}"
            continue
        if differs(entry.detail, statements.of_revision(row, kept)):
            yield _otherwise(f"revision {kept.number} of {name}", entry)
        if kept.number == row.revision and _is_other_now(row, entry.detail):
            yield _otherwise(name, entry)


def _is_other_now(row: SignOff, detail: dict[str, Any]) -> bool:
    """Return whether the sign-off itself asks for something else than its newest revision."""
    before = row.policy_before.name
    return (
        differs(detail, statements.of_revision(row))
        or detail.get("roles", row.required_roles) != row.required_roles
        or detail.get("policy_before", before) != before
    )


def _of_decisions(row: SignOff, name: str, entries: list[AuditEntry]) -> Iterator[str]:
    told = {
        (entry.event, *(str(entry.detail.get(key)) for key in ("role", "revision"))): entry
        for entry in entries
        if entry.event in DECIDED
    }
    for one in row.approvals.all():
        entry = told.pop((f"signoff.{one.decision}", one.role, str(one.revision)), None)
        what = f"the decision for {one.role} about revision {one.revision} of {name}"
        if entry is None:
            yield f"no row tells of {what}"
        elif differs(entry.detail, statements.of_decision(one, entry.actor)):
            yield _otherwise(what, entry)
    for entry in told.values():
        yield f"row {entry.number} tells of a decision about {name} that is not there"


def _of_comments(row: SignOff, name: str, entries: list[AuditEntry]) -> Iterator[str]:
    told = {str(one.detail.get("comment")): one for one in entries if one.event == COMMENTED}
    for one in row.comments.all():
        entry = told.pop(str(one.pk), None)
        if entry is not None and differs(entry.detail, statements.of_comment(one)):
            yield _otherwise(f"a comment on {name}", entry)
    for entry in told.values():
        yield f"row {entry.number} tells of a comment on {name} that is not there"


def differs(detail: dict[str, Any], statement: dict[str, Any]) -> bool:
    """Return whether an entry holds the hash of another statement than this."""
    return detail.get("said") not in (None, chain.sha256(statement))


def _otherwise(what: str, entry: AuditEntry) -> str:
    return f"{what} says something else than was hashed in row {entry.number}"


def _deployed(project: Project, early: set[int]) -> Iterator[tuple[int, str]]:
    """Return number and policy of the deployments that a trail has to tell of, and no rollout does.

    Not of the first, nor of always expensive, nor of the demo's: they take no sign-off.
    """
    if project.kind == Project.Kind.DEMO:
        return
    rows = Deployment.objects.filter(project=project).order_by("pk")
    signed = Q(policy__signoffs__in=early)
    for row in rows.filter(event=None).exclude(signed).select_related("policy", "rest")[1:]:
        if not row.policy.is_always_expensive or (row.rest and not row.rest.is_always_expensive):
            yield row.pk, row.policy.name
