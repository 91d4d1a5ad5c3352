"""Retrieval measured against relevance judgements."""

from django.conf import settings
from django.db import models

from routing.models import CollectionVersion, StrategyVersion
from routing.models.immutable import Immutable, append_only


class RetrievalEvaluation(Immutable):
    """One measurement of every strategy on a version of a collection; written by `evaluating`."""

    version = models.ForeignKey(CollectionVersion, models.CASCADE, related_name="evaluations")
    strategy_version = models.ForeignKey(
        StrategyVersion, models.CASCADE, null=True, related_name="+",
        help_text="What auto went by; none when by rules",
    )  # fmt: skip
    qrels = models.CharField(max_length=200, help_text="Name of the file of judgements")
    qrels_sha256 = models.CharField(max_length=64)
    n_queries = models.PositiveIntegerField()
    figures = models.JSONField(help_text="By strategy, metric and kind of query, with intervals")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only(but="made_by")]

    def __str__(self) -> str:
        return f"{self.qrels} on version {self.version_id}"
