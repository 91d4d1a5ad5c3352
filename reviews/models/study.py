"""Studies: one shadow evaluation each."""

from django.db import models

from routing.models import Policy, Project, RouterVersion


class Study(models.Model):
    """One shadow evaluation: window, sampling plan, floor, seed.

    Written on the Threshold page, by `replay` and by `demo`. Seed, router and sampling plan never
    change once it runs.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        RUNNING = "running", "Running"
        CLOSED = "closed", "Closed"

    project = models.ForeignKey(Project, models.CASCADE, related_name="studies")
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    policy = models.ForeignKey(
        Policy, models.CASCADE, related_name="studies",
        help_text="The live policy at its start: its router and models are what is studied",
    )  # fmt: skip
    router = models.ForeignKey(RouterVersion, models.PROTECT, related_name="+")
    seed = models.CharField(max_length=40)
    window_days = models.PositiveSmallIntegerField(default=14)
    rate = models.FloatField(default=0.15, help_text="Share of pairs drawn for rating")
    largest_threshold = models.FloatField(
        default=1.01, help_text="Pairs scored at or above it cannot matter and are not drawn"
    )
    floor = models.FloatField(default=0.05, help_text="Largest share of requests made worse")
    looked_to = models.BigIntegerField(
        default=0, help_text="The last pair that was looked at, whether it belongs here or not"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(rate__gt=0, rate__lte=1), name="study_rate_range"
            )
        ]

    def __str__(self) -> str:
        return self.name
