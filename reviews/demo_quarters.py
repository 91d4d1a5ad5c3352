"""The demo's quarterly review: a made-up quarter beside the figures that wait to be signed.

Nothing in the demo is live, so that nothing of it was counted or rated; the name of its sample
says so.
"""

from __future__ import annotations

from datetime import UTC, datetime, time

from django.utils import timezone

from reviews import quarters
from reviews.models import QuarterReview, SignOff
from reviews.quarters import Figure
from reviews.stats.intervals import wilson

_NAME = "Living sample, made up for the demo"
_A_DAY = 300
#: Of the rated pairs of the quarter: how many were made worse, and how many are good enough.
_N_RATED, _N_WORSE, _N_ADEQUATE = 240, 9, 226


def write(row: SignOff) -> QuarterReview:
    """Freeze the review of the calendar quarter that ended last."""
    first, last = quarters.quarter_before(timezone.now().astimezone(UTC).date())
    point, days = row.evidence.content["point"], (last - first).days + 1
    share = _around(point["cheap_share"], 0.03, days)
    traffic = {
        "days": days, "cheap_share": share, "cost_usd": _around(point["cost_usd"], 0.02, days),
    }  # fmt: skip
    rated = {
        "study": row.study_id, "name": _NAME, "is_living": True, "raters": "human",
        "degradation": quarters.times(_of_rated(_N_WORSE), share["value"]),
        "adequacy": _of_rated(_N_ADEQUATE),
    }  # fmt: skip
    begin = datetime.combine(first, time(), UTC)
    return quarters.keep(row, quarters.beside(row, (first, last), begin, traffic, [rated]))


def _around(value: float, part: float, days: int) -> Figure:
    return quarters.figure(value, value * (1 - part), value * (1 + part), days * _A_DAY)


def _of_rated(n: int) -> Figure:
    low, high = wilson(float(n), float(_N_RATED))
    return quarters.figure(n / _N_RATED, float(low), float(high), _N_RATED)
