"""Repeats: EXPENSIVE asked once more for what it answered, to know what chance alone does.

A repeat is a shadow job like any other, written in the transaction that writes its pair: nothing
before that knows of it, and only a pair that is there is ever asked again. Pairs that are recorded
with their request, since CHEAP was asked first, have theirs from `records`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from routing import policy, records
from routing.models import Completion, Policy, Project, RepeatPair, ShadowJob, ShadowPair
from routing.shadowjob import Job
from routing.types import Tier

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_STATES, _PURPOSE = ShadowJob.State, ShadowJob.Purpose


def plan(jobs: Sequence[Job]) -> None:
    """Write a job for each of these pairs that is drawn to be asked again; again: no second one.

    Args:
        jobs: whose pairs were written in the caller's transaction.
    """
    rows = [_row(job) for job in jobs if is_drawn(job)]
    ShadowJob.objects.bulk_create(rows, ignore_conflicts=True)


def is_drawn(job: Job) -> bool:
    """Return whether the pair's question is asked again, by a hash that no other draw uses."""
    return records.is_drawn(str(job.request_id), job.terms.repeat_rate, "repeat")


def _row(job: Job) -> ShadowJob:
    return following(job, _PURPOSE.REPEAT, job.terms.repeat_rate)


def following(job: Job, purpose: str, rate: float) -> ShadowJob:
    """Return a job that asks EXPENSIVE once more about the pair of this one, not yet written.

    Args:
        job: whose pair it is.
        purpose: of the job.
        rate: share of the pairs that are asked so.
    """
    now = timezone.now()
    # A rate below the policy's says that shadow work was being shed when the request came.
    is_shed = job.rate < job.terms.shadow_rate(job.tier)
    return ShadowJob(
        request_id=job.request_id,
        project_id=job.project_id,
        purpose=purpose,
        tier=Tier.EXPENSIVE.value,
        lane=job.terms.expensive.lane,
        rate=job.rate * rate,
        state=_STATES.SKIPPED if is_shed else _STATES.PENDING,
        reason=records.REPEATS_SHED if is_shed else "",
        not_before=now,
        finished_at=now if is_shed else None,
    )


@transaction.atomic
def put(project: Project, repeat: float, retrieval: float, *, by: User | None) -> Policy:
    """Put other shares in force: a copy of the live policy with them; the same change nothing.

    One policy and its deployment. A policy that routes anything to CHEAP was signed as it is.

    Args:
        project: whose live policy.
        repeat: share of the pairs that are asked once more, in [0, 1].
        retrieval: of those with a search, share that is asked on another retrieval, in [0, 1].
        by: who says so.

    Raises:
        ValueError: in a sentence, when a share cannot be, or the live policy was signed.
        Policy.DoesNotExist: when nothing is live.
    """
    if not (0 <= repeat <= 1 and 0 <= retrieval <= 1):
        raise ValueError("A share lies between 0 and 1.")
    policy.lock(project)
    live = policy.live(project)
    if live is None:
        raise Policy.DoesNotExist(f"{project} has no live policy.")
    if (live.repeat_rate, live.retrieval_rate) == (repeat, retrieval):
        return live
    if not live.is_always_expensive:
        raise ValueError(f"{live.name} was signed as it is: shares change while all is expensive.")
    note = "Other shares asked once more"
    target = policy.copy(live, note, repeat_rate=repeat, retrieval_rate=retrieval)
    policy.deploy(target, by=by, reason=note)
    return target


def write(jobs: Sequence[Job]) -> None:
    """Write the repeat pairs of jobs whose second answers are stored; again: no second one.

    Raises:
        LookupError: when a pair or its second answer is gone.
    """
    ids = [job.request_id for job in jobs]
    if not ids:
        return
    pairs = dict(ShadowPair.objects.filter(request_id__in=ids).values_list("request_id", "pk"))
    second = Completion.objects.filter(
        request_id__in=ids, tier=Tier.EXPENSIVE.value, ordinal=Completion.SECOND
    )
    seconds = dict(second.values_list("request_id", "pk"))
    rows = [RepeatPair(request_id=pk, pair_id=pairs[pk], second_id=seconds[pk]) for pk in ids]
    RepeatPair.objects.bulk_create(rows, ignore_conflicts=True)
