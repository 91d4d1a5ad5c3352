"""Judges: who is asked beside people, what was asked, and what became of each call."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import models

from reviews.models.study import Study
from routing import pricing
from routing.models import ShadowPair
from routing.models.immutable import Immutable, append_only
from routing.types import TierSpec

#: A provider's batches cost half.
_BATCH_FACTOR = Decimal("0.5")


class JudgeSpec(Immutable):
    """One judge of one study: model, prompt and terms, frozen. Another prompt is another row.

    Written by `judging.create`. `sha256` is over all that decides a verdict, not over money or
    share: verdicts of one hash are one rater's. `framing` are the rules by which the answers are
    set apart as data, copied here so that a newer release asks an old judge as before.
    """

    DECIDES = (
        "provider", "model", "base_url", "prompt", "framing", "tool", "max_tokens", "temperature",
    )  # fmt: skip

    study = models.ForeignKey(Study, models.CASCADE, related_name="judges")
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=120)
    base_url = models.CharField(max_length=200, blank=True)
    key_name = models.CharField(max_length=80, blank=True)
    price = models.JSONField()
    prompt = models.TextField()
    framing = models.TextField()
    tool = models.JSONField()
    max_tokens = models.PositiveIntegerField()
    temperature = models.FloatField(null=True, help_text="None: the provider takes none")
    cap_usd = models.DecimalField(max_digits=12, decimal_places=4)
    share = models.FloatField(default=1.0, help_text="Seeded random share of the frame")
    allow_tier_model = models.BooleanField(default=False)
    use_batch = models.BooleanField(default=False)
    sha256 = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        triggers = [append_only()]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(share__gt=0, share__lte=1), name="judge_share_range"
            ),
            models.CheckConstraint(condition=models.Q(cap_usd__gte=0), name="judge_cap_range"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """What its verdicts are signed with: the model and the hash's beginning."""
        return f"{self.model} {self.sha256[:8]}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert the row with its hash."""
        text = json.dumps([getattr(self, name) for name in self.DECIDES], sort_keys=True)
        self.sha256 = hashlib.sha256(text.encode()).hexdigest()
        super().save(*args, **kwargs)

    @property
    def asked(self) -> TierSpec:
        """Who is asked, as providers know it, at the price that calls of this judge have."""
        price = pricing.from_json(self.price)
        if price is not None and self.use_batch:
            price = pricing.scaled(price, _BATCH_FACTOR)
        return TierSpec(self.provider, self.model, self.base_url, self.key_name, price)


class JudgeRun(models.Model):
    """How far a judge has come: on or off with the reason, and its money.

    The only row of a judge that changes. `spent_usd` is what calls cost, `reserved_usd` what calls
    under way hold; together they never pass the cap. Both change under the row's lock.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        STOPPED = "stopped", "Stopped"

    spec = models.OneToOneField(JudgeSpec, models.CASCADE, related_name="run")
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    reason = models.CharField(max_length=200, blank=True)
    looked_to = models.BigIntegerField(
        default=0, help_text="The study's last draw that was looked at"
    )
    spent_usd = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    reserved_usd = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    paused_until = models.DateTimeField(null=True, help_text="The provider asked to wait")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="stopped") | ~models.Q(reason=""),
                name="judge_stop_has_reason",
            )
        ]

    def __str__(self) -> str:
        return f"{self.spec_id}: {self.state}"


class JudgeBatch(models.Model):
    """One message batch at the provider; written before it is sent, so that none is lost.

    SUBMITTING becomes SENT when the provider gave its name, and ENDED when its results are stored
    or it is known that it never was. `token` is in the ids of its entries.
    """

    class State(models.TextChoices):
        SUBMITTING = "submitting", "Submitting"
        SENT = "sent", "Sent"
        ENDED = "ended", "Ended"

    spec = models.ForeignKey(JudgeSpec, models.CASCADE, related_name="batches")
    token = models.UUIDField(default=uuid4, unique=True)
    provider_id = models.CharField(max_length=120, blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.SUBMITTING)
    reason = models.CharField(max_length=200, blank=True)
    lease_until = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        # Serves the look for batches that are not stored yet.
        indexes = [
            models.Index(fields=["id"], name="judge_batch_open", condition=~models.Q(state="ended"))
        ]

    def __str__(self) -> str:
        return f"batch {self.provider_id or self.token}: {self.state}"


class JudgeCall(models.Model):
    """One call: one pair in one order. The rows are the queue, as in shadow jobs.

    PENDING becomes RUNNING or SKIPPED; RUNNING becomes DONE, FAILED, or PENDING again for another
    attempt. An end that is not DONE has a reason. Written by `judge_calls` alone. What is kept of
    an answer is the choice and both adequacies, no text.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        SKIPPED = "skipped", "Skipped"

    class Order(models.TextChoices):
        CHEAP_FIRST = "cheap_first", "Cheap first"
        EXPENSIVE_FIRST = "expensive_first", "Expensive first"

    class Choice(models.TextChoices):
        FIRST = "first", "First better"
        SECOND = "second", "Second better"
        TIE = "tie", "Tie"
        BOTH_BAD = "both_bad", "Both bad"

    OPEN = (State.PENDING, State.RUNNING)

    spec = models.ForeignKey(JudgeSpec, models.CASCADE, related_name="calls")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="judge_calls")
    order = models.CharField(max_length=16, choices=Order)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    reason = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    reserved_usd = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    batch = models.ForeignKey(JudgeBatch, models.SET_NULL, null=True, related_name="calls")
    choice = models.CharField(max_length=10, choices=Choice, blank=True)
    cheap_adequate = models.BooleanField(null=True)
    expensive_adequate = models.BooleanField(null=True)
    injection_suspected = models.BooleanField(default=False)
    cost_usd = models.DecimalField(max_digits=20, decimal_places=12, null=True)
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    request_id = models.CharField(max_length=120, blank=True, help_text="The provider's name of it")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # Serves the claim: due calls, oldest first.
            models.Index(
                fields=["due_at", "id"], name="judge_due", condition=models.Q(state="pending")
            ),
            # Serves the sweep for workers that died.
            models.Index(
                fields=["lease_until"], name="judge_leased", condition=models.Q(state="running")
            ),
            # Serves usage: what ended since the last look, and in an hour.
            models.Index(
                fields=["finished_at"],
                name="judge_finished",
                condition=models.Q(state__in=["done", "failed"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["spec", "pair", "order"], name="judge_asked_once"),
            models.CheckConstraint(
                condition=~models.Q(state__in=["failed", "skipped"]) | ~models.Q(reason=""),
                name="judge_end_has_reason",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="done") | ~models.Q(choice=""),
                name="judge_done_has_choice",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} call on pair {self.pair_id}, {self.order}"
