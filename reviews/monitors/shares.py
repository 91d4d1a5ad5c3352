"""Shares that are followed day by day: what goes to the cheap tier, and what is escalated."""

from __future__ import annotations

from uuid import UUID

import numpy as np
from django.db.models import Count, F, Q, QuerySet
from django.db.models.functions import TruncDate

from reviews.monitors.base import MOST_TYPICAL, Monitor, Row, Seen, nothing, said
from reviews.monitors.watched import Watched
from reviews.stats import watch
from reviews.stats.watch import Days, Signal
from routing.models import Decision
from routing.types import Reason

_CHEAP = Q(score__lt=F("threshold"))
_ESCALATED = Q(reason=Reason.ESCALATED)
#: A router that asked the cheap model first has a time for it.
_ASKED = Q(probe_ms__isnull=False)


def read_cheap(watched: Watched) -> Seen:
    """Follow the share of requests whose score is below its threshold."""
    if watched.reference is None:
        return nothing("The evidence of this sign-off kept no scores.")
    reference = watched.reference
    before = reference.days(reference.is_cheap, np.ones(reference.day.size, bool))
    now = _days(watched, watched.decided(watched.first), _CHEAP)
    return by_day(watched, watch.share(before, now), before, now, "go to the cheap tier")


def read_escalated(watched: Watched) -> Seen:
    """Follow the share escalated among the requests whose cheap answer was asked for first."""
    reference = watched.reference
    if reference is None or not reference.is_asked.any():
        return nothing("This router asks nobody before it decides, so that nothing is escalated.")
    before = reference.days(~reference.is_cheap, reference.is_asked)
    now = _days(watched, watched.decided(watched.first).filter(_ASKED), _ESCALATED)
    return by_day(watched, watch.share(before, now), before, now, "are escalated")


def _days(watched: Watched, rows: QuerySet[Decision], hit: Q) -> Days:
    by = rows.values_list(TruncDate("request__received_at"))
    return watched.days(by.annotate(hits=Count("pk", filter=hit), n=Count("pk")))


def by_day(watched: Watched, signal: Signal, before: Days, now: Days, what: str) -> Seen:
    """Return what a chart of shares says, with its picture.

    Args:
        watched: whose days they are.
        signal: of the chart.
        before: days of the study's window.
        now: days since go-live.
        what: the rows of the share do, such as "are escalated".
    """
    was = mean(before)
    recent = recent_mean(now)
    figures = f"{recent or 0:.1%} of the last seven days {what}, {was or 0:.1%} in the study"
    chart = f"chart {signal.value or 0:.1f}, limit {signal.limit or 0:.1f}"
    text = said(
        signal,
        f"Too few days or requests to compare: {figures}.",
        f"{figures}: more than days differ by themselves ({chart}).",
        f"{figures}, as days differ by themselves ({chart}).",
    )
    return Seen(signal, text, daily(watched, before, now), "share", is_by_day=True)


def daily(watched: Watched, before: Days, now: Days) -> list[Row]:
    """Return the mean of each day since go-live beside that of the whole study."""
    was = mean(before)
    each = zip(watched.dates(), *_arrays(now), strict=True)
    return [
        Row(f"{day:%Y-%m-%d}", was, float(total / count) if count else None)
        for day, total, count in each
    ]


def _arrays(days: Days) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(days.total, np.float64), np.asarray(days.count, np.float64)


def recent_mean(days: Days) -> float | None:
    """Return the mean over the rows of the last seven days; None without any."""
    return mean(Days(*(one[-watch.WINDOW_DAYS :] for one in _arrays(days))))


def mean(days: Days) -> float | None:
    """Return the mean over the rows of all days; None without any."""
    count = float(np.sum(days.count))
    return float(np.sum(days.total)) / count if count else None


def _typical_cheap(watched: Watched) -> list[UUID]:
    """Return the newest requests on the side that grew, nearest to the threshold first."""
    reference, rows = watched.reference, watched.decided(watched.week)
    counts = rows.aggregate(cheap=Count("pk", filter=_CHEAP), n=Count("pk"))
    was = float(reference.is_cheap.mean()) if reference is not None else 0.0
    is_more = counts["cheap"] > was * counts["n"]
    return newest(rows.filter(_CHEAP if is_more else ~_CHEAP))


def _typical_escalated(watched: Watched) -> list[UUID]:
    return newest(watched.decided(watched.week).filter(_ESCALATED))


def newest(rows: QuerySet[Decision]) -> list[UUID]:
    """Return the newest ten requests of some decisions."""
    found = rows.order_by("-request__received_at").values_list("request_id", flat=True)
    return list(found[:MOST_TYPICAL])


_VALUE = "The larger sum of a two-sided chart (CUSUM), in standard errors of a day."
CHEAP = Monitor(
    "cheap_share", "Cheap share",
    "The share of requests below their threshold, day by day since go-live, against the days of "
    "the study’s window.",
    _VALUE, read_cheap, _typical_cheap,
)  # fmt: skip
ESCALATED = Monitor(
    "escalations", "Escalations",
    "Of the requests whose cheap answer was asked for first, the share that went on to the "
    "expensive tier, day by day.",
    _VALUE, read_escalated, _typical_escalated,
)  # fmt: skip
