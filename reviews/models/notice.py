"""Notices: what people and other systems are told of sign-offs, as rows that wait to be sent."""

from django.conf import settings
from django.db import models

from reviews.models.monitoring import Alarm
from reviews.models.signoff import SignOff
from routing.models import Project


class Notice(models.Model):
    """One message to one receiver, written in the transaction of what it tells.

    `key` makes telling twice impossible; a worker that dies while sending may send twice.
    """

    class Channel(models.TextChoices):
        MAIL = "mail", "Mail"
        WEBHOOK = "webhook", "Webhook"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"

    key = models.CharField(max_length=120, unique=True)
    project = models.ForeignKey(Project, models.CASCADE, related_name="notices")
    signoff = models.ForeignKey(SignOff, models.CASCADE, null=True, related_name="notices")
    alarm = models.ForeignKey(Alarm, models.CASCADE, null=True, related_name="notices")
    channel = models.CharField(max_length=8, choices=Channel)
    to = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="notices"
    )
    event = models.CharField(max_length=30)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    fields = models.JSONField(default=dict, help_text="What a webhook gets beside the text")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField()
    problem = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(channel="mail", to__isnull=False)
                | models.Q(channel="webhook", to__isnull=True),
                name="notice_has_a_receiver",
            )
        ]
        # Serves the worker's question what is due.
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(state="waiting"), name="notice_due")
        ]

    def __str__(self) -> str:
        return f"{self.event} by {self.channel}"
