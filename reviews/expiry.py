"""The quarterly review: a sign-off holds for its plan's `valid_days`, then the plan's rule applies.

Only what is live matters to people: a sign-off whose policy was replaced expires without a word.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from reviews import alerts, audit, notices, permissions, rollout, signatures
from reviews.models import SignOff, Study
from routing import policy
from routing.models import Policy, Project

#: Days before the end at which people are reminded, the widest first.
REMIND_DAYS = (14, 3)
_STATES = SignOff.State


class Warned(NamedTuple):
    """What pages say about the live policy's sign-off."""

    row: SignOff
    is_over: bool


def warning(project: Project, live: Policy | None, now: datetime | None = None) -> Warned | None:
    """Return the live policy's sign-off when it expired or soon will, else None."""
    row = signed(project, live)
    if row is None or row.expires_at is None:
        return None
    now = now or timezone.now()
    is_soon = row.expires_at <= now + timedelta(days=REMIND_DAYS[0])
    return Warned(row, row.expires_at <= now) if is_soon else None


def signed(project: Project, live: Policy | None) -> SignOff | None:
    """Return the sign-off that made a policy live, or None: the first policy has none."""
    if live is None:
        return None
    rows = SignOff.objects.filter(project=project, policy_after=live, state__in=SignOff.SIGNED)
    return rows.select_related("study", "project").first()


def run_due(now: datetime | None = None) -> int:
    """Remind of what ends soon and end what is over; return how many ended. Again: nothing."""
    now = now or timezone.now()
    ending = SignOff.objects.filter(
        state=_STATES.APPROVED, expires_at__lte=now + timedelta(days=REMIND_DAYS[0])
    )
    for row in ending.filter(expires_at__gt=now).select_related("project"):
        _remind(row, now)
    over = ending.filter(expires_at__lte=now).select_related("project", "study")
    return sum(expire(row, now) for row in over)


def _remind(row: SignOff, now: datetime) -> None:
    """Tell people at 14 and at 3 days, once each: the key says which."""
    assert row.expires_at is not None, "the query asks for it"
    if policy.live(row.project) != row.policy_after:
        return
    days = min(days for days in REMIND_DAYS if row.expires_at <= now + timedelta(days=days))
    text = f"It expires on {row.expires_at:%Y-%m-%d}. A new study and a new sign-off keep it live."
    to = [row.requester, *permissions.people_who_can("request_signoff")]
    notices.tell(row, "signoff.expires_soon", text, to, key=f"expires:{days}")


@transaction.atomic
def expire(row: SignOff, now: datetime) -> bool:
    """End one sign-off and do what the plan says; return whether it was this call.

    One transaction holds the state, the end of its rollout, and the deployment of always expensive
    where the plan says so. A second run finds it expired and changes nothing.
    """
    policy.lock(row.project)
    row = (
        SignOff.objects.select_for_update(of=("self",))
        .select_related("study", "project")
        .get(pk=row.pk)
    )
    if row.state != _STATES.APPROVED or row.expires_at is None or row.expires_at > now:
        return False
    is_live = decides(row)
    row.state = _STATES.EXPIRED
    row.save(update_fields=["state"])
    done = _apply(row) if is_live else "It was no longer live."
    audit.write(row.project, None, "signoff.expired", f"signoff {row.pk}", {"then": done})
    if is_live:
        to = [row.requester, *permissions.people_who_can("request_signoff")]
        notices.tell(row, "signoff.expired", f"It expired. {done}", to, key="expired")
    return True


def decides(row: SignOff) -> bool:
    """Return whether the sign-off's policy decides requests, if only those a ramp leaves it."""
    live = policy.deployment(row.project)
    return live is not None and row.policy_after_id in (live.policy_id, live.rest_id)


def _apply(row: SignOff) -> str:
    """Do what the signed plan says of a policy whose sign-off is over; return it in a sentence."""
    if signatures.plan(row)["after_expiry"] == Study.Expiry.KEEP:
        return "The policy stays, with a warning on every page, until somebody signs again."
    rollout.fall_back(row, "Its sign-off expired.")
    alerts.leave(row.project, "Its sign-off expired.")
    return "Everything goes to the expensive tier, as the plan says."
