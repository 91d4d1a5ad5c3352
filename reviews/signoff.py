"""Request, discuss, change, decide: how a threshold comes to be approved, and the only way it does.

Every required role approves through somebody else than the requester, one person for one role. An
edit makes new evidence, and earlier approvals count no more. Approved is not live: the last
approval writes the policy and its rollout, and `rollout` deploys it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from reviews import (
    asking,
    audit,
    chain,
    evidence,
    notices,
    permissions,
    rollout,
    scoring,
    signatures,
    standing,
    statements,
)
from reviews.asking import Asked
from reviews.errors import BadInput, Conflict, NotAllowed, NothingToSign
from reviews.models import Approval, Comment, Revision, SignOff, Study
from routing import policy
from routing.models import Policy, Project

_STATES = SignOff.State
_DECISIONS = Approval.Decision
_CHANGED = "It was changed meanwhile; look at what it asks for now."


@transaction.atomic
def request(
    *,
    study: Study,
    user: User,
    reason: str,
    threshold: float,
    seen: evidence.Seen | None = None,
    **said: Any,
) -> SignOff:
    """Ask for a threshold to be made live, on the evidence that was looked at.

    One transaction holds the request, its first revision and its evidence. Asking twice is refused
    while the first request waits.

    Args:
        study: whose evidence it is.
        user: who asks; they decide nothing of it.
        reason: why, in a sentence.
        threshold: for task types without one of their own.
        seen: what was looked at, as in `evidence.freeze`.
        said: `thresholds`, `rollout`, `at` and `if_guard_fails`, as in `asking.read`.

    Raises:
        NotAllowed: when the person has no signing role.
        NothingToSign: when nothing is rated, or no reason is given.
        BadInput: when the ramp or the time cannot be.
        Conflict: when the study's router or models are not the live ones, another request is open
            or on its way, or the study is a living sample.
    """
    permissions.check(user, "request_signoff")
    if study.watches_id:
        raise Conflict("A living sample watches what was signed; it is never signed itself.")
    asked = asking.read(study, threshold=threshold, reason=reason, **said)
    # Before the lock: an estimate takes its time, and nothing else should wait for it.
    frozen = evidence.freeze(study, asked.threshold, asked.thresholds, seen)
    policy.lock(study.project)  # one request at a time
    live = _base(study)
    _check_free(study.project)
    row = SignOff.objects.create(
        project=study.project, study=study, requester=user, evidence=frozen, policy_before=live,
        required_roles=settings.SHADOWEVAL_SIGNOFF_ROLES, **vars(asked),
    )  # fmt: skip
    _keep_revision(row, asked, "signoff.requested")
    text = f"{user.username} asks for {row.threshold:g}; your signature is needed."
    _tell(row, "signoff.requested", text, signatures.signers(row), user)
    return row


@transaction.atomic
def edit(
    row: SignOff,
    *,
    user: User,
    reason: str,
    threshold: float,
    seen: evidence.Seen | None = None,
    **said: Any,
) -> SignOff:
    """Ask for something else instead: a new revision on new evidence, which nobody approved yet.

    One transaction holds the revision, its evidence and the state, REQUESTED again. Arguments as in
    `request`.

    Raises:
        NotAllowed: when somebody else requested it.
        Conflict: when it is decided, or was edited since `row` was read; and as `request` does.
    """
    _check_own(row, user)
    seen_revision = row.revision
    asked = asking.read(row.study, threshold=threshold, reason=reason, **said)
    frozen = evidence.freeze(row.study, asked.threshold, asked.thresholds, seen)
    row = _locked(row)
    if row.state not in SignOff.OPEN:
        raise Conflict(f"This sign-off is {row.get_state_display().lower()} already.")
    if row.revision != seen_revision:
        raise Conflict(_CHANGED)
    _check_free(row.project, but=row)
    revoked = len(signatures.given(row))
    row.policy_before = _base(row.study)
    row.evidence, row.revision, row.state = frozen, row.revision + 1, _STATES.REQUESTED
    for name, value in vars(asked).items():
        setattr(row, name, value)
    # First: the sign-off may only ask for what a revision says.
    _keep_revision(row, asked, "signoff.edited")
    row.save()
    revoking = f" Approvals revoked: {revoked}." if revoked else ""
    text = f"{user.username} changed it; it asks for {row.threshold:g} now.{revoking}"
    _tell(row, "signoff.edited", text, signatures.signers(row), user)
    return row


def _check_own(row: SignOff, user: User) -> None:
    if row.requester_id != user.pk:
        raise NotAllowed("Only the person who requested a sign-off can change or withdraw it.")
    permissions.check(user, "request_signoff")


def _base(study: Study) -> Policy:
    """Return the live policy, which the new one is a copy of but for its thresholds.

    And but for its router, where the study is about a challenger.
    """
    live = policy.live(study.project)
    if live is None or not (study.is_challenge or scoring.is_live(study, live)):
        raise Conflict("The live policy uses another router than this study.")
    if live.identity != study.policy.identity:
        raise Conflict("The live policy asks other models than this study compared.")
    if live.abstain != study.policy.abstain:
        raise Conflict("The live policy abstains by other rules than this study's.")
    return live


def _check_free(project: Project, but: SignOff | None = None) -> None:
    waiting = project.signoffs.filter(state=_STATES.REQUESTED)
    others = waiting.exclude(pk=but.pk) if but else waiting
    if others.exists():
        raise Conflict("Another sign-off is waiting in this project; decide or withdraw it first.")
    if rollout.under_way(project) is not None:
        raise Conflict("A rollout is under way in this project; finish or stop it first.")
    live = policy.deployment(project)
    if live is not None and live.rest is not None:  # its sign-off expired half way, and it stayed
        raise Conflict(f"{live.policy} decides {live.share:.0%} of requests only: roll back first.")


def _keep_revision(row: SignOff, asked: Asked, event: str) -> None:
    Revision.objects.create(signoff=row, number=row.revision, evidence=row.evidence, **vars(asked))
    _note(
        row, row.requester, event,
        threshold=row.threshold, evidence=row.evidence.sha256, roles=row.required_roles,
        policy_before=row.policy_before.name, said=chain.sha256(statements.of_revision(row)),
    )  # fmt: skip


def decide(row: SignOff, *, user: User, decision: str, comment: str = "") -> SignOff:
    """Approve for one's role, or send back, or reject; the last approval starts the rollout.

    What is decided is the revision that `row` holds. One transaction holds the decision, the state,
    and with the last approval the policy and its rollout. A second run is refused.

    Raises:
        NotAllowed: when the person may not decide this one.
        NothingToSign: when a refusal comes without a word why.
        BadInput: when the comment is too long.
        Conflict: when it was decided or edited meanwhile, or its evidence is stale.
    """
    if decision == _DECISIONS.APPROVE:
        _check_fresh(row)  # before the lock: it may compute the curve again
    return _decide(row, user, decision, asking.words(comment))


@transaction.atomic
def _decide(seen: SignOff, user: User, decision: str, comment: str) -> SignOff:
    row = _locked(seen)
    if row.state != _STATES.REQUESTED:
        raise Conflict(f"This sign-off is {row.get_state_display().lower()} already.")
    if row.revision != seen.revision:
        raise Conflict(_CHANGED)
    role = signatures.role_for(row, user)
    if role is None:
        raise NotAllowed("This takes another person, with a role that has not signed yet.")
    if decision != _DECISIONS.APPROVE and not comment:
        raise NothingToSign("Say why, so that the requester knows what to change.")
    said = Approval.objects.create(
        signoff=row, revision=row.revision, user=user, role=role, decision=decision, comment=comment
    )
    hashed = chain.sha256(statements.of_decision(said, user.username))
    _note(row, user, f"signoff.{decision}", role=role, revision=row.revision, said=hashed)
    text = f"{said.get_decision_display()} by {user.username} for {role}."
    _tell(row, f"signoff.{decision}", text, [row.requester], user)
    return _moved_by(row, decision)


def _moved_by(row: SignOff, decision: str) -> SignOff:
    if decision == _DECISIONS.REJECT:
        return _move(row, _STATES.REJECTED)
    if decision == _DECISIONS.REQUEST_CHANGES:
        return _move(row, _STATES.CHANGES_REQUESTED)
    return row if signatures.open_roles(row) else _approve(row)


def _approve(row: SignOff) -> SignOff:
    _check_still(row)
    now, note = timezone.now(), f"Sign-off {row.pk}"
    router = row.study.router
    target = policy.with_threshold(
        row.policy_before, row.threshold, note, row.thresholds, router,
        shadow_rate=shadow_rate(row.policy_before),
    )  # fmt: skip
    row.policy_after = target
    row.expires_at = now + timedelta(days=signatures.plan(row)["valid_days"])
    row = _move(row, _STATES.APPROVED)
    rollout.start(row, now)
    _note(row, None, "signoff.approved", policy=target.name, expires=str(row.expires_at))
    _tell(row, "signoff.approved", "All roles approved; its rollout begins.", [row.requester], None)
    return row


def shadow_rate(before: Policy) -> float:
    """Return the share of requests that a signed policy still has asked of both models.

    No more than the policy before it had, and enough for the living sample.
    """
    had = min(before.shadow_rate_cheap, before.shadow_rate_expensive)
    wanted = min(had, settings.SHADOWEVAL_LIVE_SHADOW_RATE)
    return max(wanted, settings.SHADOWEVAL_LIVING_RATE)


def _check_still(row: SignOff) -> None:
    """Ask again, under the lock, what can change meanwhile and is quickly asked.

    A rollback, a change of the plan or of somebody's roles comes wholly before or wholly after.
    """
    if signatures.is_overtaken(row):
        raise Conflict(signatures.OVERTAKEN)
    study = Study.objects.select_for_update(no_key=True).get(pk=row.study_id)
    changed = standing.changed_plan(study, row.evidence.content)
    _refuse(signatures.left(row) + changed)


def _check_fresh(row: SignOff) -> None:
    _refuse(signatures.staleness(row))


def _refuse(why: list[str]) -> None:
    if why:
        raise Conflict(f"{' '.join(why)} Its requester can edit it, which makes new evidence.")


@transaction.atomic
def comment(row: SignOff, *, user: User, text: str) -> Comment:
    """Say something that decides nothing.

    Raises:
        NotAllowed: when the person may not comment.
        BadInput: when nothing is said, or too much.
    """
    permissions.check(user, "comment_signoff")
    text = asking.words(text)
    if not text:
        raise BadInput("Write a comment first.")
    policy.lock(row.project)  # the order in which every writer of a sign-off locks
    said = Comment.objects.create(signoff=row, user=user, revision=row.revision, text=text)
    hashed = chain.sha256(statements.of_comment(said))
    _note(row, user, "signoff.commented", comment=said.pk, said=hashed)
    to = [row.requester, *(one.user for one in row.approvals.select_related("user"))]
    _tell(row, "signoff.commented", f"{user.username} commented.", to, user)
    return said


@transaction.atomic
def withdraw(row: SignOff, *, user: User) -> SignOff:
    """Take a request back.

    Raises:
        NotAllowed: when somebody else requested it.
        Conflict: when it was decided already.
    """
    _check_own(row, user)
    row = _move(_locked(row), _STATES.WITHDRAWN)
    _note(row, user, "signoff.withdrawn")
    _tell(row, "signoff.withdrawn", f"{user.username} withdrew it.", signatures.signers(row), user)
    return row


def _locked(row: SignOff) -> SignOff:
    """Lock project and sign-off in this order; every change of either does."""
    policy.lock(row.project)
    rows = SignOff.objects.select_for_update(of=("self",))
    related = ("study__policy", "study__router", "project", "policy_before")
    return rows.select_related(*related).get(pk=row.pk)


def _move(row: SignOff, state: str) -> SignOff:
    allowed = SignOff.TRANSITIONS.get(SignOff.State(row.state), set())
    if state not in allowed:
        raise Conflict(f"A sign-off that is {row.get_state_display().lower()} cannot change.")
    row.state, row.decided_at = state, timezone.now()
    row.save(update_fields=["state", "decided_at", "policy_after", "expires_at"])
    return row


def _note(row: SignOff, actor: User | None, event: str, **detail: Any) -> None:
    audit.write(row.project, actor, event, f"signoff {row.pk}", detail)


def _tell(row: SignOff, event: str, text: str, to: list[User], by: User | None) -> None:
    last = audit.last_of(row.project, f"signoff {row.pk}")
    notices.tell(row, event, text, to, key=f"{event}:{last}", by=by)
