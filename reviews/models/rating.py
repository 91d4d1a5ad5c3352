"""Ratings: who is asked, what was shown, what was said blind, and what it means unblinded."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Value

from reviews.models.guidance import Guideline
from reviews.models.sampling import SampledPair
from reviews.models.study import Study
from routing.models import Project, ShadowPair
from routing.models.immutable import Immutable, append_only, kept_with
from routing.models.request import TIERS


class Rater(models.Model):
    """One source of verdicts. An answer key and a judge are never passed off as people."""

    class Kind(models.TextChoices):
        HUMAN = "human", "People"
        LLM_JUDGE = "llm_judge", "LLM judge"
        ANSWER_KEY = "answer_key", "Answer key"

    kind = models.CharField(max_length=12, choices=Kind)
    name = models.CharField(max_length=150)
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="rater"
    )
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, related_name="raters",
        help_text="Set for raters that came with imported labels",
    )  # fmt: skip
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    pause_reason = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "name", "project"], name="rater_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.name


class Slot(models.Model):
    """One place for one rating of one pair; leased to one rater at a time.

    Those of the sample are written with the draw and claimed with SELECT … FOR UPDATE SKIP LOCKED.
    `order` is u over the inclusion probability: raters who stop early have rated a smaller random
    sample, not a biased one. The other kinds are written for one rater when they are handed out;
    of a check, `order` is the number of pairs the rater had rated.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        LEASED = "leased", "Leased"
        DONE = "done", "Done"
        GIVEN_UP = "given_up", "Given up: nobody could judge it"

    class Kind(models.TextChoices):
        SAMPLE = "sample", "Sample"
        PRACTICE = "practice", "Practice"
        GOLD = "gold", "Gold"
        REPEAT = "repeat", "Repeat"
        IDENTICAL = "identical", "Identical answers"
        ADJUDICATION = "adjudication", "Adjudication"
        AGAIN = "again", "One model, asked twice"
        RETRIEVAL = "retrieval", "One model, two retrievals"

    #: Kinds that look at the rater; they never count as evidence.
    CHECKS = (Kind.GOLD, Kind.REPEAT, Kind.IDENTICAL)
    #: What comes among the sample, and a rater must not tell from it.
    HIDDEN = (*CHECKS, Kind.AGAIN, Kind.RETRIEVAL)

    kind = models.CharField(
        max_length=12, choices=Kind, default=Kind.SAMPLE, db_default=Kind.SAMPLE.value
    )
    sampled_pair = models.ForeignKey(
        SampledPair, models.CASCADE, related_name="slots", null=True, blank=True
    )
    study = models.ForeignKey(Study, models.CASCADE, related_name="slots")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="slots")
    ordinal = models.PositiveSmallIntegerField()
    order = models.FloatField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    rater = models.ForeignKey(Rater, models.SET_NULL, null=True, related_name="slots")
    lease_until = models.DateTimeField(null=True)

    class Meta:
        triggers = [kept_with(study_id="reviews_study", pair_id="routing_shadowpair")]
        # Serves the hand-out: the next open slot of a study in random order.
        indexes = [
            models.Index(
                fields=["study", "order"],
                name="slot_next",
                condition=models.Q(state__in=["open", "leased"]),
            ),
            # Serves what one rater did and holds.
            models.Index(fields=["study", "rater", "kind"], name="slot_of_rater"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(kind="sample") | models.Q(sampled_pair__isnull=False),
                name="sample_slot_has_draw",
            ),
            models.UniqueConstraint(fields=["sampled_pair", "ordinal"], name="slot_ordinal_once"),
            models.UniqueConstraint(
                fields=["sampled_pair", "rater"],
                name="slot_rater_once",
                condition=models.Q(rater__isnull=False),
            ),
            # Serves the A/A floor, too.
            models.UniqueConstraint(
                fields=["study", "pair"],
                name="slot_again_once",
                condition=models.Q(kind="again"),
            ),
            # Serves the blame, too.
            models.UniqueConstraint(
                fields=["study", "pair"],
                name="slot_retrieval_once",
                condition=models.Q(kind="retrieval"),
            ),
        ]

    def __str__(self) -> str:
        return f"slot {self.ordinal} of {self.sampled_pair_id}: {self.state}"


class Presentation(Immutable):
    """One showing of one pair to one rater: which tier stood on the left.

    The side is drawn at hand-out and stays on the server; the browser gets `token` only.
    """

    token = models.UUIDField(unique=True)
    slot = models.ForeignKey(Slot, models.CASCADE, related_name="presentations")
    rater = models.ForeignKey(Rater, models.CASCADE, related_name="presentations")
    left = models.CharField(max_length=10, choices=TIERS)
    guideline = models.ForeignKey(Guideline, models.CASCADE, null=True, related_name="+")
    asks_origin = models.BooleanField(
        default=False,
        db_default=False,
        help_text="After the verdict: which answer came from the costlier model?",
    )
    leaks = models.JSONField(
        default=dict,
        db_default={},
        help_text="By tier, the kinds of what could tell the model that were found",
    )
    shown_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only(), kept_with(slot_id="reviews_slot", rater_id="reviews_rater")]
        # Serves a rater's showings, the newest first.
        indexes = [models.Index(fields=["rater", "-id"], name="shown_newest")]

    def __str__(self) -> str:
        return f"presentation {self.token}"


class Rating(Immutable):
    """What a person said, blind: in terms of A (left) and B (right). Append-only.

    A correction is a newer row for the same presentation.
    """

    class Choice(models.TextChoices):
        A_MUCH = "a_much", "A much better"
        A_SLIGHTLY = "a_slightly", "A slightly better"
        EQUAL = "equal", "About equal"
        B_SLIGHTLY = "b_slightly", "B slightly better"
        B_MUCH = "b_much", "B much better"
        BOTH_BAD = "both_bad", "Both bad"

    presentation = models.ForeignKey(Presentation, models.CASCADE, related_name="ratings")
    choice = models.CharField(max_length=12, choices=Choice)
    left_adequate = models.BooleanField()
    right_adequate = models.BooleanField()
    left_supported = models.BooleanField(
        null=True, help_text="By the sources; none where there are none or nobody said"
    )
    right_supported = models.BooleanField(null=True)
    reasons = ArrayField(
        models.CharField(max_length=40), default=list, db_default=Value("{}"), blank=True
    )
    comment = models.TextField(blank=True)
    seconds = models.FloatField(help_text="Active time on the page, as the browser counted it")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only(), kept_with(presentation_id="reviews_presentation")]

    def __str__(self) -> str:
        return self.choice


class Skip(Immutable):
    """A rater could not judge what was shown, and why. The slot goes to others."""

    class Reason(models.TextChoices):
        CANNOT_JUDGE = "cannot_judge", "I can’t judge this"
        PERSONAL_DATA = "personal_data", "It holds personal data"
        BROKEN = "broken", "It is broken or empty"
        LEAKS = "leaks", "It tells which model wrote it"
        OTHER = "other", "Something else"

    presentation = models.ForeignKey(Presentation, models.CASCADE, related_name="skips")
    reason = models.CharField(max_length=15, choices=Reason)
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only(), kept_with(presentation_id="reviews_presentation")]

    def __str__(self) -> str:
        return self.reason


class OriginGuess(Immutable):
    """Which answer a rater took for the costlier model's, asked after their verdict."""

    class Guess(models.TextChoices):
        LEFT = "left", "A"
        RIGHT = "right", "B"
        UNSURE = "unsure", "Can’t tell"

    presentation = models.OneToOneField(Presentation, models.CASCADE, related_name="origin_guess")
    guess = models.CharField(max_length=6, choices=Guess)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only(), kept_with(presentation_id="reviews_presentation")]

    def __str__(self) -> str:
        return self.guess


class Reveal(Immutable):
    """A rater has seen which answer of a pair is which, so they can no longer rate it blind.

    Written by `revealing.reveal` before the Pairs page shows the pair, and by
    `revealing.reveal_rated` before an export tells raters what they rated.
    """

    rater = models.ForeignKey(Rater, models.CASCADE, related_name="reveals")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="reveals")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [
            append_only(),
            kept_with(rater_id="reviews_rater", pair_id="routing_shadowpair"),
        ]
        constraints = [models.UniqueConstraint(fields=["rater", "pair"], name="revealed_once")]

    def __str__(self) -> str:
        return f"pair {self.pair_id} to {self.rater_id}"


class Verdict(Immutable):
    """What one rater holds of one pair, by tier: a rating unblinded, or an imported label.

    Append-only: of several rows by one rater on one pair, the newest counts.
    """

    class Preference(models.TextChoices):
        CHEAP = "cheap", "Cheap better"
        TIE = "tie", "Tie"
        EXPENSIVE = "expensive", "Expensive better"
        BOTH_BAD = "both_bad", "Both bad"
        CANNOT = "cannot", "Could not be judged"
        SPLIT = "split", "A judge's two orders disagree"

    #: What a person can say of two answers.
    ANSWERS = Preference.choices[:4]

    study = models.ForeignKey(Study, models.CASCADE, related_name="verdicts")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="verdicts")
    rater = models.ForeignKey(Rater, models.CASCADE, related_name="verdicts")
    rating = models.OneToOneField(Rating, models.CASCADE, null=True, related_name="verdict")
    preference = models.CharField(max_length=10, choices=Preference, blank=True)
    cheap_adequate = models.BooleanField(null=True)
    expensive_adequate = models.BooleanField(null=True)
    cheap_supported = models.BooleanField(null=True, help_text="By the sources it was given")
    expensive_supported = models.BooleanField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [
            append_only(),
            kept_with(
                study_id="reviews_study", pair_id="routing_shadowpair", rater_id="reviews_rater"
            ),
        ]
        # Serves the estimate: the newest verdict of each rater on each pair of a study.
        indexes = [
            models.Index(fields=["study", "pair", "rater", "-id"], name="verdict_newest"),
            # Serves the moment of an estimate: the newest verdict of all.
            models.Index(fields=["study", "-id"], name="verdict_last"),
        ]

    def __str__(self) -> str:
        return f"{self.preference or 'adequacy only'} by {self.rater_id}"
