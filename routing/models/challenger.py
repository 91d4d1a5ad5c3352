"""Routers that score live requests without deciding: what a new one is compared by."""

from django.conf import settings
from django.db import models

from routing.models.access import Project
from routing.models.immutable import Immutable, append_only
from routing.models.policy import RouterVersion
from routing.models.request import Request


class Challenger(models.Model):
    """A router that scores a project's requests in the background, since when and until when."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="challengers")
    router = models.ForeignKey(RouterVersion, models.RESTRICT, related_name="challenges")
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    started_at = models.DateTimeField(auto_now_add=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_because = models.CharField(
        max_length=200, blank=True, default="", db_default="",
        help_text="Why it was stopped, where nobody stopped it",
    )  # fmt: skip

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "router"],
                condition=models.Q(stopped_at=None),
                name="challenger_runs_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.router} in {self.project}"


class ChallengerScore(Immutable):
    """What a router would have said of one request; None when it failed."""

    request = models.ForeignKey(Request, models.CASCADE, related_name="challenger_scores")
    router = models.ForeignKey(RouterVersion, models.RESTRICT, related_name="+")
    score = models.FloatField(null=True)
    rule = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["router", "request"], name="challenger_scores_once"),
            models.CheckConstraint(
                condition=models.Q(score=None) | models.Q(score__range=(0, 1)),
                name="challenger_score_range",
            ),
        ]
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.score} of {self.request_id}"
