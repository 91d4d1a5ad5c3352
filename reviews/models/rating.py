"""Ratings: who is asked, what was shown, what was said blind, and what it means unblinded."""

from django.conf import settings
from django.db import models

from reviews.models.sampling import SampledPair
from reviews.models.study import Study
from routing.models import Project, ShadowPair
from routing.models.immutable import Immutable, append_only
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

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "name", "project"], name="rater_once", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return self.name


class Slot(models.Model):
    """One place for one rating of one sampled pair; leased to one rater at a time.

    Claimed with SELECT … FOR UPDATE SKIP LOCKED. `order` is u over the inclusion probability:
    raters who stop early have rated a smaller random sample, not a biased one.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        LEASED = "leased", "Leased"
        DONE = "done", "Done"

    sampled_pair = models.ForeignKey(SampledPair, models.CASCADE, related_name="slots")
    study = models.ForeignKey(Study, models.CASCADE, related_name="slots")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="slots")
    ordinal = models.PositiveSmallIntegerField()
    order = models.FloatField()
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    rater = models.ForeignKey(Rater, models.SET_NULL, null=True, related_name="slots")
    lease_until = models.DateTimeField(null=True)

    class Meta:
        # Serves the hand-out: the next open slot of a study in random order.
        indexes = [
            models.Index(
                fields=["study", "order"], name="slot_next", condition=~models.Q(state="done")
            )
        ]
        constraints = [
            models.UniqueConstraint(fields=["sampled_pair", "ordinal"], name="slot_ordinal_once"),
            models.UniqueConstraint(
                fields=["sampled_pair", "rater"],
                name="slot_rater_once",
                condition=models.Q(rater__isnull=False),
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
    shown_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]

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
    comment = models.TextField(blank=True)
    seconds = models.FloatField(help_text="Active time on the page, as the browser counted it")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]

    def __str__(self) -> str:
        return self.choice


class Reveal(Immutable):
    """A rater has seen which answer of a pair is which, so they can no longer rate it blind.

    Written by `rating.reveal` before the Pairs page shows the pair.
    """

    rater = models.ForeignKey(Rater, models.CASCADE, related_name="reveals")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="reveals")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]
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

    study = models.ForeignKey(Study, models.CASCADE, related_name="verdicts")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="verdicts")
    rater = models.ForeignKey(Rater, models.CASCADE, related_name="verdicts")
    rating = models.OneToOneField(Rating, models.CASCADE, null=True, related_name="verdict")
    preference = models.CharField(max_length=10, choices=Preference, blank=True)
    cheap_adequate = models.BooleanField(null=True)
    expensive_adequate = models.BooleanField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]
        # Serves the estimate: the newest verdict of each rater on each pair of a study.
        indexes = [
            models.Index(fields=["study", "pair", "rater", "-id"], name="verdict_newest"),
            # Serves the moment of an estimate: the newest verdict of all.
            models.Index(fields=["study", "-id"], name="verdict_last"),
        ]

    def __str__(self) -> str:
        return f"{self.preference or 'adequacy only'} by {self.rater_id}"
