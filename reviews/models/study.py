"""Studies: one shadow evaluation each."""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from routing.models import Policy, Project, RouterVersion
from routing.models.immutable import Immutable, append_only

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


# A sign-off lets the router live that its study is about: what that is, is said once.
_SUBJECT = """
IF (NEW.policy_id, NEW.router_id, NEW.is_challenge, NEW.seed, NEW.watches_id)
    IS DISTINCT FROM (OLD.policy_id, OLD.router_id, OLD.is_challenge, OLD.seed, OLD.watches_id)
THEN RAISE EXCEPTION 'What a study is about never changes, nor does its seed.'; END IF;
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

    class Loss(models.TextChoices):
        HARM = "harm", "The expensive answer was better"
        INADEQUATE = "inadequate", "The cheap answer is not good enough"
        STRICT_HARM = "strict_harm", "The expensive answer was better and the cheap one not enough"

    class Judge(models.TextChoices):
        SHOWN = "shown", "Beside people, to be looked at"
        CERTIFICATE = "certificate", "Helps people: their ratings correct it in the certificate"

    class Expiry(models.TextChoices):
        KEEP = "keep", "Keep the policy, with a warning on every page"
        ALWAYS_EXPENSIVE = "always_expensive", "Go back to always expensive"

    class AfterAlarm(models.TextChoices):
        MARK = "mark", "Mark the sign-off stale, with a warning on every page"
        FLOOR = "floor", "Mark it; a floor found broken goes back to always expensive"
        ALWAYS_EXPENSIVE = "always_expensive", "Every alarm goes back to always expensive"

    class Basis(models.TextChoices):
        WINDOW = "window", "The window was over"
        EARLY = "early", "Certified before the window was over"
        FUTILE = "futile", "No useful threshold can hold the floor"
        BY_HAND = "by_hand", "Closed by hand before the window was over"

    project = models.ForeignKey(Project, models.CASCADE, related_name="studies")
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    policy = models.ForeignKey(
        Policy, models.CASCADE, related_name="studies",
        help_text="Its router and models are studied: the live one at its start, or a challenger's",
    )  # fmt: skip
    router = models.ForeignKey(RouterVersion, models.RESTRICT, related_name="+")
    is_challenge = models.BooleanField(
        default=False, db_default=False,
        help_text="The router decided none of these requests: it scored them in the background",
    )  # fmt: skip
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
    loss = models.CharField(max_length=12, choices=Loss, default=Loss.HARM, db_default="harm")
    floor = models.FloatField(default=0.05, help_text="Largest share of requests made worse")
    confidence = models.FloatField(
        default=0.95, db_default=0.95, help_text="With which the floor is to hold"
    )
    adequacy_floor = models.FloatField(
        null=True, blank=True,
        help_text="Smallest share of adequate answers among the cheap-routed; empty is none",
    )  # fmt: skip
    by_task = models.BooleanField(
        default=False, db_default=False,
        help_text="The error is spent on a threshold for each task type, not on one for all",
    )  # fmt: skip
    early_stop = models.BooleanField(
        default=True, db_default=True,
        help_text="A fifth of the error is spent on looking while ratings come in",
    )  # fmt: skip
    rating_budget = models.PositiveIntegerField(
        default=0,
        db_default=0,
        help_text="Pairs of the queue rated at most; 0 is all",
    )
    judge_role = models.CharField(
        max_length=12, choices=Judge, default=Judge.SHOWN, db_default="shown"
    )
    guardrails = models.JSONField(
        default=list, db_default=[],
        help_text="Outcomes that must not fall: metric and the largest drop allowed",
    )  # fmt: skip
    certified_only = models.BooleanField(
        default=True, db_default=True, help_text="Only certified thresholds can be signed"
    )
    valid_days = models.PositiveSmallIntegerField(
        default=90, db_default=90, help_text="After so many days a sign-off expires"
    )
    after_expiry = models.CharField(
        max_length=16, choices=Expiry, default=Expiry.KEEP, db_default="keep"
    )
    after_alarm = models.CharField(
        max_length=16, choices=AfterAlarm, default=AfterAlarm.FLOOR, db_default="floor"
    )
    watches = models.ForeignKey(
        "reviews.SignOff", models.CASCADE, null=True, blank=True, related_name="living",
        help_text="The living sample of this sign-off: rated after go-live, never signed",
    )  # fmt: skip
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    closed_why = models.CharField(max_length=200, blank=True, db_default="")
    closed_basis = models.CharField(max_length=10, choices=Basis, blank=True, db_default="")
    closed_draw = models.BigIntegerField(null=True, help_text="The last draw that counts")
    closed_verdict = models.BigIntegerField(null=True, help_text="The last verdict that counts")
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
            models.CheckConstraint(
                condition=models.Q(floor__gt=0, floor__lt=1, confidence__gte=0.5, confidence__lt=1),
                name="study_floor_range",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="closed") | models.Q(closed_at__isnull=False),
                name="study_closed_has_time",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="questions_stay",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=_RATED,
            ),
            pgtrigger.Trigger(
                name="subject_stays",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=_SUBJECT,
            ),
        ]

    def __str__(self) -> str:
        return self.name


class PlanChange(Immutable):
    """One change of a study's plan after it was locked: a deviation, printed with its results.

    Written by `planning`, never changed. `n_rated` is how many pairs were rated by then.
    """

    study = models.ForeignKey(Study, models.CASCADE, related_name="plan_changes")
    field = models.CharField(max_length=40)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    reason = models.CharField(max_length=400)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    n_rated = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.field}: {self.before} to {self.after}"
