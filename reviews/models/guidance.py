"""What raters are told: guidelines by version, who read which, and pairs whose answer is known."""

from django.conf import settings
from django.db import models

from reviews.models.study import Study
from routing.models import ShadowPair
from routing.models.immutable import Immutable, append_only, kept_with


class Guideline(Immutable):
    """One version of a study's guidelines, in markdown. A change is a new version."""

    study = models.ForeignKey(Study, models.CASCADE, related_name="guidelines")
    version = models.PositiveIntegerField()
    body = models.TextField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-version"]
        triggers = [append_only(but="created_by"), kept_with(study_id="reviews_study")]
        constraints = [
            models.UniqueConstraint(fields=["study", "version"], name="guideline_version_once")
        ]

    def __str__(self) -> str:
        return f"guidelines {self.version} of {self.study_id}"


class GuidelineRead(Immutable):
    """A rater has read a version of the guidelines, and says so."""

    guideline = models.ForeignKey(Guideline, models.CASCADE, related_name="reads")
    rater = models.ForeignKey("reviews.Rater", models.CASCADE, related_name="guidelines_read")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [
            append_only(),
            kept_with(guideline_id="reviews_guideline", rater_id="reviews_rater"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["guideline", "rater"], name="guideline_read_once")
        ]

    def __str__(self) -> str:
        return f"{self.guideline_id} by {self.rater_id}"


class Gold(models.Model):
    """A pair whose answer is known: it teaches raters, or checks them without saying so.

    Written by leads. Only `retired_at` ever changes. Ratings of it are never evidence, except
    where the pair was drawn and the rater got it as part of the sample.
    """

    class Use(models.TextChoices):
        PRACTICE = "practice", "Practice, with feedback"
        HIDDEN = "hidden", "Hidden check"

    study = models.ForeignKey(Study, models.CASCADE, related_name="golds")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="golds")
    use = models.CharField(max_length=8, choices=Use)
    preference = models.CharField(max_length=10)
    cheap_adequate = models.BooleanField(null=True)
    expensive_adequate = models.BooleanField(null=True)
    explanation = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["study", "pair"], name="gold_once"),
            models.CheckConstraint(
                condition=models.Q(preference__in=["cheap", "tie", "expensive", "both_bad"]),
                name="gold_has_answer",
            ),
        ]

    def __str__(self) -> str:
        return f"gold {self.pair_id} in {self.study_id}"
