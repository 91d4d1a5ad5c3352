"""From approved to live: at once, at a time, or share by share, each step after a look at the last.

Only what a sign-off approved is deployed here. Every function locks the project first, so that a
step, a rollback and an approval at one moment come one after the other.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any, Literal

from django.contrib.auth.models import User
from django.db import DatabaseError, transaction
from django.utils import timezone

from reviews import audit, notices, permissions, signatures, watching
from reviews.errors import BadInput, Conflict
from reviews.models import Rollout, RolloutEvent, SignOff, Study
from routing import policy
from routing.models import Deployment, Policy, Project

log = logging.getLogger(__name__)

_STATES = Rollout.State
_KINDS = RolloutEvent.Kind
_AT_ONCE = [{"share": 1.0, "hours": 0.0}]


def start(row: SignOff, now: datetime) -> Rollout:
    """Write the rollout of a sign-off that was just approved, in the caller's transaction.

    Nothing is deployed yet: the beat task does the first step when its time has come.
    """
    steps = row.rollout or _AT_ONCE
    at = max(now, row.deploy_at or now)
    return Rollout.objects.create(project=row.project, signoff=row, steps=steps, next_at=at)


def under_way(project: Project) -> Rollout | None:
    """Return the project's rollout that still moves, or None."""
    rows = Rollout.objects.filter(project=project, state__in=Rollout.ACTIVE)
    return rows.select_related("signoff__policy_after", "signoff__policy_before").first()


def run_due(now: datetime | None = None) -> int:
    """Take the steps that are due; return how many rollouts moved. Again at once: none."""
    now = now or timezone.now()
    moved = 0
    for way in Rollout.objects.filter(next_at__lte=now).order_by("next_at"):
        try:
            moved += advance(way, now=now).done != way.done
        except DatabaseError:  # one project's trouble stops no other; the next round tries again
            log.exception("a rollout could not go on")
    return moved


@transaction.atomic
def advance(way: Rollout, *, by: User | None = None, now: datetime | None = None) -> Rollout:
    """Deploy the next step, when it is due or a person says so.

    One transaction holds the deployment, the event and its notices. For the beat task the step must
    be due and its guards must hold; a second run of the same step changes nothing. A person goes on
    at once, past a failed guard too: the figures are kept with who did it.

    Raises:
        NotAllowed: when the person may not deploy.
        Conflict: when a person goes on with a rollout that ended, or that moved on since they
            looked.
    """
    now, seen = now or timezone.now(), way.done
    way = _locked(way, by)
    if by is None and (way.next_at is None or way.next_at > now):
        return way  # another worker was faster
    if by is not None and way.done != seen:  # a second click is no second step
        raise Conflict("It moved on meanwhile; look again.")
    _check_moves(way)
    overtaken = _overtaken(way)
    if overtaken:
        return _end(way, overtaken, by)
    look = watching.look(way) if way.done else watching.NOTHING
    if look.failed and by is None:
        return _guard_failed(way, look)
    return _step(way, look, by, now)


def pause(way: Rollout, *, by: User, why: str) -> Rollout:
    """Keep the share as it is until a person goes on.

    Raises:
        NotAllowed, BadInput, Conflict: without the right, without a reason, when it ended.
    """
    return _by_hand(way, by, why, _pause)


def stop(way: Rollout, *, by: User, why: str) -> Rollout:
    """End the rollout and give all requests back to the policy before.

    Raises:
        NotAllowed, BadInput, Conflict: without the right, without a reason, when it ended.
    """
    return _by_hand(way, by, why, _stop)


@transaction.atomic
def resume(way: Rollout, *, by: User, now: datetime | None = None) -> Rollout:
    """Let a paused rollout go on: its step is watched once more for its whole time.

    Raises:
        NotAllowed: when the person may not deploy.
        Conflict: when it is not paused.
    """
    way = _locked(way, by)
    if way.state != _STATES.PAUSED:
        raise Conflict("This rollout is not paused.")
    hours = way.steps[way.done - 1]["hours"] if way.done else 0
    way.state = _STATES.RUNNING if way.done else _STATES.WAITING
    way.why, way.next_at = "", (now or timezone.now()) + timedelta(hours=hours)
    return _keep(way, _KINDS.RESUMED, by, "")


@transaction.atomic
def roll_back(
    project: Project,
    *,
    by: User,
    reason: str,
    to: Literal["always_expensive", "previous"] = "always_expensive",
) -> Deployment:
    """Leave the live policy at once, and end the rollout that is under way.

    One transaction holds the deployment, the end of the rollout and who did it why. It takes no
    sign-off: what it goes back to is always expensive, or was signed before.

    Raises:
        NotAllowed: when the person may not roll back.
        BadInput: when no reason is given.
        Conflict: when there is nothing to go back to, or its sign-off expired and the plan lets
            nothing stay after that.
    """
    permissions.check(by, "roll_back")
    if not reason.strip():
        raise BadInput("Say in a sentence why you roll back.")
    policy.lock(project)
    if to == "previous":
        _check_holds(policy.previous(project))
    way = under_way(project)
    try:
        row = policy.roll_back(project, by=by, reason=reason, to=to)
    except Policy.DoesNotExist as exc:
        raise Conflict(str(exc)) from exc
    if way is not None:
        _end(way, f"Rolled back: {reason}", by)
    detail = {"to": to, "policy": row.policy.name, "why": reason}
    audit.write(project, by, "policy.rolled_back", f"deployment {row.pk}", detail)
    return row


def _check_holds(target: Policy | None) -> None:
    """Refuse a policy whose sign-off expired under a plan that lets nothing stay."""
    if target is None:
        return
    over = SignOff.objects.filter(policy_after=target, state=SignOff.State.EXPIRED)
    rules = {signatures.plan(row)["after_expiry"] for row in over}
    if Study.Expiry.ALWAYS_EXPENSIVE in rules:
        raise Conflict(f"The sign-off of {target} expired; go back to always expensive.")


def end(project: Project, why: str) -> None:
    """End the rollout that is under way, if there is one, where it is; the caller deploys."""
    way = under_way(project)
    if way is not None:
        _end(way, why, None)


def _by_hand(way: Rollout, by: User, why: str, act: Any) -> Rollout:
    if not why.strip():
        raise BadInput("Say in a sentence why.")
    with transaction.atomic():
        way = _locked(way, by)
        _check_moves(way)
        return act(way, why.strip()[:400], by)


def _locked(way: Rollout, by: User | None) -> Rollout:
    """Lock project and rollout in this order, and check the right of a person."""
    if by is not None:
        permissions.check(by, "deploy")
    policy.lock(way.project)
    rows = Rollout.objects.select_for_update(of=("self",))
    return rows.select_related(
        "signoff__policy_after", "signoff__policy_before", "signoff__study", "project"
    ).get(pk=way.pk)


def _check_moves(way: Rollout) -> None:
    if not way.is_active:
        raise Conflict(f"This rollout is {way.get_state_display().lower()} already.")


def _overtaken(way: Rollout) -> str:
    """Return why this rollout cannot go on: its end came from elsewhere; empty when it can."""
    if way.signoff.state != SignOff.State.APPROVED:
        return "Its sign-off expired."
    live, row = policy.deployment(way.project), way.signoff
    expected = (row.policy_after_id, way.share) if way.done else (row.policy_before_id, 1.0)
    is_ours = live is not None and (live.policy_id, live.share) == expected
    return "" if is_ours else "Another policy went live meanwhile."


def _step(way: Rollout, look: watching.Look, by: User | None, now: datetime) -> Rollout:
    step = way.steps[way.done]
    target, before = way.signoff.policy_after, way.signoff.policy_before
    assert target is not None, "the database holds it"
    is_last = way.done + 1 == len(way.steps)
    deployment = policy.deploy(
        target,
        by=by,
        reason=f"Sign-off {way.signoff_id}: {way.signoff.reason}",
        share=step["share"],
        rest=None if is_last else before,
    )
    way.done, way.why = way.done + 1, ""
    way.state = _STATES.COMPLETE if is_last else _STATES.RUNNING
    way.next_at = None if is_last else now + timedelta(hours=step["hours"])
    why = "; ".join(look.failed)
    return _keep(way, _KINDS.DEPLOYED, by, why, figures=look.figures, deployment=deployment)


def _guard_failed(way: Rollout, look: watching.Look) -> Rollout:
    """Keep the share or go back, as the request said."""
    why = "; ".join(look.failed)[:400]
    if way.signoff.if_guard_fails == SignOff.Guard.BACK:
        return _stop(way, why, None, kind=_KINDS.GUARD_FAILED, figures=look.figures)
    return _pause(way, why, None, kind=_KINDS.GUARD_FAILED, figures=look.figures)


def _pause(
    way: Rollout, why: str, by: User | None, kind: str = _KINDS.PAUSED, **said: Any
) -> Rollout:
    way.state, way.why, way.next_at = _STATES.PAUSED, why, None
    return _keep(way, kind, by, why, **said)


def _stop(
    way: Rollout, why: str, by: User | None, kind: str = _KINDS.STOPPED, **said: Any
) -> Rollout:
    if way.done and not _overtaken(way):
        before = way.signoff.policy_before
        reason = f"Sign-off {way.signoff_id} stopped: {why}"
        said["deployment"] = policy.deploy(before, by=by, reason=reason)
    return _end(way, why, by, kind, **said)


def _end(
    way: Rollout, why: str, by: User | None, kind: str = _KINDS.STOPPED, **said: Any
) -> Rollout:
    way.state, way.why, way.next_at = _STATES.STOPPED, why[:400], None
    return _keep(way, kind, by, why[:400], **said)


def _share_now(way: Rollout) -> float:
    live = policy.deployment(way.project)
    is_ours = live is not None and live.policy_id == way.signoff.policy_after_id
    return live.share if live is not None and is_ours else 0.0


def _keep(way: Rollout, kind: str, by: User | None, why: str, **said: Any) -> Rollout:
    """Store a rollout as it is now, with what happened and whom it is told."""
    way.save(update_fields=["done", "state", "why", "next_at"])
    share = _share_now(way)
    event = RolloutEvent.objects.create(
        rollout=way, kind=kind, share=share, by=by, why=why[:400], **said
    )
    row, label = way.signoff, event.get_kind_display()
    detail = {"share": share, "state": way.state, "why": why, "figures": event.figures}
    audit.write(way.project, by, f"rollout.{kind}", f"signoff {row.pk}", detail)
    text = f"{label}, {share:.0%} of requests go by the new policy now. {why}".strip()
    to = [row.requester, *permissions.people_who_can("deploy")]
    notices.tell(row, f"rollout.{kind}", text, to, key=f"rollout:{event.pk}", by=by)
    return way
