"""What an alarm does to the sign-off that is live: it is marked stale, and the signed plan applies.

The mark stays when the alarm is over: the certificate says nothing about traffic that had drifted.
A new study and a new sign-off replace it.
"""

from __future__ import annotations

from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from reviews import alerts, audit, expiry, rollout, signatures
from reviews.models import Alarm, Reading, SignOff, Study
from reviews.monitors.living import NAME as LIVING
from routing import policy
from routing.models import Policy, Project

_RULES = Study.AfterAlarm


class Stale(NamedTuple):
    """What pages say of a sign-off that an alarm made stale.

    Attributes:
        row: the sign-off.
        alarm: the open one that sent everything to EXPENSIVE; None where the policy stays.
    """

    row: SignOff
    alarm: Alarm | None


def warning(project: Project, live: Policy | None) -> Stale | None:
    """Return the stale sign-off of the live policy, or the one that an open alarm took away."""
    row = expiry.signed(project, live)
    if row is not None:
        return Stale(row, None) if row.stale_at else None
    if live is None or not live.is_always_expensive:
        return None
    alarms = Alarm.objects.filter(project=project, closed_at=None, signoff__stale_at__isnull=False)
    found = alarms.exclude(done="").select_related("signoff").first()
    return Stale(found.signoff, found) if found is not None and found.signoff else None


@transaction.atomic
def mark(alarm: Alarm) -> str:
    """Mark the alarm's sign-off stale and do what its plan says; return it in a sentence.

    One transaction holds the mark, the entry in the trail, the end of the rollout and the
    deployment of always expensive, and `done` of the alarm. A warning changes nothing, nor does an
    alarm about what is no longer live. A second alarm keeps the first one's mark.
    """
    policy.lock(alarm.project)
    row = _signed(alarm)
    if row is None or alarm.level != Reading.Level.ALARM:
        return ""
    is_first = row.stale_at is None
    if is_first:
        row.stale_at, row.stale_why = timezone.now(), alarm.sentence[:400]
        row.save(update_fields=["stale_at", "stale_why"])
    alarm.done = _apply(row, alarm)
    alarm.save(update_fields=["done"])
    detail = {"alarm": alarm.pk, "monitor": alarm.monitor, "why": alarm.sentence}
    audit.write(
        row.project, None, "signoff.stale", f"signoff {row.pk}", detail | {"then": alarm.done}
    )
    return alarm.done


def _signed(alarm: Alarm) -> SignOff | None:
    """Return the alarm's sign-off, locked, if its policy decides requests."""
    rows = SignOff.objects.select_for_update(of=("self",)).select_related(
        "study", "project", "policy_after__router", "evidence"
    )
    row = rows.filter(alarms=alarm).first()
    return row if row is not None and expiry.decides(row) else None


def _apply(row: SignOff, alarm: Alarm) -> str:
    rule = rule_of(row)
    if rule == _RULES.ALWAYS_EXPENSIVE or (rule == _RULES.FLOOR and alarm.monitor == LIVING):
        why = f"Alarm {alarm.pk}: {alarm.monitor.replace('_', ' ')}"
        rollout.fall_back(row, why)
        alerts.leave(row.project, f"Everything goes to the expensive tier. {why}", but=alarm)
        return "Everything goes to the expensive tier, as the plan says."
    return "The sign-off is marked stale; its policy stays, as the plan says."


def rule_of(row: SignOff) -> str:
    """Return what the signed plan says of alarms; plans from before there were any say "floor"."""
    return str(signatures.plan(row).get("after_alarm", _RULES.FLOOR))


def words(rule: str) -> str:
    """Return a rule as the plan's form says it."""
    return str(_RULES(rule).label)
