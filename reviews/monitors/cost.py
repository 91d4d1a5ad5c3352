"""Whether a request costs what it did in the study's window, routed as it is now."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import Case, Count, F, OuterRef, QuerySet, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, TruncDate

from reviews.monitors.base import MOST_TYPICAL, Monitor, Seen, nothing, said
from reviews.monitors.shares import daily, mean, recent_mean
from reviews.monitors.watched import Watched
from reviews.stats import watch
from reviews.stats.watch import Days
from routing.models import Completion
from routing.types import Tier

#: Of the study's requests: those without a pair, with tools or attachments, cost something else.
_LEAST_KNOWN = 0.9


def read(watched: Watched) -> Seen:
    """Follow the mean cost of a request day by day."""
    if watched.reference is None:
        return nothing("The evidence of this sign-off kept no costs.")
    reference = watched.reference
    known = np.isfinite(reference.cost)
    if known.mean() < _LEAST_KNOWN:
        return nothing(f"Of {1 - known.mean():.0%} of the study’s requests the cost is unknown.")
    before = reference.days(reference.cost, known)
    rows = _costed(watched, watched.first).values_list(TruncDate("request__received_at"))
    now = watched.days(rows.annotate(usd=Sum("cost"), n=Count("cost")))
    signal = watch.cost(before, now)
    return Seen(signal, _sentence(signal, before, now), daily(watched, before, now), "usd", True)


def typical(watched: Watched) -> list[UUID]:
    """Return the dearest requests of the last seven days."""
    rows = _costed(watched, watched.week).filter(cost__isnull=False).order_by("-cost")
    return list(rows.values_list("request_id", flat=True)[:MOST_TYPICAL])


def _costed(watched: Watched, since: datetime) -> QuerySet[Any]:
    """Return decisions with what the request cost, null where that is not known.

    As a study counts it: looking up included, shadow calls not.
    """
    served = Completion.objects.filter(request=OuterRef("pk"), tier=OuterRef("tier"), ordinal=1)
    price = Subquery(served.filter(is_shadow=False).values("cost_usd")[:1])
    asked = Coalesce("probe_usd", Value(0), output_field=price.output_field)
    routed = Case(When(tier=Tier.CHEAP, then=Coalesce("probe_usd", price)), default=price + asked)
    looked_up = Case(
        When(request__retrieval__isnull=False, then=F("request__retrieval__cost_usd")),
        default=Value(0), output_field=price.output_field,
    )  # fmt: skip
    return watched.decided(since).annotate(cost=routed + looked_up)


def _sentence(signal: watch.Signal, before: Days, now: Days) -> str:
    recent, was = recent_mean(now), mean(before)
    figures = (
        f"A request of the last seven days costs ${recent or 0:.6f} on average, "
        f"${was or 0:.6f} in the study"
    )
    chart = f"chart {signal.value or 0:.1f}, limit {signal.limit or 0:.1f}"
    return said(
        signal,
        f"Too few days or known costs to compare. {figures}.",
        f"{figures}: more than days differ by themselves ({chart}).",
        f"{figures}, as days differ by themselves ({chart}).",
    )


MONITOR = Monitor(
    "cost", "Cost of a request",
    "What a request costs as it is routed, day by day, against the study’s requests routed alike.",
    "The larger sum of a two-sided chart (CUSUM) of the cost's logarithm, in standard errors of "
    "a day.",
    read, typical,
)  # fmt: skip
