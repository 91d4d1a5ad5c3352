"""What requests cost, summed by the hour; budgets; and what a provider says was used."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from routing.models.access import Project
from routing.models.immutable import Immutable, append_only
from routing.models.request import TIERS


class Usage(models.Model):
    """Calls of one hour (UTC) to one model in one role, for one task type of a project.

    Written by `usage`, which makes an hour anew from the ledger as long as its requests are there;
    it outlives them and holds no text. Money is of calls whose price is known; `unpriced` counts
    the others. `latency_counts` are calls by the buckets of `usage.LATENCY_MS`.
    """

    class Kind(models.TextChoices):
        SERVED = "served", "Answers that clients got"
        ASIDE = "aside", "Asked to decide: probes and rewritten queries"
        SHADOW = "shadow", "Shadow calls"
        JUDGE = "judge", "Judge calls"

    project = models.ForeignKey(Project, models.CASCADE, related_name="usage")
    hour = models.DateTimeField()
    kind = models.CharField(max_length=6, choices=Kind)
    tier = models.CharField(max_length=10, choices=TIERS, blank=True)
    provider = models.CharField(max_length=40, blank=True)
    model = models.CharField(max_length=120, blank=True)
    task = models.CharField(max_length=40, blank=True)
    calls = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    fallbacks = models.PositiveIntegerField(default=0)
    escalations = models.PositiveIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cache_write_tokens = models.BigIntegerField(default=0)
    cache_read_tokens = models.BigIntegerField(default=0)
    cost_usd = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    input_usd = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    output_usd = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    cache_usd = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    unpriced = models.PositiveIntegerField(default=0)
    latency_counts = ArrayField(models.PositiveIntegerField(), default=list)
    latency_ms_sum = models.FloatField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "hour", "kind", "tier", "provider", "model", "task"],
                name="usage_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.calls} {self.kind} calls to {self.model} in {self.hour}"


class Budget(models.Model):
    """What a project may cost in a month (UTC) before people are told; it stops nothing."""

    project = models.OneToOneField(Project, models.CASCADE, related_name="budget")
    monthly_usd = models.DecimalField(max_digits=12, decimal_places=2)
    warn_share = models.FloatField(default=0.8, help_text="Share of it at which people are warned")
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(monthly_usd__gt=0, warn_share__gt=0, warn_share__lte=1),
                name="budget_ranges",
            )
        ]

    def __str__(self) -> str:
        return f"{self.monthly_usd} USD a month"


class Reconciliation(Immutable):
    """One usage export of a provider, laid beside what is stored of the same days."""

    project = models.ForeignKey(
        Project, models.CASCADE, null=True, related_name="reconciliations",
        help_text="Compared with this one alone; all projects when empty",
    )  # fmt: skip
    name = models.CharField(max_length=200, help_text="Of the file")
    sha256 = models.CharField(max_length=64)
    provider = models.CharField(max_length=40)
    first_day = models.DateField()
    last_day = models.DateField()
    lines = models.JSONField(help_text="By day and model: theirs, ours")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        triggers = [append_only(but="made_by")]

    def __str__(self) -> str:
        return self.name
