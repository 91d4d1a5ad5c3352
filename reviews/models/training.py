"""Trainings of routers: what was asked for, how far they came, and what they learnt from."""

from django.conf import settings
from django.db import models

from reviews.models.triggers import calibration_pairs_never_train
from routing.models import Project, RouterVersion, ShadowPair
from routing.models.immutable import Immutable, append_only


class TrainingRun(models.Model):
    """One training: written when it is asked for, worked on by one worker, ended once.

    WAITING becomes RUNNING; RUNNING becomes DONE, FAILED or CANCELLED, or WAITING again when its
    worker died, unless it has cost too many of them. Nothing is deployed by it.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (State.WAITING, State.RUNNING)

    project = models.ForeignKey(Project, models.CASCADE, related_name="trainings")
    name = models.CharField(max_length=80, help_text="Of the router version to be made")
    kind = models.CharField(max_length=40)
    options = models.JSONField(default=dict, help_text="Labels, embedder and seed, as asked for")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    stage = models.CharField(max_length=120, blank=True, help_text="What it is doing, for people")
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=400, blank=True)
    router = models.OneToOneField(
        RouterVersion, models.CASCADE, null=True, blank=True, related_name="training"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    heard_at = models.DateTimeField(null=True, blank=True, help_text="Its worker's last word")
    finished_at = models.DateTimeField(null=True, blank=True)
    deaths = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Workers that died of it, or while they were at it"
    )

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"training of {self.name}"


class TrainingExample(Immutable):
    """One labelled pair that a router learnt from, with where the label came from.

    Postgres refuses pairs that were drawn to calibrate.
    """

    class Source(models.TextChoices):
        HUMAN = "human", "People"
        JUDGE = "judge", "LLM judge"
        PROXY = "proxy", "Heuristic"

    run = models.ForeignKey(TrainingRun, models.CASCADE, related_name="examples")
    pair = models.ForeignKey(ShadowPair, models.CASCADE, related_name="+")
    source = models.CharField(max_length=10, choices=Source)
    cheap_ok = models.FloatField(help_text="How well the cheap answer does, in [0, 1]")
    expensive_ok = models.FloatField(help_text="The same of the expensive one")
    provenance = models.JSONField(help_text="Who or what said it, how, and what was overruled")
    score = models.FloatField(help_text="By routers of the same kind that did not see this pair")

    class Meta:
        triggers = [append_only(), calibration_pairs_never_train()]
        constraints = [
            models.UniqueConstraint(fields=["run", "pair"], name="pair_trains_once_per_run"),
            models.CheckConstraint(
                condition=models.Q(
                    cheap_ok__range=(0, 1), expensive_ok__range=(0, 1), score__range=(0, 1)
                ),
                name="training_example_ranges",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pair_id} in {self.run_id}"
