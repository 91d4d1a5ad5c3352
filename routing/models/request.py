"""The ledger: one request, its decision, and the completions it got."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from routing.models.access import ApiKey, Project
from routing.models.count import counted_decisions
from routing.models.immutable import Immutable, append_only
from routing.models.policy import Policy
from routing.types import Reason, Tier

if TYPE_CHECKING:
    from routing.models.shadow import ShadowJob

TIERS = [(tier.value, tier.value.capitalize()) for tier in Tier]
REASONS = [(reason.value, reason.value.replace("_", " ")) for reason in Reason]


class Request(Immutable):
    """One request that got a reply (an answer or the provider's error). Written by recording."""

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(Project, models.CASCADE, related_name="requests")
    api_key = models.ForeignKey(ApiKey, models.SET_NULL, null=True, related_name="+")
    received_at = models.DateTimeField()
    wire = models.CharField(max_length=20)
    asked_model = models.CharField(max_length=120)
    payload = models.JSONField()
    query = models.TextField()
    task = models.CharField(max_length=40)
    metadata = models.JSONField(default=dict)
    headers = models.JSONField(
        default=dict, db_default={}, help_text="The client's headers that the provider got too"
    )
    url_query = models.CharField(max_length=500, blank=True, default="", db_default="")
    session = models.CharField(
        max_length=120, blank=True, default="", db_default="", help_text="As the client named it"
    )
    end_user = models.CharField(
        max_length=64, blank=True, db_default="",
        help_text="Keyed hash of the end user whom the client named",
    )  # fmt: skip
    redacted = models.JSONField(
        default=dict, db_default={}, help_text="What was taken out before storing, counted by kind"
    )
    is_stream = models.BooleanField(default=False, db_default=False)
    status = models.PositiveSmallIntegerField()
    error = models.CharField(max_length=200, blank=True)
    overhead_ms = models.FloatField()
    latency_ms = models.FloatField(null=True)

    class Meta:
        # Serves the newest requests of a project and its studies' windows.
        indexes = [
            models.Index(fields=["project", "-received_at"], name="request_window"),
            # Serves the deletion of everything about one end user.
            models.Index(
                fields=["project", "end_user"],
                condition=~models.Q(end_user=""),
                name="request_end_user",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def shadow_job(self) -> ShadowJob | None:
        """The job of its pair; read from `shadow_jobs` where these were read ahead."""
        jobs = self.shadow_jobs.all()
        return next((job for job in jobs if job.purpose == job.Purpose.PAIR), None)

    @property
    def rewrite_usd(self) -> Decimal | None:
        """What making its query self-contained cost; None when that is not known."""
        found = getattr(self, "retrieval", None)
        return Decimal(0) if found is None else found.cost_usd


class Decision(Immutable):
    """Where the request went and why; the threshold is the one it was decided by."""

    request = models.OneToOneField(Request, models.CASCADE, primary_key=True)
    policy = models.ForeignKey(Policy, models.CASCADE, related_name="decisions")
    tier = models.CharField(max_length=10, choices=TIERS)
    reason = models.CharField(max_length=30, choices=REASONS)
    rule = models.CharField(max_length=60, blank=True)
    score = models.FloatField(null=True)
    threshold = models.FloatField()
    confidence = models.FloatField(
        null=True, help_text="What the cheap model said of its own answer, in [0, 1]"
    )
    probe_usd = models.DecimalField(
        max_digits=20, decimal_places=12, null=True,
        help_text="What asking the cheap model before deciding cost",
    )  # fmt: skip
    probe_ms = models.FloatField(null=True, help_text="How long that took")

    class Meta:
        triggers = [append_only(), *counted_decisions()]

    def __str__(self) -> str:
        return f"{self.tier} ({self.reason})"


class Completion(Immutable):
    """One model's stored reply. At most one per request, tier and ordinal, ever.

    The first answers are those of a pair; the second one of EXPENSIVE is that of a repeat,
    its third that on another retrieval.
    """

    SECOND = 2
    #: EXPENSIVE's answer on another retrieval.
    ELSEWHERE = 3

    request = models.ForeignKey(Request, models.CASCADE, related_name="completions")
    tier = models.CharField(max_length=10, choices=TIERS)
    ordinal = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="Which of the tier's answers to this request"
    )
    is_shadow = models.BooleanField()
    is_probe = models.BooleanField(
        default=False, db_default=False,
        help_text="Asked before the decision; not what the client got, and paid by serving",
    )  # fmt: skip
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    text = models.TextField()
    body = models.JSONField()
    stop_reason = models.CharField(max_length=40, blank=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    cache_write_tokens = models.PositiveIntegerField(default=0, db_default=0)
    cache_write_1h_tokens = models.PositiveIntegerField(default=0, db_default=0)
    cache_read_tokens = models.PositiveIntegerField(default=0, db_default=0)
    cost_usd = models.DecimalField(max_digits=20, decimal_places=12, null=True)
    latency_ms = models.FloatField(null=True)
    is_partial = models.BooleanField(
        default=False, db_default=False,
        help_text="The stream broke off: never half of a pair",
    )  # fmt: skip
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["request", "tier", "ordinal"], name="completion_once_per_ordinal"
            )
        ]
        # Serves the search for what was written since usage was last summed up.
        indexes = [BrinIndex(fields=["created_at"], name="completion_created", autosummarize=True)]

    def __str__(self) -> str:
        return f"{self.tier} completion of {self.request_id}"
