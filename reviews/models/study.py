"""Studies: one shadow evaluation each."""

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models

from routing.models import Policy, Project, RouterVersion

#: Reasons offered with a verdict unless the study has its own.
REASONS = ["correct", "complete", "concise", "clear", "follows instructions", "safe", "style"]
_RATED = """
IF (NEW.preference_question, NEW.adequacy_question, NEW.reasons)
    IS DISTINCT FROM (OLD.preference_question, OLD.adequacy_question, OLD.reasons)
    AND EXISTS (SELECT FROM reviews_rating AS rating
        JOIN reviews_presentation AS shown ON shown.id = rating.presentation_id
        JOIN reviews_slot AS slot ON slot.id = shown.slot_id WHERE slot.study_id = OLD.id)
THEN RAISE EXCEPTION 'The questions of a study that was rated never change.'; END IF;
RETURN NEW;
"""


def default_reasons() -> list[str]:
    """Return the reasons a new study offers."""
    return list(REASONS)


class Study(models.Model):
    """One shadow evaluation: window, sampling plan, floor, seed.

    Written on the Threshold page, by `replay` and by `demo`. Seed, router and sampling plan never
    change once it runs; its questions never once somebody answered them.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        RUNNING = "running", "Running"
        CLOSED = "closed", "Closed"

    project = models.ForeignKey(Project, models.CASCADE, related_name="studies")
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    policy = models.ForeignKey(
        Policy, models.CASCADE, related_name="studies",
        help_text="The live policy at its start: its router and models are what is studied",
    )  # fmt: skip
    router = models.ForeignKey(RouterVersion, models.PROTECT, related_name="+")
    seed = models.CharField(max_length=40)
    window_days = models.PositiveSmallIntegerField(default=14)
    rate = models.FloatField(
        default=0.15, help_text="Share of pairs drawn for calibration; of the lowest score band"
    )
    tilt = models.FloatField(
        default=1.0, help_text="How many times likelier the highest score band is drawn"
    )
    train_rate = models.FloatField(
        default=0.0, help_text="Share of pairs drawn for training; none of them calibrates"
    )
    ratings_per_pair = models.PositiveSmallIntegerField(default=1)
    second_share = models.FloatField(
        default=0.15, help_text="Share of the pairs that gets one rating more, for agreement"
    )
    rater_target = models.PositiveSmallIntegerField(
        default=40, help_text="Pairs each rater is asked for"
    )
    check_every = models.PositiveSmallIntegerField(
        default=10, help_text="About every n-th showing checks the rater; 0 is never"
    )
    origin_every = models.PositiveSmallIntegerField(
        default=10, help_text="About every n-th pair asks which model answered; 0 is never"
    )
    practice_pairs = models.PositiveSmallIntegerField(
        default=5, help_text="Gold pairs with feedback before a rater's first real one"
    )
    masks_leaks = models.BooleanField(default=True)
    normalises_style = models.BooleanField(default=False)
    preference_question = models.CharField(max_length=200, default="Which answer is better?")
    adequacy_question = models.CharField(max_length=200, default="Is it good enough to send?")
    reasons = ArrayField(models.CharField(max_length=40), default=default_reasons, blank=True)
    largest_threshold = models.FloatField(
        default=1.01, help_text="Pairs scored at or above it cannot matter and are not drawn"
    )
    floor = models.FloatField(default=0.05, help_text="Largest share of requests made worse")
    looked_to = models.BigIntegerField(
        default=0, help_text="The last pair that was looked at, whether it belongs here or not"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rate__gt=0, rate__lte=1), name="study_rate_range"
            ),
            models.CheckConstraint(
                condition=models.Q(tilt__gte=1, tilt__lte=4), name="study_tilt_range"
            ),
            models.CheckConstraint(
                condition=models.Q(train_rate__gte=0)
                & models.Q(train_rate__lte=1 - models.F("rate") * models.F("tilt")),
                name="study_draws_fit",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="questions_stay",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=_RATED,
            )
        ]

    def __str__(self) -> str:
        return self.name
