"""Sign-offs: a request, its frozen evidence, its revisions, and what people said to it."""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from reviews.models.study import Study
from routing.models import Policy, Project
from routing.models.immutable import Immutable, append_only, kept_with

_STARTS = """
IF NEW.state <> 'requested' OR NEW.revision <> 1 OR NEW.policy_after_id IS NOT NULL
THEN RAISE EXCEPTION 'A sign-off begins as a request.'; END IF;
RETURN NEW;
"""
_FROZEN = """
IF (NEW.project_id, NEW.study_id, NEW.requester_id, NEW.required_roles)
    IS DISTINCT FROM (OLD.project_id, OLD.study_id, OLD.requester_id, OLD.required_roles)
THEN RAISE EXCEPTION 'Who asked about which study, and who has to sign, never changes.'; END IF;
IF (NEW.revision, NEW.threshold, NEW.thresholds, NEW.reason, NEW.evidence_id, NEW.policy_before_id,
        NEW.rollout, NEW.deploy_at, NEW.if_guard_fails)
    IS DISTINCT FROM (OLD.revision, OLD.threshold, OLD.thresholds, OLD.reason, OLD.evidence_id,
        OLD.policy_before_id, OLD.rollout, OLD.deploy_at, OLD.if_guard_fails)
    AND NOT (NEW.revision = OLD.revision + 1 AND NEW.state = 'requested'
        AND OLD.state IN ('requested', 'changes_requested')
        AND EXISTS (SELECT FROM reviews_revision AS kept WHERE kept.signoff_id = OLD.id
            AND kept.number = NEW.revision AND kept.evidence_id = NEW.evidence_id
            AND kept.threshold = NEW.threshold AND kept.thresholds = NEW.thresholds
            AND kept.reason = NEW.reason AND kept.rollout = NEW.rollout
            AND kept.deploy_at IS NOT DISTINCT FROM NEW.deploy_at
            AND kept.if_guard_fails = NEW.if_guard_fails))
THEN RAISE EXCEPTION 'What is asked for changes by a new revision, before it is decided.'; END IF;
IF OLD.policy_after_id IS NOT NULL AND NEW.policy_after_id IS DISTINCT FROM OLD.policy_after_id
THEN RAISE EXCEPTION 'The policy of a sign-off is written once.'; END IF;
IF OLD.expires_at IS NOT NULL AND NEW.expires_at IS DISTINCT FROM OLD.expires_at
THEN RAISE EXCEPTION 'A sign-off is prolonged by another one.'; END IF;
RETURN NEW;
"""
# Older policies lack what was added to a tier since; their copies say it.
_KNOWN = (
    """'{"base_url": "", "key_name": "", "follows_key": true, "context_tokens": null}'::jsonb"""
)
# Distinct by a unique constraint and never the requester's by a trigger: both are asked again here,
# since this is the row that lets a policy be deployed.
_SIGNED = """
IF NEW.state = 'approved' AND OLD.state <> 'approved' THEN
    IF cardinality(NEW.required_roles) = 0 OR EXISTS (
        SELECT FROM unnest(NEW.required_roles) AS needed(role) WHERE NOT EXISTS (
            SELECT FROM reviews_approval AS given WHERE given.signoff_id = NEW.id
            AND given.revision = NEW.revision AND given.role = needed.role
            AND given.decision = 'approve' AND given.user_id <> NEW.requester_id))
        OR (SELECT count(DISTINCT user_id) FROM reviews_approval WHERE signoff_id = NEW.id
            AND revision = NEW.revision AND decision = 'approve')
            < cardinality(NEW.required_roles)
    THEN RAISE EXCEPTION 'A sign-off takes an approval of each role, by different people.'; END IF;
    IF NOT EXISTS (SELECT FROM routing_policy AS target WHERE target.id = NEW.policy_after_id
        AND target.project_id = NEW.project_id AND target.threshold = NEW.threshold
        AND target.thresholds = NEW.thresholds)
    THEN RAISE EXCEPTION 'The policy is not the one that was approved.'; END IF;
    IF NOT EXISTS (SELECT FROM routing_policy AS target, routing_policy AS base,
        reviews_study AS study
        WHERE target.id = NEW.policy_after_id AND base.id = NEW.policy_before_id
        AND study.id = NEW.study_id AND target.router_id = study.router_id
        AND (target.router_id = base.router_id OR study.is_challenge)
        AND target.abstain = base.abstain
        AND {known} || target.cheap - 'price' = {known} || base.cheap - 'price'
        AND {known} || target.expensive - 'price' = {known} || base.expensive - 'price')
    THEN RAISE EXCEPTION 'The policy asks other models than the one before it, or has a router or'
        ' rules that were not studied.'; END IF;
END IF;
RETURN NEW;
""".replace("{known}", _KNOWN)
_FITS = """
SELECT * INTO asked FROM reviews_signoff WHERE id = NEW.signoff_id;
IF NEW.user_id = asked.requester_id
THEN RAISE EXCEPTION 'Nobody decides their own request.'; END IF;
IF asked.state <> 'requested' OR NEW.revision <> asked.revision
    OR NOT NEW.role = ANY (asked.required_roles)
THEN RAISE EXCEPTION 'There is nothing to decide for this role.'; END IF;
RETURN NEW;
"""


def _guard(name: str, operation: pgtrigger.Operation, func: str) -> pgtrigger.Trigger:
    return pgtrigger.Trigger(name=name, operation=operation, when=pgtrigger.Before, func=func)


class Evidence(Immutable):
    """What a sign-off rests on, frozen: the certificate, the curve, and what they were made from.

    Written by `evidence.freeze`. `inputs` holds the certificate's columns as a Parquet file, None
    in evidence of an earlier version; `sha256` is of `content`, which names the hash of `inputs`.
    """

    study = models.ForeignKey(Study, models.CASCADE, related_name="evidence")
    content = models.JSONField()
    inputs = models.BinaryField(null=True)
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]

    def __str__(self) -> str:
        return self.sha256[:12]


class SignOff(models.Model):
    """One request to make a threshold live.

    It holds what is asked for now; each edit adds a Revision, and approvals of earlier revisions
    count no more. Every required role approves through somebody else than the requester, one
    person for one role: a trigger lets no row become APPROVED otherwise. The state moves as
    TRANSITIONS says. `policy_after` is written with the last approval and deployed by a Rollout.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"
        EXPIRED = "expired", "Expired"

    class Guard(models.TextChoices):
        HOLD = "hold", "Keep the share and wait for a person"
        BACK = "back", "Go back to the policy before"

    TRANSITIONS = {
        State.REQUESTED: {State.APPROVED, State.REJECTED, State.CHANGES_REQUESTED, State.WITHDRAWN},
        State.CHANGES_REQUESTED: {State.REQUESTED, State.WITHDRAWN},
        State.APPROVED: {State.EXPIRED},
    }
    #: Not decided: one per project.
    OPEN = (State.REQUESTED, State.CHANGES_REQUESTED)
    #: Whose policy may be deployed, or stay.
    SIGNED = (State.APPROVED, State.EXPIRED)

    project = models.ForeignKey(Project, models.CASCADE, related_name="signoffs")
    study = models.ForeignKey(Study, models.CASCADE, related_name="signoffs")
    revision = models.PositiveSmallIntegerField(default=1, db_default=1)
    threshold = models.FloatField()
    thresholds = models.JSONField(default=dict, db_default={}, help_text="By task type")
    reason = models.TextField()
    rollout = models.JSONField(
        default=list, db_default=[],
        help_text="Steps of a ramp, as share and hours; empty is everything at once",
    )  # fmt: skip
    deploy_at = models.DateTimeField(
        null=True, blank=True, help_text="Not before; empty is with the last approval"
    )
    if_guard_fails = models.CharField(
        max_length=4, choices=Guard, default=Guard.HOLD, db_default="hold"
    )
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="signoffs")
    required_roles = ArrayField(models.CharField(max_length=20))
    evidence = models.OneToOneField(Evidence, models.PROTECT, related_name="signoff")
    policy_before = models.ForeignKey(Policy, models.PROTECT, related_name="+")
    policy_after = models.ForeignKey(
        Policy, models.PROTECT, null=True, related_name="signoffs", db_index=True
    )
    state = models.CharField(max_length=20, choices=State, default=State.REQUESTED)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    stale_at = models.DateTimeField(
        null=True, help_text="Since when an alarm says that traffic is not what was studied"
    )
    stale_why = models.CharField(max_length=400, blank=True, db_default="")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state__in=["approved", "expired"])
                | models.Q(policy_after__isnull=False),
                name="approved_has_policy",
            ),
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(state="requested"),
                name="one_open_signoff_per_project",
            ),
        ]
        triggers = [
            pgtrigger.FSM(
                name="moves",
                field="state",
                transitions=[
                    ("requested", "approved"), ("requested", "rejected"),
                    ("requested", "changes_requested"), ("requested", "withdrawn"),
                    ("changes_requested", "requested"), ("changes_requested", "withdrawn"),
                    ("approved", "expired"),
                ],
            ),
            _guard("starts", pgtrigger.Insert, _STARTS),
            _guard("frozen", pgtrigger.Update, _FROZEN),
            _guard("signed", pgtrigger.Update, _SIGNED),
            kept_with(project_id="routing_project"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"sign-off {self.pk}"


class Revision(Immutable):
    """What a sign-off asked for at one time, and on which evidence.

    Written with the request and with each edit, never changed. The newest is also in the sign-off.
    """

    signoff = models.ForeignKey(SignOff, models.CASCADE, related_name="revisions")
    number = models.PositiveSmallIntegerField()
    threshold = models.FloatField()
    thresholds = models.JSONField(default=dict)
    reason = models.TextField()
    rollout = models.JSONField(default=list)
    deploy_at = models.DateTimeField(null=True)
    if_guard_fails = models.CharField(max_length=4, choices=SignOff.Guard)
    evidence = models.OneToOneField(Evidence, models.PROTECT, related_name="revision")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["signoff", "number"], name="revision_number_once")
        ]
        triggers = [append_only(), kept_with(signoff_id="reviews_signoff")]

    def __str__(self) -> str:
        return f"revision {self.number} of {self.signoff_id}"


class Comment(Immutable):
    """One remark on a sign-off that decides nothing. Append-only."""

    signoff = models.ForeignKey(SignOff, models.CASCADE, related_name="comments")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    revision = models.PositiveSmallIntegerField()
    text = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        triggers = [append_only(), kept_with(signoff_id="reviews_signoff")]

    def __str__(self) -> str:
        return f"comment on {self.signoff_id}"


class Approval(Immutable):
    """What one person decided about one revision of a sign-off, for one role. Append-only.

    It counts while the sign-off has that revision: an edit revokes it, and the row stays.
    """

    class Decision(models.TextChoices):
        APPROVE = "approve", "Approved"
        REQUEST_CHANGES = "request_changes", "Requested changes"
        REJECT = "reject", "Rejected"

    signoff = models.ForeignKey(SignOff, models.CASCADE, related_name="approvals")
    revision = models.PositiveSmallIntegerField(default=1, db_default=1)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    role = models.CharField(max_length=20)
    decision = models.CharField(max_length=16, choices=Decision)
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        triggers = [
            append_only(),
            kept_with(signoff_id="reviews_signoff"),
            pgtrigger.Trigger(
                name="fits",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                declare=[("asked", "reviews_signoff%ROWTYPE")],
                func=_FITS,
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["signoff", "revision", "role"], name="one_decision_per_role"
            ),
            models.UniqueConstraint(
                fields=["signoff", "revision", "user"], name="one_role_per_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.decision}"
