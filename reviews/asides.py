"""Pairs handed out among the sample that are no evidence: one model's two answers to a question.

Nobody can tell them from the others. No verdict is written of them, so that neither curve,
certificate, agreement nor a judge ever sees them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Max, Min, QuerySet

from reviews import checks, sampling
from reviews.models import Rater, Rating, Slot, Study
from routing.models import RepeatPair, RetrievalPair

_KINDS, _STATES = Slot.Kind, Slot.State
#: About every so many pairs of a rater one is such a pair: it costs their time and decides nothing.
_EVERY = 10

Rows = type[RepeatPair] | type[RetrievalPair]


class Aside(NamedTuple):
    """One kind of such pairs.

    Attributes:
        kind: of its slots.
        rows: what is handed out.
        turn, place: names of the draws that say when, and where in the rows to begin.
    """

    kind: str
    rows: Rows
    turn: str
    place: str


def due(
    study: Study, rater: Rater, aside: Aside, first: QuerySet[Any] | None = None
) -> Slot | None:
    """Write and return the pair that is the rater's turn, if one is; it is theirs alone.

    In the caller's transaction, which holds the rater. Of two raters who are given one pair at
    once, the second goes on with the sample.

    Args:
        study: that the rater works on.
        rater: whose turn it is.
        aside: which kind of pairs.
        first: numbers of pairs that come before all others.
    """
    n = study.slots.filter(rater=rater, kind=_KINDS.SAMPLE, state=_STATES.DONE).count()
    if not n or sampling.uniform(f"{study.seed}|{aside.turn}|{rater.pk}", n) >= 1 / _EVERY:
        return None
    mine = study.slots.filter(rater=rater, kind=aside.kind)
    pair_id = None if mine.filter(order=n).exists() else _next(study, rater, aside, n, first)
    if pair_id is None:
        return None
    slot = Slot(
        study=study, pair_id=pair_id, rater=rater, kind=aside.kind, ordinal=0, order=n,
        state=_STATES.LEASED,
    )  # fmt: skip
    Slot.objects.bulk_create([slot], ignore_conflicts=True)
    return mine.filter(pair_id=pair_id).first()


def _next(
    study: Study, rater: Rater, aside: Aside, n: int, first: QuerySet[Any] | None
) -> int | None:
    """Return a pair that nobody was given so, from a place that a hash chooses."""
    ends = aside.rows.objects.aggregate(first=Min("id"), last=Max("id"))
    if ends["first"] is None:
        return None
    share = sampling.uniform(f"{study.seed}|{aside.place}|{rater.pk}", n)
    begin = ends["first"] + int(share * (ends["last"] - ends["first"] + 1))
    rows = free(study, rater, aside).order_by("id").values_list("pair_id", flat=True)
    for some in (rows,) if first is None else (rows.filter(pair_id__in=first), rows):
        found = some.filter(id__gte=begin).first() or some.filter(id__lt=begin).first()
        if found is not None:
            return int(found)
    return None


def free(study: Study, rater: Rater, aside: Aside) -> QuerySet[RepeatPair | RetrievalPair]:
    """Return what the rater may be given, of the study's frame.

    Their pairs wait for no rating: whoever compared two answers of a question must not be needed
    for a third.
    """
    given = study.slots.filter(kind=aside.kind).values("pair_id")
    golds = study.golds.filter(retired_at=None).values("pair_id")
    rows = aside.rows.objects.filter(pair__draws__study=study)
    rows = rows.exclude(pair_id__in=given).exclude(pair_id__in=golds)
    rows = rows.exclude(pair_id__in=checks.waiting(study).values("pair_id"))
    return rows.exclude(pair_id__in=checks.seen(study, rater))


def newest(study: Study, aside: Aside) -> QuerySet[Rating]:
    """Return what people said last of each such pair of a study."""
    rows = Rating.objects.filter(
        presentation__slot__study=study,
        presentation__slot__kind=aside.kind,
        presentation__rater__kind=Rater.Kind.HUMAN,
    )
    one = "presentation__slot_id"
    return rows.order_by(one, "-id").distinct(one).select_related("presentation__slot")
