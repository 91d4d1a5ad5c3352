"""Request, decide, deploy: how a threshold becomes live, and the only way it does.

The requester signs for their own role by asking. Every other required role is signed by somebody
else, one person one role. With the last signature the policy is written and deployed in the same
transaction.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from reviews import estimation, permissions
from reviews.errors import Conflict, NotAllowed, NothingToSign
from reviews.models import Approval, Evidence, Rater, SignOff, Study
from routing import policy
from routing.models import Policy

_STATES = SignOff.State
_DECISIONS = Approval.Decision


@dataclass(frozen=True)
class Seen:
    """What somebody looked at: whose ratings, up to which moment, and the hash of the inputs."""

    kind: str
    moment: estimation.Moment
    inputs_sha256: str


def freeze(study: Study, threshold: float, seen: Seen | None = None) -> Evidence:
    """Write the evidence of a threshold: the whole curve, what it rests on, and the hash.

    Args:
        study: whose sample and ratings count.
        threshold: a point of the curve.
        seen: what was looked at; the study's default kind of rater and now when None.

    Raises:
        Conflict: when the inputs are not those that were looked at.
        NothingToSign: when no pair of the study is rated so, only a judge has spoken, or the
            threshold is no point of the curve.
    """
    kind, moment = (seen.kind, seen.moment) if seen else ("", None)
    estimate = estimation.estimate(study, kind, moment)
    if estimate.kind == Rater.Kind.LLM_JUDGE:
        raise NothingToSign("A judge alone carries no sign-off; people have to rate.")
    if seen and seen.inputs_sha256 != estimate.inputs_sha256:
        raise Conflict("The numbers moved since you looked at them; look again.")
    if not estimate.n_rated:
        raise NothingToSign("No pair of this study is rated yet, so there is nothing to sign.")
    point = estimation.point_at(estimate, threshold)
    if abs(point["threshold"] - threshold) > 1e-9:
        raise NothingToSign(f"Thresholds go in steps of 0.01; {threshold:g} is between two.")
    content: dict[str, Any] = {
        "study": {"id": study.pk, "name": study.name, "seed": study.seed, "rate": study.rate},
        "router": {"name": study.router.name, "sha256": study.router.sha256},
        "models": study.policy.identity,
        "threshold": threshold,
        "raters": estimate.kind,
        "n_frame": estimate.n_frame,
        "n_selected": estimate.n_selected,
        "n_rated": estimate.n_rated,
        "n_waiting": estimate.n_waiting,
        "n_newer": estimate.n_newer,
        "moment": str(estimate.moment),
        "n_without_score": estimate.n_without_score,
        "missing": estimate.missing,
        "inputs_sha256": estimate.inputs_sha256,
        "level": estimate.level,
        "floor": study.floor,
        "point": point,
        "points": estimate.points,
    }
    if point["degradation"] is None:
        raise NothingToSign("Nobody has compared the answers yet: what gets worse is not known.")
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Evidence.objects.create(study=study, content=content, sha256=digest)


@transaction.atomic
def request(
    *, study: Study, user: User, threshold: float, reason: str, seen: Seen | None = None
) -> SignOff:
    """Ask for a threshold to be made live, on the evidence that was looked at.

    `seen` says what that was, as in `freeze`.

    Raises:
        NotAllowed: when the person has no signing role.
        NothingToSign: when nothing is rated, or no reason is given.
        Conflict: when the study's router is not the live one, or another request is open.
    """
    permissions.check(user, "request_signoff")
    _check_threshold(threshold)
    if not reason.strip():
        raise NothingToSign("Say in a sentence why this threshold should go live.")
    # Before the lock: an estimate takes its time, and nothing else should wait for it.
    evidence = freeze(study, threshold, seen)
    policy.lock(study.project)  # one request at a time
    live = policy.live(study.project)
    if live is None or live.router_id != study.router_id:
        raise Conflict("The live policy uses another router than this study.")
    if live.identity != study.policy.identity:
        raise Conflict("The live policy asks other models than this study compared.")
    if study.project.signoffs.filter(state=_STATES.REQUESTED).exists():
        raise Conflict("Another sign-off is waiting in this project; decide or withdraw it first.")
    own = sorted(permissions.roles_of(user) & set(settings.SHADOWEVAL_SIGNOFF_ROLES))
    return SignOff.objects.create(
        project=study.project,
        study=study,
        threshold=threshold,
        reason=reason,
        requester=user,
        requester_role=own[0] if own else "",
        required_roles=settings.SHADOWEVAL_SIGNOFF_ROLES,
        evidence=evidence,
        policy_before=live,
    )


def _check_threshold(threshold: float) -> None:
    if not 0 <= threshold <= estimation.ALWAYS_CHEAP:
        raise NothingToSign(
            "A threshold lies between 0 (always expensive) and 1.01 (always cheap)."
        )


def open_roles(row: SignOff) -> list[str]:
    """Return the required roles that have not signed yet."""
    signed = {row.requester_role} | set(
        row.approvals.filter(decision=_DECISIONS.APPROVE).values_list("role", flat=True)
    )
    return [role for role in row.required_roles if role not in signed]


def role_for(row: SignOff, user: User) -> str | None:
    """Return the role under which the person may decide now, or None.

    Never the requester, never twice.
    """
    is_open = row.state == _STATES.REQUESTED
    if not is_open or row.requester_id == user.pk or row.approvals.filter(user=user).exists():
        return None
    roles = permissions.roles_of(user)
    return next((role for role in open_roles(row) if role in roles), None)


@transaction.atomic
def decide(row: SignOff, *, user: User, decision: str, comment: str = "") -> SignOff:
    """Sign for one's role, or send back, or reject; the last signature deploys.

    Raises:
        NotAllowed: when the person may not decide this one.
        NothingToSign: when a refusal comes without a word why.
        Conflict: when it was decided meanwhile, or another policy went live.
    """
    row = SignOff.objects.select_for_update().get(pk=row.pk)
    if row.state != _STATES.REQUESTED:
        raise Conflict(f"This sign-off is {row.get_state_display().lower()} already.")
    role = role_for(row, user)
    if role is None:
        raise NotAllowed("This takes another person, with a role that has not signed yet.")
    if decision != _DECISIONS.APPROVE and not comment.strip():
        raise NothingToSign("Say why, so that the requester knows what to change.")
    Approval.objects.create(signoff=row, user=user, role=role, decision=decision, comment=comment)
    if decision == _DECISIONS.REJECT:
        return _move(row, _STATES.REJECTED)
    if decision == _DECISIONS.REQUEST_CHANGES:
        return _move(row, _STATES.CHANGES_REQUESTED)
    return row if open_roles(row) else _deploy(row, user)


def is_stale(row: SignOff) -> bool:
    """Return whether another policy went live since the request: it can only be asked again."""
    live = policy.live(row.project)
    return row.state == _STATES.REQUESTED and (live is None or live.pk != row.policy_before_id)


def _deploy(row: SignOff, user: User) -> SignOff:
    policy.lock(row.project)  # a rollback at this moment comes wholly before or wholly after
    if is_stale(row):
        raise Conflict("Another policy went live since this was requested; request it again.")
    live = row.policy_before
    target: Policy = policy.with_threshold(live, row.threshold, f"Sign-off {row.pk}")
    row.policy_after = target
    policy.deploy(target, by=user, reason=f"Sign-off {row.pk}: {row.reason}")
    return _move(row, _STATES.APPROVED)


@transaction.atomic
def withdraw(row: SignOff, *, user: User) -> SignOff:
    """Take a request back.

    Raises:
        NotAllowed: when somebody else requested it.
        Conflict: when it was decided already.
    """
    row = SignOff.objects.select_for_update().get(pk=row.pk)
    if row.requester_id != user.pk:
        raise NotAllowed("Only the person who requested a sign-off can withdraw it.")
    return _move(row, _STATES.WITHDRAWN)


def _move(row: SignOff, state: str) -> SignOff:
    allowed = SignOff.TRANSITIONS.get(SignOff.State(row.state), set())
    if state not in allowed:
        raise Conflict(f"A sign-off that is {row.get_state_display().lower()} cannot change.")
    row.state, row.decided_at = state, timezone.now()
    row.save(update_fields=["state", "decided_at", "policy_after"])
    return row
