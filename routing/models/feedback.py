"""What became of an answer, told by the application that got it."""

from django.db import models

from routing.models.immutable import Immutable, append_only
from routing.models.request import Request


class Feedback(Immutable):
    """One thing the application said of one request. Written by the API, never changed.

    The same words twice are one row (`digest` is of the content); later rows add to earlier ones.
    """

    class Thumb(models.TextChoices):
        UP = "up", "Thumb up"
        DOWN = "down", "Thumb down"

    request = models.ForeignKey(Request, models.CASCADE, related_name="feedback")
    thumb = models.CharField(max_length=4, choices=Thumb, blank=True)
    score = models.FloatField(null=True)
    task_completed = models.BooleanField(null=True)
    comment = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        triggers = [append_only()]
        # Serves the outcomes of a study: what was said since its window began.
        indexes = [models.Index(fields=["created_at"], name="feedback_since")]
        constraints = [
            models.UniqueConstraint(fields=["request", "digest"], name="feedback_said_once"),
            models.CheckConstraint(
                condition=models.Q(score__isnull=True) | models.Q(score__range=(0, 1)),
                name="feedback_score_range",
            ),
        ]

    def __str__(self) -> str:
        return f"feedback on {self.request_id}"
