"""What was settled where raters disagreed."""

from django.db import models

from reviews.models.rating import Rater, Rating, Verdict
from reviews.models.study import Study
from routing.models import ShadowPair
from routing.models.immutable import Immutable, append_only, kept_with


class Adjudication(Immutable):
    """One answer to a disagreement, given blind by a lead, by tier.

    It makes gold and shows what guidelines lack. It never enters an estimate: that is about what
    a rater of the pool says, and an adjudicated pair would count by another standard.
    """

    class Cause(models.TextChoices):
        SLIP = "slip", "Somebody slipped"
        GUIDELINE = "guideline", "The guidelines leave it open"
        TASTE = "taste", "A matter of taste"
        KNOWLEDGE = "knowledge", "It takes knowledge of the field"
        AMBIGUOUS = "ambiguous", "The question is ambiguous"
        BROKEN = "broken", "An answer is broken"

    study = models.ForeignKey(Study, models.CASCADE, related_name="adjudications")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="adjudications")
    rater = models.ForeignKey(Rater, models.CASCADE, related_name="adjudications")
    rating = models.OneToOneField(Rating, models.CASCADE, related_name="adjudication")
    preference = models.CharField(max_length=10, choices=Verdict.Preference)
    cheap_adequate = models.BooleanField()
    expensive_adequate = models.BooleanField()
    cause = models.CharField(max_length=10, choices=Cause)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [
            append_only(),
            kept_with(
                study_id="reviews_study", pair_id="routing_shadowpair", rater_id="reviews_rater"
            ),
        ]
        indexes = [models.Index(fields=["study", "pair", "-id"], name="adjudicated_newest")]

    def __str__(self) -> str:
        return f"{self.preference} of {self.pair_id}"
