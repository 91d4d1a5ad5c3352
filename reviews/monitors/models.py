"""Whether the models that answer are those that were studied, by the name that comes back."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from uuid import UUID

from django.db.models import Count, QuerySet

from reviews.monitors.base import MOST_TYPICAL, Monitor, Row, Seen, nothing, said
from reviews.monitors.watched import DAY, Watched
from reviews.stats import watch
from routing.models import Completion
from routing.types import Tier


def read(watched: Watched) -> Seen:
    """Look for models among the answers of the last day that did not answer in the study."""
    known = _known(watched)
    if not known:
        return nothing("The answers of the study are gone, and their models with them.")
    now = _now(watched)
    signal = watch.models(set(known), now)
    return Seen(signal, _sentence(signal, known, now), _rows(known, now), "requests")


def typical(watched: Watched) -> list[UUID]:
    """Return the newest requests that an unknown model answered."""
    known = _known(watched)
    new = {name.partition(" ")[2] for name in _now(watched) if name not in known}
    rows = _answers(watched, watched.week).filter(model__in=new).order_by("-created_at")
    return list(rows.values_list("request_id", flat=True)[:MOST_TYPICAL])


def _known(watched: Watched) -> Counter[str]:
    """Count all pairs of the study, rated or not, by tier and the model that answered."""
    drawn = watched.signed.study.sample
    counts: Counter[str] = Counter()
    for tier in Tier:
        rows = drawn.values_list(f"pair__{tier.value}__model").annotate(n=Count("pk"))
        counts.update({f"{tier.value} {model}": n for model, n in rows.order_by()})
    return counts


def _now(watched: Watched) -> Counter[str]:
    day = max(watched.begin, watched.end - DAY)
    rows = _answers(watched, day).values_list("tier", "model").annotate(n=Count("pk"))
    return Counter({f"{tier} {model}": n for tier, model, n in rows})


def _answers(watched: Watched, since: datetime) -> QuerySet[Completion]:
    """Return answers, served and shadow alike, of requests that a score decided."""
    rows = Completion.objects.filter(request__in=watched.decided(since).values("pk"))
    return rows.exclude(model="").order_by()


def _rows(known: Counter[str], now: Counter[str]) -> list[Row]:
    return [Row(name, known[name], now[name]) for name in sorted({*known, *now})]


def _sentence(signal: watch.Signal, known: Counter[str], now: Counter[str]) -> str:
    new = ", ".join(sorted(name for name in now if name not in known))
    n = f"{signal.n:,} answers of the last day"
    return said(
        signal,
        "Nothing was answered in the last day.",
        f"A model answers that was not studied: {new} ({n}).",
        f"The models of {n} are those of the study.",
    )


MONITOR = Monitor(
    "models", "Models that answer",
    "The names that providers put into the answers of the last day, by tier, against those in the "
    "study.",
    "How many names did not answer in the study.",
    read, typical,
)  # fmt: skip
