"""What the data say is to be done about a project's router: train, train again, study a challenger.

Each sentence rests on counts and intervals; below the minimums that stand here nothing is said.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from django.db import connection
from django.db.models import Max
from django.utils import timezone

from reviews import challenges, labels, scoring, sources
from reviews.challenges import is_enough
from reviews.labels import Label
from reviews.models import SignOff, TrainingRun
from reviews.stats import routers as quality
from reviews.stats.agreement import Estimate
from routing import policy
from routing.models import Challenger, ChallengerScore, Policy, Project, RouterVersion, ShadowPair

#: Heuristics say something of every pair, and are no reason.
_SPOKEN = ("human", "judge")
#: Reading all labels takes a while, and nothing here is urgent.
_EVERY_S = 300
_RESAMPLES = 500
_SEED = 7
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Least(NamedTuple):
    """Below what nothing is said.

    Attributes:
        first: labels by people or judges, for a first training.
        new: the same since the last one.
        scored: requests that a challenger scored: a study of fewer would draw next to nothing.
    """

    first: int = 200
    new: int = 200
    scored: int = 500


USUAL = Least()


class Suggestion(NamedTuple):
    """What is to be done, and why.

    Attributes:
        challenger: number of the challenger that it is about; None where it is about training.
    """

    title: str
    text: str
    challenger: int | None = None


def of(project: Project | None, least: Least = USUAL) -> list[Suggestion]:
    """Return what the data suggest, looked at again every few minutes."""
    if project is None:
        return []
    if connection.in_atomic_block:  # what is not committed yet may never be
        return _of(project, least)
    return _of_minutes(project, least, int(time.monotonic() // _EVERY_S))


@lru_cache(maxsize=64)
def _of_minutes(project: Project, least: Least, minutes: int) -> list[Suggestion]:
    return _of(project, least)


def _of(project: Project, least: Least) -> list[Suggestion]:
    live = policy.live(project)
    if live is None:
        return []
    return [*_training(project, live, least), *_studies(project, live, least)]


def _training(project: Project, live: Policy, least: Least) -> Iterator[Suggestion]:
    """Suggest a training, unless one is under way."""
    if project.trainings.filter(state__in=TrainingRun.OPEN).exists():
        return
    newer = _newer(project, live.router)
    if live.router.is_starter and not newer:
        yield from _first(project, least)
    elif newer or live.router.trained_until is not None:
        yield from _again(project, live, newer, least)


def _newer(project: Project, router: RouterVersion) -> list[RouterVersion]:
    """Return the trained versions that learnt from later requests, the latest first.

    What was only configured, or got other rules, has learnt nothing since.
    """
    rows = RouterVersion.objects.filter(project=project, training__isnull=False)
    later = rows.filter(trained_until__gt=_learnt_until(router) or _EPOCH)
    return list(later.defer("artifact", "card").order_by("-trained_until"))


def _learnt_until(router: RouterVersion) -> datetime | None:
    """Return when the newest request came that a version learnt from, whatever its rules."""
    runs = TrainingRun.objects.filter(router__in=scoring.made_of(router.pk))
    last: datetime | None = runs.aggregate(last=Max("router__trained_until"))["last"]
    return last or router.trained_until


def _waits(version: RouterVersion) -> bool:
    """Return whether a version may still come to decide: nobody has turned it down."""
    rejected = SignOff.objects.filter(study__router=version, state=SignOff.State.REJECTED)
    challenges = Challenger.objects.filter(router=version)
    is_stopped = challenges.exists() and not challenges.filter(stopped_at=None).exists()
    return not (is_stopped or rejected.exists())


def _first(project: Project, least: Least) -> Iterator[Suggestion]:
    n = len(sources.read(project, _SPOKEN))
    if n >= least.first:
        yield Suggestion(
            "Train a first router",
            f"The starter decides, which never saw your requests, and {n:,} pairs have labels by "
            "people or judges.",
        )


def _again(
    project: Project, live: Policy, newer: list[RouterVersion], least: Least
) -> Iterator[Suggestion]:
    """Suggest another training: for labels that no version learnt from, or a fall in ranking.

    A fall is no reason while a newer version waits to be used.
    """
    learnt = _learnt_until(live.router)
    unseen = labels.collect(project, _SPOKEN, since=learnt and learnt + timedelta(microseconds=1))
    newest = (newer and newer[0].trained_until) or _EPOCH
    n = sum(one.received_at > newest for one in unseen)
    found = _ranking(live.router, unseen)
    then = _auroc_then(live.router)
    fell = found is not None and then is not None and found.interval.high < then
    if n < least.new and (not fell or any(map(_waits, newer))):
        return
    said = f"{n:,} new labels; the live router is {_age(live.router.created_at)} old"
    if found is not None and then is not None:
        said += (
            f"; its AUROC, {then:.2f} when it was trained, is {found.value:.2f} on labels since "
            f"({found.interval.low:.2f} to {found.interval.high:.2f})"
        )
    yield Suggestion("Retrain", f"{said}.")


def _ranking(router: RouterVersion, new: list[Label]) -> Estimate | None:
    """Return how the live scores rank what was labelled since; None where it says nothing."""
    pairs = ShadowPair.objects.filter(pk__in=[one.pair_id for one in new], router=router)
    scores = {pk: score for pk, score in pairs.values_list("pk", "score") if score is not None}
    known = [one for one in new if one.pair_id in scores]
    loss = np.array([(1 - one.cheap_ok) * one.expensive_ok for one in known])
    if not is_enough(loss):
        return None
    score = [scores[one.pair_id] for one in known]
    weight, rng = [one.weight for one in known], np.random.default_rng(_SEED)
    found = quality.quality(score, loss, weight, rng, resamples=_RESAMPLES).auroc
    return None if np.isnan(found.interval.low) else found


def _auroc_then(router: RouterVersion) -> float | None:
    """Return the cross-validated AUROC of the router's card; None where it has none."""
    said = (router.card or {}).get("auroc")
    value = said.get("value") if isinstance(said, dict) else None
    return float(value) if isinstance(value, int | float) else None


def _age(since: datetime) -> str:
    """Return how long ago that was, in whole weeks or days."""
    days = (timezone.now() - since).days
    weeks = days // 7
    n, unit = (weeks, "week") if weeks else (days, "day")
    return f"{n} {unit}{'' if n == 1 else 's'}"


def _better(row: Challenger, live: Policy) -> Suggestion | None:
    """Suggest the study of a challenger that ranks labelled pairs better, and surely so."""
    found = challenges.standing(row, live).ranking
    if found is None or not found.difference.interval.low > 0:
        return None
    gain = found.difference
    return Suggestion(
        f"Study {row.router}: it ranks better",
        f"On {found.n:,} labelled pairs its AUROC is {found.one.value:.2f} and that of the live "
        f"router {found.other.value:.2f}, a difference of {gain.value:.2f} "
        f"({gain.interval.low:.2f} to {gain.interval.high:.2f}).",
        row.pk,
    )


def _studies(project: Project, live: Policy, least: Least) -> Iterator[Suggestion]:
    """Suggest a study of each challenger that has none and ranks better, or has scored enough."""
    running = Challenger.objects.filter(project=project, stopped_at=None).defer("router__artifact")
    for row in running.select_related("router"):
        scored = ChallengerScore.objects.filter(
            router=row.router_id, request__project=project, request__received_at__gte=row.started_at
        )
        n = scored.count()
        if challenges.is_studied(row):
            continue
        better = _better(row, live)
        if better is not None:
            yield better
        elif n >= least.scored:
            yield Suggestion(
                f"Start a study of {row.router}",
                f"It has scored {n:,} requests since {row.started_at:%Y-%m-%d} and decides none; "
                "without a study nobody can sign it.",
                row.pk,
            )
