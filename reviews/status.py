"""Where a study stands, in one word and one sentence: derived from its rows, never stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Min
from django.utils import timezone

from reviews import calibration, closing, headline, health, missing, sampling
from reviews.certificate import Certificate
from reviews.models import Rater, Study

COLLECTING, READY, UNHEALTHY = "collecting", "ready", "unhealthy"
HOLDS, DOES_NOT_HOLD = "holds", "does_not_hold"
LABELS = {
    COLLECTING: "Collecting",
    READY: "Ready",
    HOLDS: "Holds the floor",
    DOES_NOT_HOLD: "Does not hold",
    UNHEALTHY: "Unhealthy",
}
_SAFE_ONLY = "No rating was needed for that: no more requests than the floor allows lie below it."
_PACE_DAYS = 7
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Status:
    """One word and one sentence.

    Attributes:
        name: a key of LABELS.
        label: what people read.
        text: a sentence or two.
        days_left: until the window is over and its pairs are rated, at the pace of the last week;
            None when that is not known or there is nothing to wait for.
    """

    name: str
    label: str
    text: str
    days_left: int | None = None


def of(study: Study, now: datetime | None = None) -> Status:
    """Return where the study stands. What blocks a certificate comes before everything else."""
    now = now or timezone.now()
    if failing := health.failing(study):
        said = " ".join(f"{check.label}: {check.text}" for check in failing)
        return _status(UNHEALTHY, f"Nothing can be signed until this is clear. {said}")
    if study.state == Study.State.CLOSED:
        return _closed(study, calibration.certificate(study))
    return _running(study, now)


def _status(name: str, text: str, days_left: int | None = None) -> Status:
    return Status(name, LABELS[name], text, days_left)


def _closed(study: Study, found: Certificate) -> Status:
    sure = f"{100 * study.confidence:g} % sure"
    most = headline.most(study.floor, study.loss)
    if found.threshold is not None:
        (point,) = (one for one in found.grid if one["threshold"] == found.threshold)
        only = f" {_SAFE_ONLY}" if point["trivially_safe"] else ""
        return _status(HOLDS, f"At {found.threshold:g} we are {sure} that {most}.{only}")
    if found.is_by_task and any(one["threshold"] for one in found.by_task.values()):
        return _status(HOLDS, _by_task(found, sure))
    return _status(
        DOES_NOT_HOLD,
        f"At no threshold are we {sure} that {most}: everything stays with the expensive model.",
    )


def _by_task(found: Certificate, sure: str) -> str:
    own = {task: one["threshold"] for task, one in found.by_task.items() if one["threshold"]}
    named = ", ".join(f"{at:g} for {task}" for task, at in own.items())
    within = headline.most(found.floor, found.loss, "of the requests of each of these types")
    return f"At {named} we are {sure} that {within}; other types stay with the expensive model."


def _running(study: Study, now: datetime) -> Status:
    left, is_over = closing.n_unrated(study), closing.is_over(study, now)
    n_open = missing.n_open(study)
    if is_over and not left and not n_open:
        return _status(
            READY, "The window is over and every pair is rated. It closes by itself in a minute."
        )
    days = _days_left(study, left, now)
    return _status(COLLECTING, " ".join(_waits(study, left, n_open, days, now)), days)


def _waits(study: Study, left: int, n_open: int, days: int | None, now: datetime) -> list[str]:
    """Return what a study waits for, a sentence each."""
    said = []
    end = sampling.window(study)[1]
    if days is not None:
        said.append(f"About {days} day{'s' if days != 1 else ''} left.")
    if end > now:
        said.append(f"The window ends on {timezone.localtime(end):%-d %B %Y}.")
    if left:
        said.append(f"{left} pair{'s wait' if left != 1 else ' waits'} for a rating.")
    if n_open:
        said.append(f"{n_open} requests wait for their second answer.")
    if left and days is None:
        said.append("Nobody rated lately: it takes ratings to say how long.")
    return said


def _days_left(study: Study, left: int, now: datetime) -> int | None:
    """Return the days until the window is over and what waits is rated."""
    a_day = pace(study, now)
    if left and not a_day:
        return None
    rating = left / a_day if left else 0.0
    window = (sampling.window(study)[1] - now) / _DAY
    return max(math.ceil(max(rating, window)), 0)


def pace(study: Study, now: datetime) -> float:
    """Return how many pairs people rated a day, over the last week or since they began."""
    since = now - _PACE_DAYS * _DAY
    said = study.verdicts.filter(rater__kind=Rater.Kind.HUMAN)
    begun = said.aggregate(first=Min("created_at"))["first"]
    if begun is None:
        return 0.0
    n = said.filter(created_at__gt=since).values("pair").distinct().count()
    return n / max((now - max(begun, since)) / _DAY, 1.0)
