"""Rollouts: how an approved policy becomes live, step by step, and what lets it."""

import pgtrigger
from django.conf import settings
from django.db import models

from reviews.models.signoff import SignOff
from routing.models import Deployment, Project
from routing.models.immutable import Immutable, append_only, kept_with

# Besides what a sign-off approved: always expensive, at any time; a project's first policy, also on
# the way back; the demo, whose answers are made up.
_SIGNED = """
IF EXISTS (SELECT FROM routing_project WHERE id = NEW.project_id AND kind = 'demo')
    OR NOT EXISTS (SELECT FROM routing_deployment WHERE project_id = NEW.project_id)
THEN RETURN NEW; END IF;
IF EXISTS (
    SELECT FROM routing_policy AS target WHERE target.id IN (NEW.policy_id, NEW.rest_id)
    AND NOT (target.threshold <= 0 AND NOT EXISTS (
        SELECT FROM jsonb_each_text(target.thresholds) AS task WHERE task.value::float > 0))
    AND NOT EXISTS (SELECT FROM reviews_signoff AS signed
        WHERE signed.policy_after_id = target.id AND signed.project_id = NEW.project_id
        AND signed.state IN ('approved', 'expired'))
    AND target.id <> (SELECT policy_id FROM routing_deployment
        WHERE project_id = NEW.project_id ORDER BY id LIMIT 1))
THEN RAISE EXCEPTION 'A policy that asks the cheap tier takes an approved sign-off.'; END IF;
RETURN NEW;
"""


_AS_SIGNED = """
IF (NEW.project_id, NEW.signoff_id, NEW.steps) IS DISTINCT FROM
    (OLD.project_id, OLD.signoff_id, OLD.steps)
THEN RAISE EXCEPTION 'The steps of a rollout are those that were signed.'; END IF;
RETURN NEW;
"""


class SignedDeployment(Deployment):
    """The deployments table as sign-offs guard it: a trigger refuses what nobody approved.

    A proxy, since routing does not know of sign-offs.
    """

    class Meta:
        proxy = True
        triggers = [
            pgtrigger.Trigger(
                name="signed", operation=pgtrigger.Insert, when=pgtrigger.Before, func=_SIGNED
            )
        ]

    def __str__(self) -> str:
        return f"deployment {self.pk}"


class Rollout(models.Model):
    """One approved policy on its way to all requests.

    Written with the last approval; moved by the beat task and by people who may deploy. `done` is
    how many of its steps are live. A project has one rollout under way.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting for its time"
        RUNNING = "running", "Under way"
        PAUSED = "paused", "Paused"
        STOPPED = "stopped", "Stopped"
        COMPLETE = "complete", "Complete"

    ACTIVE = (State.WAITING, State.RUNNING, State.PAUSED)

    project = models.ForeignKey(Project, models.CASCADE, related_name="rollouts")
    signoff = models.OneToOneField(SignOff, models.CASCADE, related_name="way")
    steps = models.JSONField(help_text="Each a share and how many hours it is watched")
    done = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    why = models.CharField(max_length=400, blank=True, help_text="Why it paused or stopped")
    next_at = models.DateTimeField(null=True, help_text="When the next step is due")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(state__in=["waiting", "running", "paused"]),
                name="one_rollout_per_project",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=["waiting", "running"], next_at__isnull=False)
                | models.Q(state__in=["paused", "stopped", "complete"], next_at__isnull=True),
                name="rollout_due_while_moving",
            ),
        ]
        triggers = [
            pgtrigger.FSM(
                name="moves",
                field="state",
                transitions=[
                    ("waiting", "running"), ("waiting", "paused"), ("waiting", "stopped"),
                    ("waiting", "complete"), ("running", "paused"), ("running", "stopped"),
                    ("running", "complete"), ("paused", "waiting"), ("paused", "running"),
                    ("paused", "stopped"), ("paused", "complete"),
                ],
            ),
            pgtrigger.Trigger(
                name="as_signed",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=_AS_SIGNED,
            ),
            kept_with(signoff_id="reviews_signoff"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"rollout of {self.signoff}"

    @property
    def share(self) -> float:
        """The share of requests that the new policy decides now."""
        return self.steps[self.done - 1]["share"] if self.done else 0.0

    @property
    def last_event_id(self) -> int:
        """What happened last, 0 for nothing yet: whoever acts says what they had seen."""
        return self.events.values_list("pk", flat=True).last() or 0

    @property
    def is_active(self) -> bool:
        """Whether it can still move."""
        return self.state in self.ACTIVE


class RolloutEvent(Immutable):
    """One thing that happened to a rollout, with the figures it was decided on. Append-only."""

    class Kind(models.TextChoices):
        DEPLOYED = "deployed", "Deployed"
        GUARD_FAILED = "guard_failed", "A guard failed"
        PAUSED = "paused", "Paused"
        RESUMED = "resumed", "Resumed"
        STOPPED = "stopped", "Stopped"

    rollout = models.ForeignKey(Rollout, models.CASCADE, related_name="events")
    kind = models.CharField(max_length=12, choices=Kind)
    share = models.FloatField(help_text="Of requests, decided by the new policy afterwards")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    why = models.CharField(max_length=400, blank=True)
    figures = models.JSONField(default=list, help_text="What the guard compared")
    deployment = models.OneToOneField(Deployment, models.CASCADE, null=True, related_name="event")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        triggers = [append_only(), kept_with(rollout_id="reviews_rollout")]

    def __str__(self) -> str:
        return f"{self.kind} of {self.rollout_id}"
