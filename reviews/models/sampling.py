"""The frame of a study and what was drawn from it."""

from django.db import models

from reviews.models.study import Study
from reviews.models.triggers import training_pairs_never_calibrate
from routing.models import ShadowPair
from routing.models.immutable import Immutable, append_only, kept_with


class SampledPair(Immutable):
    """One pair of a study's frame, with the draw that did or did not select it.

    Rows that were not selected are kept: they are the frame over which shares and costs are
    exact. `u` and `inclusion_probability` are fixed before anybody rates. The probability is that
    of calibration, also on a pair drawn for training: of the same `u` the part below it
    calibrates, the next part trains, so no pair does both.
    """

    class Purpose(models.TextChoices):
        TRAIN = "train", "Train"
        CALIBRATE = "calibrate", "Calibrate"

    study = models.ForeignKey(Study, models.CASCADE, related_name="sample")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="draws")
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.CALIBRATE)
    stratum = models.CharField(max_length=60)
    u = models.FloatField()
    inclusion_probability = models.FloatField()
    selected = models.BooleanField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [
            append_only(),
            training_pairs_never_calibrate(),
            kept_with(study_id="reviews_study", pair_id="routing_shadowpair"),
        ]
        # Serves the estimate: the draws that came since a process looked last.
        indexes = [models.Index(fields=["study", "id"], name="draw_order")]
        constraints = [
            models.UniqueConstraint(fields=["study", "pair"], name="pair_drawn_once_per_study"),
            models.CheckConstraint(
                condition=models.Q(inclusion_probability__gte=0, inclusion_probability__lte=1),
                name="inclusion_probability_range",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pair_id} in {self.study_id}: {'drawn' if self.selected else 'not drawn'}"
