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

from reviews import alerts, audit, living, notices, permissions, signatures, watching
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
    at = _first_at(row, now)
    return Rollout.objects.create(project=row.project, signoff=row, steps=steps, next_at=at)


def _first_at(row: SignOff, now: datetime) -> datetime:
    """Return when the first step is due: not before the time that was signed."""
    return max(now, row.deploy_at or now)


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
def advance(way: Rollout, *, now: datetime | None = None) -> Rollout:
    """Deploy the next step, when it is due and its guards hold.

    One transaction holds the deployment, the event and its notices. A second run of the same step
    changes nothing.
    """
    now = now or timezone.now()
    way = _locked(way, None)
    if way.next_at is None or way.next_at > now:
        return way  # another worker was faster
    overtaken = _overtaken(way, now)
    if overtaken:
        return _end(way, overtaken, None)
    look = watching.look(way)
    if look.failed:
        return _guard_failed(way, look)
    return _step(way, look, None, now)


@transaction.atomic
def go_on(
    way: Rollout, *, by: User, seen: int, why: str = "", now: datetime | None = None
) -> Rollout:
    """Deploy the next step at once, as a person says; past a failed guard only with a reason.

    One transaction holds the deployment, the event with reason and figures, and its notices.

    Args:
        way: what moves.
        by: who wants it.
        seen: `last_event_id` of the rollout as the person saw it.
        why: in a sentence; needed when a guard fails.
        now: the moment; this one when None.

    Raises:
        NotAllowed: when the person may not deploy.
        Conflict: when it ended, or something happened to it since they looked.
        BadInput: when a guard fails and no reason is given.
    """
    now = now or timezone.now()
    way = _locked(way, by)
    if way.last_event_id != seen:  # a second click is no second step, and no guard fails unseen
        raise Conflict("It moved on meanwhile; look again.")
    _check_moves(way)
    overtaken = _overtaken(way, now)
    if overtaken:
        return _end(way, overtaken, by)
    look = watching.look(way)
    if look.failed and not why.strip():
        said = " ".join(look.failed)
        raise BadInput(f"{said} Say in a sentence why it goes on all the same.")
    return _step(way, look, by, now, why.strip()[:400])


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

    One that has not begun waits for the time that was signed.

    Raises:
        NotAllowed: when the person may not deploy.
        Conflict: when it is not paused.
    """
    way = _locked(way, by)
    if way.state != _STATES.PAUSED:
        raise Conflict("This rollout is not paused.")
    now = now or timezone.now()
    way.state = _STATES.RUNNING if way.done else _STATES.WAITING
    way.why, way.next_at = "", _again_at(way, now)
    return _keep(way, _KINDS.RESUMED, by, "")


def _again_at(way: Rollout, now: datetime) -> datetime:
    if not way.done:
        return _first_at(way.signoff, now)
    return now + timedelta(hours=way.steps[way.done - 1]["hours"])


@transaction.atomic
def roll_back(
    project: Project,
    *,
    by: User,
    reason: str,
    to: Literal["always_expensive", "previous"] = "always_expensive",
) -> Deployment:
    """Leave the live policy at once, and end the rollout that is under way.

    One transaction holds the deployment, the end of the rollout, that of the alarms about what is
    left, and who did it why. It takes no sign-off: what it goes back to is always expensive, or was
    signed before.

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
    alerts.leave(project, f"Ended by a rollback: {reason}", by=by)
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


def fall_back(row: SignOff, why: str) -> Deployment:
    """Send everything to EXPENSIVE and end the rollout under way, in the caller's transaction.

    For what a signed plan says of its own policy: it takes no sign-off.

    Args:
        row: whose policy decides; its project is locked.
        why: in a sentence.
    """
    end(row.project, why)
    assert row.policy_after is not None, "the database holds it"
    safe = policy.always_expensive(row.policy_after, why)
    return policy.deploy(safe, by=None, reason=f"Sign-off {row.pk}: {why}")


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
        "signoff__policy_after__router", "signoff__policy_before", "signoff__study", "project"
    ).get(pk=way.pk)


def _check_moves(way: Rollout) -> None:
    if not way.is_active:
        raise Conflict(f"This rollout is {way.get_state_display().lower()} already.")


def _overtaken(way: Rollout, now: datetime) -> str:
    """Return why this rollout cannot go on: its end came from elsewhere; empty when it can."""
    row = way.signoff
    # The clock, too: `expiry` looks every ten minutes only, steps are taken every few seconds.
    if row.state != SignOff.State.APPROVED or (row.expires_at and row.expires_at <= now):
        return "Its sign-off expired."
    return "" if _is_ours(way) else "Another policy went live meanwhile."


def _is_ours(way: Rollout) -> bool:
    """Return whether what is deployed is this rollout's last step, or what it begins from."""
    live, row = policy.deployment(way.project), way.signoff
    expected = (row.policy_after_id, way.share) if way.done else (row.policy_before_id, 1.0)
    return live is not None and (live.policy_id, live.share) == expected


def _step(
    way: Rollout, look: watching.Look, by: User | None, now: datetime, why: str = ""
) -> Rollout:
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
    alerts.leave(way.project, "Another sign-off is live since.", by=by)
    if is_last:
        living.open_for(way.signoff, signatures.plan(way.signoff), now)
    why = "; ".join(filter(None, [why, *look.failed]))
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
    if way.done and _is_ours(way):
        before = way.signoff.policy_before
        reason = f"Sign-off {way.signoff_id} stopped: {why}"
        said["deployment"] = policy.deploy(before, by=by, reason=reason)
        alerts.leave(way.project, f"Its rollout was stopped: {why}", by=by)
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
