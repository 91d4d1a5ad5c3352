"""Who may ask: projects and their API keys."""

from __future__ import annotations

import pgtrigger
from django.db import models

from routing.models.count import uncounted_project
from routing.types import Scope


class Project(models.Model):
    """One application (or one replayed file, or the demo): its own keys, policies and studies.

    Written at first start, by `replay`, by `demo` and on the Settings page. Deleting a project
    deletes everything that belongs to it. `shadow_daily_usd` is what its shadow calls may cost in a
    day (UTC), None for no cap; changed on the Settings page.
    """

    class Kind(models.TextChoices):
        LIVE = "live", "Live traffic"
        REPLAY = "replay", "Replayed recordings"
        DEMO = "demo", "Demo content"

    class Keeps(models.TextChoices):
        ALL = "all", "Everything, as it was sent"
        REDACTED = "redacted", "Texts without what names a person or a secret"
        NOTHING = "nothing", "No text: hashes, scores, tokens and cost"

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.LIVE)
    shadow_daily_usd = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    keeps = models.CharField(
        max_length=8, choices=Keeps, default=Keeps.ALL, db_default=Keeps.ALL.value,
        help_text="What is stored of prompts and answers",
    )  # fmt: skip
    redactions = models.JSONField(
        default=list, db_default=[], blank=True,
        help_text="Further patterns that are taken out of texts before they are stored",
    )  # fmt: skip
    retention_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Requests are deleted after so many days; the server's when empty",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["kind", "name"]
        triggers = [
            uncounted_project(),
            pgtrigger.Trigger(
                name="kind_stays",
                operation=pgtrigger.UpdateOf("kind"),
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__kind__df=pgtrigger.F("new__kind")),
                # A demo deploys what nobody signed: no other project becomes one for a moment.
                func="RAISE EXCEPTION 'What kind a project is never changes.';",
            ),
        ]

    def __str__(self) -> str:
        return self.name


def every_scope() -> list[str]:
    """Return what a key may do when nobody said."""
    return [scope.value for scope in Scope]


class ApiKey(models.Model):
    """One key of a project. Only its SHA-256 is stored; the key is shown once.

    Changed by: revocation, and the time of last use. None as a limit means that there is none.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=every_scope, db_default=every_scope())
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    daily_usd = models.DecimalField(max_digits=12, decimal_places=4, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"
