"""Who was invited, and who was reminded."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from reviews.models.study import Study
from routing.models.immutable import Immutable, append_only


class Invitation(models.Model):
    """One link that lets one person in, with roles.

    Of the link's token only the SHA-256 is kept. It ends once: accepted, revoked, or by its date.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        ACCEPTED = "accepted", "Accepted"
        REVOKED = "revoked", "Revoked"
        EXPIRED = "expired", "Expired"

    digest = models.CharField(max_length=64, unique=True)
    roles = ArrayField(models.CharField(max_length=20))
    email = models.EmailField(blank=True)
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="invitations"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(accepted_at=None) | models.Q(revoked_at=None),
                name="invitation_ends_once",
            )
        ]

    def __str__(self) -> str:
        return f"invitation {self.pk}"

    @property
    def state(self) -> str:
        """Return the state at this moment."""
        if self.accepted_at:
            return self.State.ACCEPTED
        if self.revoked_at:
            return self.State.REVOKED
        return self.State.OPEN if self.expires_at > timezone.now() else self.State.EXPIRED


class Reminder(Immutable):
    """One mail that asked a rater to go on with a study. Append-only.

    Written before the mail leaves, and deleted when the mail server does not take it.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="reminders")
    study = models.ForeignKey(Study, models.CASCADE, related_name="reminders")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]
        # Serves the question when somebody was reminded last.
        indexes = [models.Index(fields=["user", "-created_at"], name="reminder_newest")]

    def __str__(self) -> str:
        return f"reminder of {self.user_id} for {self.study_id}"


class ReminderStop(models.Model):
    """A person wants no reminders: the row is there, or it is not."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="reminder_stop"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"no reminders for {self.user_id}"
