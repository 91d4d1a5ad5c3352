"""Whether the judge of the study finds cheap answers worse as often as it did there."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from reviews.models import Rater, Study, Verdict
from reviews.monitors.base import MOST_TYPICAL, Monitor, Seen, nothing
from reviews.monitors.shares import by_day
from reviews.monitors.watched import Watched
from reviews.stats import watch
from reviews.stats.watch import Days

_LOSS = {"expensive": 1.0, "split": 0.5}


class _Said(NamedTuple):
    """One verdict of a judge on a pair that the signed thresholds send to CHEAP."""

    rater: int
    day: date
    loss: float


def read(watched: Watched) -> Seen:
    """Follow the share of losses that the study's judge finds in the living sample."""
    before = _said(watched, _verdicts([watched.signed.study]))
    now = _said(watched, _verdicts(watched.signed.living.all()))
    both = {one.rater for one in before} & {one.rater for one in now}
    if not both:
        return nothing("No judge of the study compares answers of the living sample.")
    was = _days(one for one in before if one.rater in both)
    since = _by_date(one for one in now if one.rater in both)
    is_ = watched.days((day, total, count) for day, (total, count) in since.items())
    return by_day(watched, watch.share(was, is_), was, is_, "are worse as the judge sees it")


def typical(watched: Watched) -> list[UUID]:
    """Return the newest requests whose cheap answer a judge found worse."""
    rows = _verdicts(watched.signed.living.all()).filter(preference="expensive")
    found = rows.order_by("-id").values_list("pair__request_id", flat=True)
    return list(dict.fromkeys(found[: 2 * MOST_TYPICAL]))[:MOST_TYPICAL]


def _verdicts(studies: Iterable[Study]) -> QuerySet[Verdict]:
    rows = Verdict.objects.filter(study__in=list(studies), rater__kind=Rater.Kind.LLM_JUDGE)
    return rows.filter(Q(preference__in=[*_LOSS, "cheap", "tie", "both_bad"]))


def _said(watched: Watched, rows: QuerySet[Verdict]) -> list[_Said]:
    asked = rows.values_list(
        "rater_id", "pair__request__received_at", "preference", "pair__score", "pair__task"
    )
    return [
        _Said(rater, _day(at), _LOSS.get(preference, 0.0))
        for rater, at, preference, score, task in asked
        if score is not None and score < watched.policy.threshold_for(task)
    ]


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _by_date(rows: Iterable[_Said]) -> dict[date, tuple[float, int]]:
    found: dict[date, tuple[float, int]] = {}
    for one in rows:
        total, count = found.get(one.day, (0.0, 0))
        found[one.day] = (total + one.loss, count + 1)
    return found


def _days(rows: Iterable[_Said]) -> Days:
    found = [both for _, both in sorted(_by_date(rows).items())]
    return Days([total for total, _ in found], [count for _, count in found])


MONITOR = Monitor(
    "judge", "Losses as the judge sees them",
    "Of the pairs below their threshold, the share whose cheap answer the judge finds worse, in "
    "the living sample against the study.",
    "The larger sum of a two-sided chart (CUSUM), in standard errors of a day.",
    read, typical,
)  # fmt: skip
