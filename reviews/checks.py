"""Showings that look at the rater: practice with feedback, hidden gold, repeats, identical answers.

Each is a slot written for one rater when it is handed out. None of them is evidence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from django.db.models import Count, Max, Min, Q, QuerySet

from reviews import blinding, sampling
from reviews.models import Gold, Presentation, Rater, Rating, SampledPair, Slot, Study
from routing.models import ShadowPair
from routing.types import Tier

_KINDS, _STATES = Slot.Kind, Slot.State
#: A repeat comes after so many others that few remember what they said.
_REPEAT_AFTER = 5
_LOOKED_AT = 50


@dataclass(frozen=True)
class Outcome:
    """Whether a rater said what is known; None where nothing is known of adequacy."""

    preference: bool
    adequacy: bool | None

    @property
    def is_right(self) -> bool:
        """Return whether nothing that is known was missed."""
        return self.preference and self.adequacy is not False


def due(study: Study, rater: Rater) -> Slot | None:
    """Write and return the check that is the rater's turn, if one is; it is theirs alone."""
    rated = Q(kind=_KINDS.SAMPLE, state=_STATES.DONE)
    done = study.slots.filter(rater=rater).aggregate(
        practised=Count("pk", filter=Q(kind=_KINDS.PRACTICE)), rated=Count("pk", filter=rated)
    )
    if done["rated"]:
        return _hidden(study, rater, done["rated"])
    return _practice(study, rater, done["practised"])


def _practice(study: Study, rater: Rater, n: int) -> Slot | None:
    """Return the next gold pair with feedback, before the rater's first real pair."""
    if n >= study.practice_pairs:
        return None
    gold = _unseen_gold(study, rater, Gold.Use.PRACTICE)
    return _write(study, rater, _KINDS.PRACTICE, gold.pair, n) if gold else None


def practice_left(study: Study, rater: Rater) -> int:
    """Return how many practice pairs the rater has before them, the one in hand included."""
    mine = study.slots.filter(rater=rater)
    if mine.filter(kind=_KINDS.SAMPLE).exists():
        return 0
    done = mine.filter(kind=_KINDS.PRACTICE, state=_STATES.DONE).count()
    there = _ready(study, Gold.Use.PRACTICE).count()
    return max(min(study.practice_pairs, there) - done, 0)


def _hidden(study: Study, rater: Rater, n: int) -> Slot | None:
    """Return a hidden check about every n-th time, of a kind that a hash chooses."""
    draw = sampling.uniform(f"{study.seed}|check|{rater.pk}", n)
    if not study.check_every or draw >= 1 / study.check_every:
        return None
    if study.slots.filter(rater=rater, kind__in=Slot.CHECKS, order=n).exists():
        return None
    turn = int(draw * study.check_every * len(_MAKERS))
    for kind, choose in _MAKERS[turn:] + _MAKERS[:turn]:
        if pair := choose(study, rater):
            return _write(study, rater, kind, pair, n)
    return None


def _write(study: Study, rater: Rater, kind: str, pair: ShadowPair, n: int) -> Slot:
    return Slot.objects.create(
        study=study, pair=pair, rater=rater, kind=kind, ordinal=0, order=n, state=_STATES.LEASED
    )


def seen(study: Study, rater: Rater) -> set[int]:
    """Return the pairs that the rater was shown in this study, blind or not."""
    shown = Presentation.objects.filter(rater=rater, slot__study=study)
    revealed = rater.reveals.values_list("pair_id", flat=True)
    return {*shown.values_list("slot__pair_id", flat=True), *revealed}


def _ready(study: Study, use: str) -> QuerySet[Gold]:
    """Return the gold that no slot of the sample waits for: whoever saw it could not rate it."""
    golds = study.golds.filter(use=use, retired_at=None)
    return golds.exclude(pair_id__in=waiting(study).values("pair_id"))


def _unseen_gold(study: Study, rater: Rater, use: str) -> Gold | None:
    golds = _ready(study, use).select_related("pair").exclude(pair_id__in=seen(study, rater))
    return golds.order_by("id").first()


def _gold(study: Study, rater: Rater) -> ShadowPair | None:
    gold = _unseen_gold(study, rater, Gold.Use.HIDDEN)
    return gold.pair if gold else None


def waiting(study: Study) -> QuerySet[Slot]:
    """Return the slots of the sample that are still to be rated."""
    return study.slots.filter(kind=_KINDS.SAMPLE, state__in=[_STATES.OPEN, _STATES.LEASED])


def _repeat(study: Study, rater: Rater) -> ShadowPair | None:
    """Return the pair that the rater rated first and has not seen again."""
    rated = study.slots.filter(rater=rater, kind=_KINDS.SAMPLE, state=_STATES.DONE)
    again = study.slots.filter(rater=rater, kind=_KINDS.REPEAT).values("pair_id")
    rated = rated.exclude(pair_id__in=rater.reveals.values("pair_id"))
    places = list(rated.order_by("-presentations__id").values_list("pk", flat=True))
    early = rated.filter(pk__in=places[_REPEAT_AFTER:]).exclude(pair_id__in=again)
    first = early.select_related("pair").order_by("presentations__id").first()
    return first.pair if first else None


def _identical(study: Study, rater: Rater) -> ShadowPair | None:
    """Return a pair that was not drawn, new to the rater: one of its answers stands on both sides.

    Looks at a few from a place that a hash chooses, however large the frame is.
    """
    ends = study.sample.aggregate(first=Min("id"), last=Max("id"))
    if ends["first"] is None:
        return None
    share = sampling.uniform(f"{study.seed}|identical", rater.pk)
    begin = ends["first"] + int(share * (ends["last"] - ends["first"]))
    near: list[SampledPair] = []
    for at in ({"id__gte": begin}, {"id__lt": begin}):
        near += study.sample.filter(**at).order_by("id").select_related("pair")[:_LOOKED_AT]
    known = seen(study, rater)
    spare = (row.pair for row in near if not row.selected and row.pair_id not in known)
    return next(spare, None)


#: Which pair each kind of check would show.
_MAKERS: list[tuple[str, Callable[[Study, Rater], ShadowPair | None]]] = [
    (_KINDS.GOLD, _gold),
    (_KINDS.REPEAT, _repeat),
    (_KINDS.IDENTICAL, _identical),
]


def side(slot: Slot, rater: Rater) -> Tier | None:
    """Return which tier must stand left: of a repeat, the one that stood right; else a coin's."""
    if slot.kind != _KINDS.REPEAT:
        return None
    shown = Presentation.objects.filter(rater=rater, slot__pair=slot.pair, slot__study=slot.study)
    first = shown.exclude(slot=slot).order_by("id").values_list("left", flat=True)[0]
    return Tier(first).other


def outcome(gold: Gold, rating: Rating) -> Outcome:
    """Compare what was said with what is known of a gold pair."""
    said = blinding.meaning(rating)
    known = (gold.cheap_adequate, gold.expensive_adequate)
    told = (said.cheap_adequate, said.expensive_adequate)
    pairs = [(a, b) for a, b in zip(known, told, strict=True) if a is not None]
    adequacy = all(a == b for a, b in pairs) if pairs else None
    return Outcome(said.preference == gold.preference, adequacy)
