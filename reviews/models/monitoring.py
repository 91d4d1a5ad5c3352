"""What is watched after go-live: readings, alarms, who is told when, and quarterly reviews."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from reviews.models.signoff import SignOff
from routing.models import Project
from routing.models.immutable import Immutable, append_only, kept_with


class Reading(Immutable):
    """What one monitor saw at one time, and its limit. Append-only: a page's history."""

    class Level(models.TextChoices):
        QUIET = "quiet", "Too little to say"
        OK = "ok", "Within its limit"
        WARN = "warn", "Above its limit"
        ALARM = "alarm", "Alarm"

    project = models.ForeignKey(Project, models.CASCADE, related_name="readings")
    signoff = models.ForeignKey(SignOff, models.CASCADE, null=True, related_name="readings")
    monitor = models.CharField(max_length=40)
    at = models.DateTimeField(help_text="The end of what was looked at")
    level = models.CharField(max_length=5, choices=Level)
    value = models.FloatField(null=True)
    limit = models.FloatField(null=True)
    n = models.PositiveIntegerField(default=0)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["at"]
        constraints = [
            models.UniqueConstraint(fields=["project", "monitor", "at"], name="reading_once")
        ]
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.monitor} at {self.at}: {self.level}"


class Alarm(models.Model):
    """One thing that changed and is not over: opened and closed by `monitoring`.

    A monitor has one open alarm in a project. Whoever acknowledges it has seen it: nobody is told
    of it again; it stays open until its monitor is quiet for long enough, or somebody closes it.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="alarms")
    signoff = models.ForeignKey(SignOff, models.CASCADE, null=True, related_name="alarms")
    monitor = models.CharField(max_length=40)
    level = models.CharField(max_length=5, choices=Reading.Level)
    sentence = models.CharField(max_length=400, help_text="What changed")
    figures = models.JSONField(default=dict)
    examples = ArrayField(models.UUIDField(), default=list, help_text="Typical requests")
    done = models.CharField(max_length=200, blank=True, help_text="What the service did at once")
    opened_at = models.DateTimeField()
    last_at = models.DateTimeField(help_text="When it was last above its limit")
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    note = models.CharField(max_length=400, blank=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+"
    )
    closed_why = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "monitor"],
                condition=models.Q(closed_at=None),
                name="alarm_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.monitor}: {self.sentence}"


class Alerting(models.Model):
    """How a project's alarms reach people; without a row: at once, by mail and webhook."""

    project = models.OneToOneField(Project, models.CASCADE, related_name="alerting")
    mails = models.BooleanField(default=True)
    posts = models.BooleanField(default=True, help_text="To the webhook")
    warnings = models.BooleanField(default=False, help_text="Not alarms alone, warnings too")
    quiet_from = models.TimeField(null=True)
    quiet_to = models.TimeField(null=True)
    timezone = models.CharField(max_length=60, default="UTC")
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(quiet_from=None, quiet_to=None)
                | models.Q(quiet_from__isnull=False, quiet_to__isnull=False),
                name="alerting_quiet_hours_whole",
            )
        ]

    def __str__(self) -> str:
        return f"alerting of {self.project}"


class QuarterReview(Immutable):
    """What people rated in one quarter beside what was signed, frozen. Append-only."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="quarter_reviews")
    signoff = models.ForeignKey(SignOff, models.CASCADE, related_name="quarter_reviews")
    first_day = models.DateField()
    last_day = models.DateField()
    content = models.JSONField()
    sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-first_day"]
        constraints = [
            models.UniqueConstraint(fields=["signoff", "first_day"], name="quarter_once")
        ]
        triggers = [append_only(), kept_with(signoff_id="reviews_signoff")]

    def __str__(self) -> str:
        return f"review of {self.first_day:%Y-%m-%d} to {self.last_day:%Y-%m-%d}"
