"""The audit trail: what happened on the way to and from a sign-off, row after row."""

import pgtrigger
from django.db import models

from routing.models import Project
from routing.models.immutable import Immutable, append_only, kept_with


class AuditEntry(Immutable):
    """One event of a project, chained to the one before it. Written by `audit`, never changed.

    People are named, not linked: an entry is hashed, and says the same when an account is gone.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="audit_entries")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=150, blank=True, help_text="Empty is the service itself")
    event = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    detail = models.JSONField(default=dict)
    previous_sha256 = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["project", "number"]
        triggers = [append_only(), kept_with(project_id="routing_project")]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="audit_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.event}"


class AuditHead(models.Model):
    """The last number and hash of a project's trail: shows when rows are missing at its end.

    Moves on by one with each entry, in its transaction; the database refuses every other change.
    """

    project = models.OneToOneField(Project, models.CASCADE, related_name="audit_head")
    number = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)

    class Meta:
        triggers = [
            pgtrigger.Trigger(
                name="moves_on",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func="IF NEW.number <> OLD.number + 1 OR NEW.project_id <> OLD.project_id THEN"
                " RAISE EXCEPTION 'The head of a trail moves on by one.'; END IF; RETURN NEW;",
            ),
            kept_with(project_id="routing_project"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.sha256[:12]}"
