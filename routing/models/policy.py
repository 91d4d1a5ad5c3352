"""What decides: router versions, policies, and which policy is live since when."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.conf import settings
from django.db import models

from routing import pricing
from routing.models.access import Project
from routing.models.immutable import Immutable, append_only, kept_with
from routing.types import Tier, TierSpec


class RouterVersion(Immutable):
    """One fitted router. Written by training, never changed.

    `artifact` is an .npz without objects: loading it runs no code.
    """

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=40)
    embedder = models.CharField(max_length=80)
    artifact = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    is_starter = models.BooleanField(default=False)
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, related_name="routers",
        help_text="Whose labels trained it; none for what comes with the product",
    )  # fmt: skip
    trained_until = models.DateTimeField(
        null=True, help_text="When the newest request came that it was trained on"
    )
    card = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]

    def __str__(self) -> str:
        return self.name


class Policy(Immutable):
    """How one project routes: router, threshold, the model of each tier, shadow rates.

    Written by `policy.create`, never changed: another threshold is another policy.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="policies")
    number = models.PositiveIntegerField()
    router = models.ForeignKey(RouterVersion, models.RESTRICT)
    threshold = models.FloatField()
    thresholds = models.JSONField(
        default=dict, db_default={}, help_text="By task type; tasks not named go by `threshold`"
    )
    cheap = models.JSONField()
    expensive = models.JSONField()
    shadow_rate_expensive = models.FloatField(default=1.0)
    shadow_rate_cheap = models.FloatField(default=1.0)
    repeat_rate = models.FloatField(
        default=0.0, db_default=0.0,
        help_text="Share of requests whose EXPENSIVE tier is asked once more, for the A/A floor",
    )  # fmt: skip
    retrieval_rate = models.FloatField(
        default=0.0, db_default=0.0,
        help_text="Share of pairs with retrieval whose EXPENSIVE tier answers on another one too",
    )  # fmt: skip
    abstain = models.JSONField(
        default=list, db_default=[], help_text="Rules under which requests go to EXPENSIVE unscored"
    )
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        triggers = [append_only()]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="policy_number_once"),
            models.CheckConstraint(
                condition=models.Q(threshold__gte=0, threshold__lte=2),
                name="policy_threshold_range",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    shadow_rate_expensive__range=(0, 1), shadow_rate_cheap__range=(0, 1)
                ),
                name="policy_shadow_rates_range",
            ),
            models.CheckConstraint(
                condition=models.Q(repeat_rate__range=(0, 1)), name="policy_repeat_rate_range"
            ),
            models.CheckConstraint(
                condition=models.Q(retrieval_rate__range=(0, 1)), name="policy_retrieval_rate_range"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What a client may ask for instead of `auto`, and what headers and pages show."""
        return f"policy-{self.number}"

    def threshold_for(self, task: str) -> float:
        """Return what a request of this task type is compared with."""
        return self.thresholds.get(task, self.threshold)

    def tier_spec(self, tier: Tier) -> TierSpec:
        """Return who plays the tier."""
        return self._tier_specs[tier]

    @cached_property
    def _tier_specs(self) -> dict[Tier, TierSpec]:
        """Both, read once: rows never change, and every request asks several times."""
        return {tier: self._read_spec(tier) for tier in Tier}

    def _read_spec(self, tier: Tier) -> TierSpec:
        data: dict[str, Any] = dict(self.cheap if tier is Tier.CHEAP else self.expensive)
        # Policies older than the word follow the key: nobody could name a provider then.
        known = {"follows_key": True, **data}
        return TierSpec(**{**known, "price": pricing.from_json(data.get("price"))})

    def shadow_rate(self, shadow_tier: Tier) -> float:
        """Return the share of requests whose shadow call asks this tier."""
        is_cheap = shadow_tier is Tier.CHEAP
        return self.shadow_rate_cheap if is_cheap else self.shadow_rate_expensive

    @property
    def identity(self) -> dict[str, dict[str, str]]:
        """Who answers: provider, model and address of each tier. Evidence is about them alone."""
        names = ("provider", "model", "base_url")
        return {
            tier.value: {name: getattr(self, tier.value).get(name, "") for name in names}
            for tier in Tier
        }

    @property
    def is_always_expensive(self) -> bool:
        """Whether no score is low enough for CHEAP, whatever the task type."""
        return not any((self.threshold, *self.thresholds.values()))

    @property
    def is_simulated(self) -> bool:
        """Whether no real model is asked."""
        return "simulated" in {self.cheap.get("provider"), self.expensive.get("provider")}


class Deployment(Immutable):
    """One move of the pointer: this policy is live from now on, by whom and why.

    Written by `policy.deploy`. The newest row of a project is what is live, so "what was live on
    Tuesday" is a query. On a ramp (`share` under 1) the policy decides that share of the requests,
    and `rest` the others; at share 1 there is no rest.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="deployments")
    policy = models.ForeignKey(Policy, models.CASCADE, related_name="deployments")
    deployed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    share = models.FloatField(
        default=1.0, db_default=1.0, help_text="Of the requests, drawn by a hash; less on a ramp"
    )
    rest = models.ForeignKey(
        Policy, models.CASCADE, null=True, blank=True, related_name="+",
        help_text="Who decides the other requests of a ramp",
    )  # fmt: skip
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(share=1)
                | models.Q(share__gt=0, share__lt=1, rest__isnull=False),
                name="deployment_share_has_rest",
            )
        ]
        # Serves "which deployment is live": the newest row of one project.
        indexes = [models.Index(fields=["project", "-id"], name="deployment_live")]
        # Kept: without the newest row, the one before it would be live again.
        triggers = [append_only(), kept_with(project_id="routing_project")]

    def __str__(self) -> str:
        return f"{self.policy} since {self.created_at:%Y-%m-%d %H:%M}"
