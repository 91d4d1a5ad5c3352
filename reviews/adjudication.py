"""Settle what raters disagree about: the queue, one blind choice, then what raters said.

Nothing here writes a verdict, so that no estimate changes: docs/adr/0018.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from reviews import blinding, gold, guidance, opinions, rating
from reviews.errors import BadInput, Conflict
from reviews.models import (
    Adjudication,
    Presentation,
    Rater,
    Rating,
    Reveal,
    Slot,
    Study,
    Verdict,
)
from reviews.opinions import Answer, Opinion
from reviews.stats import conduct

_KINDS, _STATES = Slot.Kind, Slot.State
#: Ratings whose time is compared; the newest.
_LOOKED_AT = 10_000


@dataclass(frozen=True)
class Queue:
    """Where people disagree, the worst first, and how much there is beside it.

    Attributes:
        pairs: ids of the pairs that one adjudicator may still settle.
        agree: pairs on which two people or more say the same.
        settled: pairs that were settled.
        elsewhere: disagreements in others' hands, or that this person rated, saw or skipped.
    """

    pairs: list[int]
    agree: int
    settled: int
    elsewhere: int


@dataclass(frozen=True)
class Said:
    """What one rater said, in terms of the A and B on the adjudicator's screen; no name.

    Their comment may speak of A and B as they saw them: where `is_swapped`, the other way round.
    """

    number: int
    choice: str
    adequate: dict[str, bool | None]
    reasons: list[str]
    comment: str
    is_rushed: bool
    is_swapped: bool


def queue(study: Study, rater: Rater) -> Queue:
    """Return what one adjudicator may settle: of a person's verdicts on a pair the newest counts.

    In the order of `opinions.disagreement`, the worst first; among equals the oldest pair.
    """
    said = {pair: some for pair, some in opinions.by_pair(study).items() if len(some) > 1}
    scores = {pair: opinions.disagreement(some) for pair, some in said.items()}
    settled = set(study.adjudications.values_list("pair_id", flat=True))
    differ = {pair for pair, score in scores.items() if score} - settled
    mine = differ - _barred(study, rater)
    return Queue(
        pairs=sorted(mine, key=lambda pair: (-scores[pair], pair)),
        agree=sum(not score for score in scores.values()),
        settled=len(settled),
        elsewhere=len(differ) - len(mine),
    )


def _barred(study: Study, rater: Rater) -> set[int]:
    """Return the pairs that the person rated, was shown or saw, or that another one has in hand."""
    mine = Q(rater=rater)
    held = Q(kind=_KINDS.ADJUDICATION, state=_STATES.LEASED, lease_until__gt=timezone.now())
    slots = study.slots.filter(mine | held).values_list("pair_id", flat=True)
    verdicts = Verdict.objects.filter(rater=rater).values_list("pair_id", flat=True)
    shown = Presentation.objects.filter(rater=rater, slot__study=study)
    reveals = Reveal.objects.filter(rater=rater).values_list("pair_id", flat=True)
    return {*slots, *verdicts, *reveals, *shown.values_list("slot__pair_id", flat=True)}


@transaction.atomic
def hand_out(study: Study, rater: Rater) -> Presentation | None:
    """Lease the pair most in dispute to one adjudicator; None when there is none for them.

    Who comes back gets what they had. A lease that ran out is over: the pair goes to the next
    one, with a slot and sides of their own. Adjudicators of a study wait for each other.
    """
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    slot = _held(study, rater) or _next(study, rater)
    if slot is None:
        return None
    rating.lease(slot, rater)
    shown = slot.presentations.first()
    return shown or blinding.present(slot, rater, guideline=guidance.current(study))


def _held(study: Study, rater: Rater) -> Slot | None:
    held = study.slots.select_for_update().filter(
        rater=rater, kind=_KINDS.ADJUDICATION, state=_STATES.LEASED
    )
    return held.first()


def _next(study: Study, rater: Rater) -> Slot | None:
    pairs = queue(study, rater).pairs
    if not pairs:
        return None
    lapsed = study.slots.filter(kind=_KINDS.ADJUDICATION, pair=pairs[0], state=_STATES.LEASED)
    lapsed.update(state=_STATES.GIVEN_UP, lease_until=None)
    return Slot.objects.create(
        study=study, pair_id=pairs[0], rater=rater, kind=_KINDS.ADJUDICATION, ordinal=0, order=0
    )


def shown_to(token: UUID, rater: Rater) -> Presentation:
    """Return the adjudicator's own showing.

    Raises:
        Presentation.DoesNotExist: when it is not theirs, or no adjudication.
    """
    mine = Presentation.objects.filter(rater=rater, slot__kind=_KINDS.ADJUDICATION)
    return mine.select_related("slot__study").get(token=token)


def is_chosen(shown: Presentation) -> bool:
    """Return whether the adjudicator chose: only then they see what raters said."""
    return shown.ratings.exists()


@transaction.atomic
def choose(token: UUID, rater: Rater, said: Mapping[str, Any]) -> Rating:
    """Store what the adjudicator holds before they see what raters said; the lease goes on.

    Args:
        token: of the showing.
        rater: the adjudicator.
        said: as `rating.submit` takes it.

    Raises:
        Presentation.DoesNotExist: when the showing is not theirs.
        Conflict: when the pair is no longer theirs to settle.
    """
    slot = _open(token, rater)
    rating.lease(slot, rater)
    return rating.submit(token, rater, **said)


def _open(token: UUID, rater: Rater) -> Slot:
    """Return the slot of a showing, locked, while it is the adjudicator's."""
    shown = shown_to(token, rater)
    # As in `hand_out`, or a pair whose lease ran out could be handed on while it is being settled.
    Study.objects.select_for_update(no_key=True).get(pk=shown.slot.study_id)
    slot = Slot.objects.select_for_update().get(pk=shown.slot_id)
    if slot.state != _STATES.LEASED:
        raise Conflict("This pair is settled already, or your time for it ran out.")
    return slot


@transaction.atomic
def settle(
    token: UUID, rater: Rater, said: Mapping[str, Any], *, cause: str, note: str = "", use: str = ""
) -> Adjudication:
    """Store the answer with the cause of the disagreement, and close the slot.

    Writes a rating and an adjudication, and gold, without an explanation, where `use` says so.
    Never a verdict: estimates are about what raters of the pool say.

    Raises:
        Presentation.DoesNotExist: when the showing is not theirs.
        BadInput: when there is no cause, or an answer that nobody gave comes without a note.
        Conflict: when they have not said first what they hold, or the pair is no longer theirs.
    """
    slot = _open(token, rater)
    if not Rating.objects.filter(presentation__slot=slot).exists():
        raise Conflict("First say blind what you hold; then comes what raters said.")
    if cause not in Adjudication.Cause.values:
        raise BadInput("Say why raters disagree: one of the causes.")
    final = rating.submit(token, rater, **said)
    meaning = blinding.meaning(final)
    answer = Answer(meaning.preference, meaning.cheap_adequate, meaning.expensive_adequate)
    if not note.strip() and opinions.overrules(answer, _opinions(slot)):
        raise BadInput("You overrule everybody: say in the note why.")
    Slot.objects.filter(pk=slot.pk).update(state=_STATES.DONE, lease_until=None)
    if use:
        assert rater.user is not None
        # Without the note: it speaks of A and B of this screen.
        gold.add(slot.study, slot.pair, rater.user, use=use, answer=answer)
    return Adjudication.objects.create(
        study_id=slot.study_id, pair_id=slot.pair_id, rater=rater, rating=final, cause=cause,
        note=note.strip(), **answer._asdict(),
    )  # fmt: skip


def _opinions(slot: Slot) -> list[Opinion]:
    return opinions.by_pair(slot.study, [slot.pair_id]).get(slot.pair_id, [])


def said_by_raters(shown: Presentation) -> list[Said]:
    """Return what raters said of a pair, as Rater 1, 2, … in terms of this showing's A and B."""
    some = _opinions(shown.slot)
    given = Rating.objects.select_related("presentation")
    ratings = given.in_bulk([one.rating_id for one in some if one.rating_id])
    hasty = _hasty(shown.slot.study)
    return [
        _said(number, one, ratings.get(one.rating_id or 0), shown.left, hasty)
        for number, one in enumerate(some, 1)
    ]


def _said(number: int, one: Opinion, given: Rating | None, left: str, hasty: float) -> Said:
    fits = {"cheap": one.answer.cheap_adequate, "expensive": one.answer.expensive_adequate}
    return Said(
        number=number,
        choice=_words(one, left),
        adequate={"A": fits.pop(left), "B": next(iter(fits.values()))},
        reasons=given.reasons if given else [],
        comment=given.comment if given else "",
        is_rushed=given is not None and given.seconds < hasty,
        is_swapped=given is not None and given.presentation.left != left,
    )


def _words(one: Opinion, left: str) -> str:
    if not one.answer.preference:
        return "adequacy only"
    words = blinding.better_side(one.answer.preference, left)
    is_side = one.answer.preference in ("cheap", "expensive")
    return words.replace(" is ", " is much ") if one.is_strong and is_side else words


def _hasty(study: Study) -> float:
    """Return the seconds below which a rating looks rushed: a quarter of the study's median."""
    rated = Rating.objects.filter(
        presentation__slot__study=study, presentation__slot__kind=_KINDS.SAMPLE
    )
    seconds = list(rated.order_by("-id").values_list("seconds", flat=True)[:_LOOKED_AT])
    return conduct.HASTY * statistics.median(seconds) if seconds else 0.0
