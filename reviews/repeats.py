"""The A/A floor: how often an answer is called better although the same model gave both.

Pairs whose question EXPENSIVE was asked twice are handed out among the others, and nobody can tell
them apart. What is said of them is no evidence: no verdict is written, so that neither curve,
certificate, agreement nor a judge ever sees it.
Source: statistics.md in docs, section "A/A floor".
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from django.db.models import Max, Min, QuerySet

from reviews import blinding, checks, sampling
from reviews.models import Rater, Rating, Slot, Study, Verdict
from reviews.stats import intervals
from routing.models import RepeatPair

_KINDS, _STATES = Slot.Kind, Slot.State
_PREFERENCE = Verdict.Preference
#: About every so many pairs of a rater one is a repeat: it costs their time and decides nothing.
_EVERY = 10


class Floor(NamedTuple):
    """What people said of repeats; the shares are None where nothing is rated.

    Attributes:
        n_rated: repeats rated.
        worse: share in which the second answer lost: the first was called better.
        low: of the Wilson interval of `worse`, at 95 %.
        high: likewise.
        better: share in which the second answer won; chance alone makes both alike.
        ties: share in which neither was called better, both bad included.
    """

    n_rated: int
    worse: float | None = None
    low: float | None = None
    high: float | None = None
    better: float | None = None
    ties: float | None = None


def due(study: Study, rater: Rater) -> Slot | None:
    """Write and return the repeat that is the rater's turn, if one is; it is theirs alone.

    In the caller's transaction, which holds the rater. Of two raters who are given one repeat at
    once, the second goes on with the sample.
    """
    n = study.slots.filter(rater=rater, kind=_KINDS.SAMPLE, state=_STATES.DONE).count()
    if not n or sampling.uniform(f"{study.seed}|again|{rater.pk}", n) >= 1 / _EVERY:
        return None
    mine = study.slots.filter(rater=rater, kind=_KINDS.AGAIN)
    found = None if mine.filter(order=n).exists() else _next(study, rater, n)
    if found is None:
        return None
    slot = Slot(
        study=study, pair_id=found.pair_id, rater=rater, kind=_KINDS.AGAIN, ordinal=0, order=n,
        state=_STATES.LEASED,
    )  # fmt: skip
    Slot.objects.bulk_create([slot], ignore_conflicts=True)
    return mine.filter(pair_id=found.pair_id).first()


def _next(study: Study, rater: Rater, n: int) -> RepeatPair | None:
    """Return a repeat that nobody was given, from a place that a hash chooses.

    Its pair waits for no rating: whoever compared two answers of a question must not be needed
    for a third.
    """
    ends = RepeatPair.objects.aggregate(first=Min("id"), last=Max("id"))
    if ends["first"] is None:
        return None
    share = sampling.uniform(f"{study.seed}|repeat|{rater.pk}", n)
    begin = ends["first"] + int(share * (ends["last"] - ends["first"] + 1))
    free = _free(study, rater).order_by("id")
    return free.filter(id__gte=begin).first() or free.filter(id__lt=begin).first()


def _free(study: Study, rater: Rater) -> QuerySet[RepeatPair]:
    """Return the repeats of the study's frame that the rater may be given."""
    given = study.slots.filter(kind=_KINDS.AGAIN).values("pair_id")
    golds = study.golds.filter(retired_at=None).values("pair_id")
    rows = RepeatPair.objects.filter(pair__draws__study=study)
    rows = rows.exclude(pair_id__in=given).exclude(pair_id__in=golds)
    rows = rows.exclude(pair_id__in=checks.waiting(study).values("pair_id"))
    return rows.exclude(pair_id__in=checks.seen(study, rater))


def floor(study: Study) -> Floor:
    """Return how often people called the first of two answers of one model the better one.

    Every repeat weighs the same. To be set against the share of cheap answers that were worse, not
    against degradation: that is a share of all requests.
    """
    said = Counter(blinding.meaning(row).preference for row in _newest(study))
    n, worse, better = said.total(), said[_PREFERENCE.EXPENSIVE], said[_PREFERENCE.CHEAP]
    if not n:
        return Floor(0)
    low, high = intervals.wilson(float(worse), float(n))
    return Floor(n, worse / n, float(low), float(high), better / n, (n - worse - better) / n)


def _newest(study: Study) -> QuerySet[Rating]:
    """Return what people said last of each repeat."""
    rows = Rating.objects.filter(
        presentation__slot__study=study,
        presentation__slot__kind=_KINDS.AGAIN,
        presentation__rater__kind=Rater.Kind.HUMAN,
    )
    one = "presentation__slot_id"
    return rows.order_by(one, "-id").distinct(one).select_related("presentation")
