"""Shadow work: the outbox of calls nobody waits for, and the pairs they complete."""

from django.db import models

from routing.models.access import Project
from routing.models.count import counted_jobs, counted_pairs
from routing.models.immutable import Immutable, append_only
from routing.models.request import TIERS, Completion, Request

#: Reasons of requests that were never to have a pair: no threshold decided them, or no draw did.
_OUTSIDE = ("bypassed", "forced", "sticky", "not_sampled", "overload")
_NO_PAIR_MEANT = models.Q()
for _why in _OUTSIDE:
    _NO_PAIR_MEANT |= models.Q(reason__startswith=_why)
#: Jobs whose pair is missing for good.
LOST = models.Q(state="failed") | (models.Q(state="skipped") & ~_NO_PAIR_MEANT)


class ShadowJob(models.Model):
    """One shadow call to be made; written with its request in one transaction.

    PENDING becomes RUNNING or SKIPPED; RUNNING becomes DONE, FAILED, SKIPPED (the tier's API cannot
    be asked this), or PENDING again for another attempt. An end that is not DONE has a reason. A
    RUNNING row whose lease ran out belongs to a worker that died, and becomes PENDING again.
    The job of a repeat is written with its pair, see `routing.repeats`.
    `reserved_usd` is what a call under way holds of the day `reserved_on` of its project's spend.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        SKIPPED = "skipped", "Skipped"

    class Purpose(models.TextChoices):
        PAIR = "pair", "The other tier's answer"
        REPEAT = "repeat", "A second answer of EXPENSIVE"
        RETRIEVAL = "retrieval", "EXPENSIVE's answer on another retrieval"

    OPEN = (State.PENDING, State.RUNNING)

    # Without an index of its own: the constraint's begins with it.
    request = models.ForeignKey(Request, models.CASCADE, related_name="shadow_jobs", db_index=False)
    purpose = models.CharField(
        max_length=10, choices=Purpose, default=Purpose.PAIR, db_default=Purpose.PAIR.value
    )
    project = models.ForeignKey(Project, models.CASCADE, related_name="shadow_jobs")
    tier = models.CharField(max_length=10, choices=TIERS)
    rate = models.FloatField(help_text="Probability with which this request was to be shadowed")
    lane = models.CharField(
        max_length=300, default="", db_default="", help_text="Who is asked: see TierSpec.lane"
    )
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    reason = models.CharField(max_length=200, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField()
    lease_until = models.DateTimeField(null=True)
    reserved_usd = models.DecimalField(max_digits=20, decimal_places=12, default=0, db_default=0)
    reserved_on = models.DateField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # Serves the claim: the lanes that have PENDING rows, and of each the due ones,
            # oldest first, however many wait in other lanes.
            models.Index(
                fields=["lane", "not_before", "id"],
                name="shadow_due_by_lane",
                condition=models.Q(state="pending"),
            ),
            # Serves the sweep for workers that died.
            models.Index(
                fields=["lease_until"], name="shadow_leased", condition=models.Q(state="running")
            ),
            # Serves the lag of one project, whatever waits in the others.
            models.Index(
                fields=["project", "not_before"],
                name="shadow_waiting",
                condition=models.Q(state="pending"),
            ),
            # Serves the estimates, which say how many pairs are missing and why.
            models.Index(fields=["project", "created_at"], name="shadow_lost", condition=LOST),
        ]
        triggers = counted_jobs()
        constraints = [
            models.UniqueConstraint(fields=["request", "purpose"], name="shadow_job_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["pending", "running"])
                | models.Q(finished_at__isnull=False),
                name="shadow_end_has_time",
            ),
            models.CheckConstraint(
                condition=~models.Q(state__in=["failed", "skipped"]) | ~models.Q(reason=""),
                name="shadow_end_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} shadow call to {self.tier}"


class ShadowSpend(models.Model):
    """What the shadow calls of one project cost on one day (UTC), if it has a cap.

    Written by claims, which reserve, and by outcomes, which settle; each under the row's lock.
    `usd` is spent and reserved together, `reserved_usd` the part that calls under way hold.
    """

    project = models.ForeignKey(Project, models.CASCADE, related_name="shadow_spend")
    day = models.DateField()
    usd = models.DecimalField(max_digits=20, decimal_places=12, default=0)
    reserved_usd = models.DecimalField(max_digits=20, decimal_places=12, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "day"], name="shadow_spend_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.usd} USD on {self.day}"


class ShadowPair(Immutable):
    """The cheap and the expensive completion of one request: what people compare.

    Stored by tier, not by served or shadow, so that one sample draws the whole curve. `score`
    and `task` repeat the decision's, which never change.
    """

    request = models.OneToOneField(Request, models.CASCADE, related_name="pair")
    project = models.ForeignKey(Project, models.CASCADE, related_name="pairs")
    cheap = models.OneToOneField(Completion, models.CASCADE, related_name="+")
    expensive = models.OneToOneField(Completion, models.CASCADE, related_name="+")
    score = models.FloatField(null=True)
    task = models.CharField(max_length=40)
    router = models.ForeignKey("routing.RouterVersion", models.RESTRICT, related_name="+")
    probe_usd = models.DecimalField(
        max_digits=20, decimal_places=12, null=True,
        help_text="What its router pays to see cheap answers first; none when it does not",
    )  # fmt: skip
    probe_ms = models.FloatField(null=True, help_text="How long its router waits for them")
    rate = models.FloatField(help_text="Probability with which this request was shadowed")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        # Serves the newest pairs of a project and the frames of its studies.
        indexes = [
            models.Index(fields=["project", "-id"], name="pair_frame"),
            # Serves the Pairs page: the task types there are, and the newest pairs of one.
            models.Index(fields=["project", "task", "-id"], name="pair_task"),
        ]
        triggers = counted_pairs()

    def __str__(self) -> str:
        return f"pair of {self.request_id}"


class RepeatPair(Immutable):
    """The two answers that EXPENSIVE gave to the question of one pair; written by `repeats`.

    The first is the pair's expensive completion. People compare both blind, so that it is known
    how often an answer is called better by chance. In no sense is it a pair of two tiers.
    """

    request = models.OneToOneField(Request, models.CASCADE, related_name="repeat_pair")
    pair = models.OneToOneField(ShadowPair, models.CASCADE, related_name="repeat")
    second = models.OneToOneField(Completion, models.CASCADE, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"repeat of {self.request_id}"
