"""Sign-offs: a request, its frozen evidence, and who approved it."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from reviews.models.study import Study
from routing.models import Policy, Project
from routing.models.immutable import Immutable, append_only


class Evidence(Immutable):
    """What a sign-off rests on, frozen: inputs and outputs of the curve, and their hash."""

    study = models.ForeignKey(Study, models.CASCADE, related_name="evidence")
    content = models.JSONField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]

    def __str__(self) -> str:
        return self.sha256[:12]


class SignOff(models.Model):
    """One request to make a threshold live.

    The requester signs for their own role by asking; every other required role signs through an
    Approval by somebody else. The state moves as TRANSITIONS says.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    TRANSITIONS = {
        State.REQUESTED: {State.APPROVED, State.REJECTED, State.CHANGES_REQUESTED, State.WITHDRAWN},
        State.CHANGES_REQUESTED: {State.WITHDRAWN},
    }

    project = models.ForeignKey(Project, models.CASCADE, related_name="signoffs")
    study = models.ForeignKey(Study, models.CASCADE, related_name="signoffs")
    threshold = models.FloatField()
    reason = models.TextField()
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="signoffs")
    requester_role = models.CharField(max_length=20, blank=True)
    required_roles = ArrayField(models.CharField(max_length=20))
    evidence = models.OneToOneField(Evidence, models.PROTECT, related_name="signoff")
    policy_before = models.ForeignKey(Policy, models.PROTECT, related_name="+")
    policy_after = models.ForeignKey(Policy, models.PROTECT, null=True, related_name="+")
    state = models.CharField(max_length=20, choices=State, default=State.REQUESTED)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="approved") | models.Q(policy_after__isnull=False),
                name="approved_has_policy",
            ),
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(state="requested"),
                name="one_open_signoff_per_project",
            ),
        ]

    def __str__(self) -> str:
        return f"sign-off {self.pk}"


class Approval(Immutable):
    """What one person said to a sign-off, for one role. Append-only."""

    class Decision(models.TextChoices):
        APPROVE = "approve", "Approved"
        REQUEST_CHANGES = "request_changes", "Requested changes"
        REJECT = "reject", "Rejected"

    signoff = models.ForeignKey(SignOff, models.CASCADE, related_name="approvals")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    role = models.CharField(max_length=20)
    decision = models.CharField(max_length=16, choices=Decision)
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        triggers = [append_only()]
        constraints = [
            models.UniqueConstraint(fields=["signoff", "role"], name="one_decision_per_role"),
            models.UniqueConstraint(fields=["signoff", "user"], name="one_role_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.decision}"
