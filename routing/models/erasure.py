"""What was deleted because an end user asked for it: how much and when, never what."""

from django.conf import settings
from django.db import models

from routing.models.access import Project
from routing.models.immutable import Immutable, append_only


class Erasure(Immutable):
    """One deletion of everything about one end user of a project. Append-only.

    The user is named by the keyed hash that their requests carried; nobody can read it back.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="erasures")
    end_user = models.CharField(max_length=64)
    counts = models.JSONField(help_text="Deleted rows by table")
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        triggers = [append_only(but="made_by")]

    @property
    def n_requests(self) -> int:
        """How many requests went."""
        return int(self.counts.get("routing.Request", 0))

    def __str__(self) -> str:
        return f"erasure of {self.created_at:%Y-%m-%d}"
