"""Hand out slots, take ratings, unblind them: the rater's whole journey.

A slot is leased to one rater; when the lease runs out it goes to the next. A rating is written
once, with its verdict; a correction is a newer row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from reviews import blame, blinding, checks, guidance, hopeless, repeats, timely
from reviews.errors import Conflict
from reviews.models import (
    OriginGuess,
    Presentation,
    Rater,
    Rating,
    Skip,
    Slot,
    Study,
)

_STATES, _KINDS = Slot.State, Slot.Kind


def rater_of(user: User) -> Rater:
    """Return the person's rater, written at first use."""
    rater, _ = Rater.objects.get_or_create(
        user=user, defaults={"kind": Rater.Kind.HUMAN, "name": user.get_username()}
    )
    return rater


@transaction.atomic
def hand_out(study: Study, rater: Rater) -> Presentation | None:
    """Lease the rater's next slot and draw its side; None when nothing is left for them.

    A rater who comes back gets the showing they had. Two raters never get one slot: the row is
    taken under a lock that others skip. A rater's own requests wait for each other. A paused one
    gets what they had in hand and nothing more.
    """
    locked = Rater.objects.select_for_update(no_key=True).get(pk=rater.pk)
    if study.state != Study.State.RUNNING:
        return None
    slot = _held(study, rater) or (None if locked.paused_at else _due_or_next(study, rater))
    if slot is None:
        return None
    slot.study = study
    lease(slot, rater)
    shown = slot.presentations.filter(rater=rater).order_by("-id").first()
    return shown or blinding.present(
        slot, rater, left=checks.side(slot, rater), guideline=guidance.current(study)
    )


def lease(slot: Slot, rater: Rater) -> None:
    """Give the slot to the rater for a while."""
    slot.rater, slot.state = rater, _STATES.LEASED
    slot.lease_until = timezone.now() + timedelta(seconds=settings.SHADOWEVAL_LEASE_S)
    slot.save(update_fields=["rater", "state", "lease_until"])


def _held(study: Study, rater: Rater) -> Slot | None:
    """Return what the rater has in hand; a check is theirs alone and does not run out."""
    lasts = Q(lease_until__gt=timezone.now()) | ~Q(kind=_KINDS.SAMPLE)
    held = Slot.objects.select_for_update().filter(
        lasts, study=study, rater=rater, state=_STATES.LEASED
    )
    held = held.exclude(kind=_KINDS.ADJUDICATION)
    return held.exclude(pair_id__in=rater.reveals.values("pair_id")).first()


def _due_or_next(study: Study, rater: Rater) -> Slot | None:
    """Return the first slot in random order that the rater may take, or what comes before it.

    Where nothing is left there are no checks and no repeats: alone, they would stand out.
    """
    locked = _free(study, rater).select_for_update(skip_locked=True)
    slot = locked.order_by("order", "id").first()
    due = slot and (checks.due(study, rater) or repeats.due(study, rater))
    return slot and (due or blame.due(study, rater) or slot)


def waiting(study: Study, rater: Rater) -> int:
    """Return how many pairs of the study the rater could take now; a paused one none."""
    if rater.paused_at:
        return 0
    return _free(study, rater).values("pair").distinct().count()


def _free(study: Study, rater: Rater) -> QuerySet[Slot]:
    """Return the slots that are free, of pairs new to the rater that they did not skip.

    Of a living sample, only those whose rating would still count.
    """
    free = Q(state=_STATES.OPEN) | Q(state=_STATES.LEASED, lease_until__lte=timezone.now())
    mine = Slot.objects.filter(study=study, rater=rater)
    skipped = Skip.objects.filter(presentation__rater=rater, presentation__slot__study=study)
    # The rater's own slot may come back to them; the pair's other slot never does.
    is_new = Q(rater=rater) | ~Q(pair_id__in=mine.values("pair_id"))
    is_blind = ~Q(pair_id__in=rater.reveals.values("pair_id"))
    is_asked = ~Q(pair_id__in=skipped.values("presentation__slot__pair_id"))
    rows = Slot.objects.filter(free, is_new, is_blind, is_asked, study=study, kind=_KINDS.SAMPLE)
    if study.watches_id is None:
        return rows
    return rows.filter(pair__request__received_at__gte=timely.oldest(timezone.now()))


@transaction.atomic
def submit(
    token: UUID,
    rater: Rater,
    *,
    choice: str,
    left_adequate: bool,
    right_adequate: bool,
    left_supported: bool | None = None,
    right_supported: bool | None = None,
    reasons: Sequence[str] = (),
    comment: str = "",
    seconds: float = 0.0,
) -> Rating:
    """Store a rating, with its verdict where it is evidence, and close the slot.

    Sent again, it corrects the first. A slot of an adjudication stays leased: `adjudication.settle`
    closes it. Whether sources support an answer is stored where there are sources only.

    Raises:
        Presentation.DoesNotExist: when the showing is not this rater's.
        Conflict: when the lease ended and the slot went to somebody else, the rater has seen
            which answer is which or is paused, or the study is closed.
    """
    shown, slot = _mine(token, rater)
    _check_open(slot, rater)
    supported = (left_supported, right_supported)
    if supported != (None, None) and not blinding.has_sources(shown):
        supported = (None, None)
    rating = Rating.objects.create(
        presentation=shown,
        choice=choice,
        left_adequate=left_adequate,
        right_adequate=right_adequate,
        left_supported=supported[0],
        right_supported=supported[1],
        reasons=[name for name in slot.study.reasons if name in reasons],
        comment=comment,
        seconds=seconds,
    )
    if slot.kind != _KINDS.ADJUDICATION:
        _close(slot, _STATES.DONE)
    if slot.kind == _KINDS.SAMPLE:
        blinding.unblind(rating)
    return rating


def _check_open(slot: Slot, rater: Rater) -> None:
    """Refuse what would change a closed study, or what a paused rater said before."""
    if slot.study.state != Study.State.RUNNING:
        raise Conflict("This study is closed; what was said in it stays.")
    rater.refresh_from_db(fields=["paused_at"])
    if rater.paused_at and slot.state == _STATES.DONE:
        raise Conflict("You are paused; what you said stays as it is.")


def _mine(token: UUID, rater: Rater) -> tuple[Presentation, Slot]:
    """Return the rater's showing and its slot, locked.

    Raises:
        Presentation.DoesNotExist: when the showing is not this rater's.
        Conflict: when the slot is no longer theirs to rate.
    """
    shown = Presentation.objects.get(token=token, rater=rater)
    slot = Slot.objects.select_for_update(of=["self"]).select_related("study").get(pk=shown.slot_id)
    shown.slot = slot
    if rater.reveals.filter(pair_id=slot.pair_id).exists():
        raise Conflict("You have seen which answer of this pair is which; it is no longer blind.")
    if slot.rater_id != rater.pk:
        raise Conflict("Your time for this pair ran out and somebody else has it now.")
    return shown, slot


def _close(slot: Slot, state: str) -> None:
    slot.state, slot.lease_until = state, None
    slot.save(update_fields=["state", "lease_until"])


@transaction.atomic
def renew(token: UUID, rater: Rater) -> datetime:
    """Extend the lease of a pair that is being looked at; return its new end.

    A lease that ran out is taken again as long as nobody else has.

    Raises:
        Presentation.DoesNotExist: when the showing is not this rater's.
        Conflict: when the slot is no longer theirs, or rated already.
    """
    _, slot = _mine(token, rater)
    if slot.state != _STATES.LEASED:
        raise Conflict("This pair is rated already.")
    lease(slot, rater)
    assert slot.lease_until is not None
    return slot.lease_until


def lease_left_s(slot: Slot) -> int:
    """Return the seconds for which the slot is still its rater's; 0 when it is not leased."""
    if slot.lease_until is None:
        return 0
    return max(int((slot.lease_until - timezone.now()).total_seconds()), 0)


@transaction.atomic
def skip(token: UUID, rater: Rater, *, reason: str, comment: str = "") -> None:
    """Note that the rater cannot judge a pair, and pass its slot on.

    When nobody is left to ask, the pair is given up: a verdict says that it could not be judged,
    and it counts as harm, since leaving it out would flatter.

    Raises:
        Presentation.DoesNotExist: when the showing is not this rater's.
        Conflict: when the slot is no longer theirs, or rated already.
    """
    hopeless.lock(Slot.objects.get(presentations__token=token))
    shown, slot = _mine(token, rater)
    if slot.state != _STATES.LEASED:
        raise Conflict("This pair is rated already; correct the rating instead.")
    Skip.objects.create(presentation=shown, reason=reason, comment=comment)
    if slot.kind != _KINDS.SAMPLE:
        return _close(slot, _STATES.GIVEN_UP)
    slot.rater = None
    slot.save(update_fields=["rater"])
    _close(slot, _STATES.OPEN)
    return hopeless.give_up_if(slot)


@transaction.atomic
def take_back(token: UUID, rater: Rater) -> None:
    """Undo a skip: lease the slot again, unless it is somebody else's or given up meanwhile.

    What was not skipped stays as it is.

    Raises:
        Presentation.DoesNotExist: when the showing is not this rater's.
        Conflict: when it is too late.
    """
    shown = Presentation.objects.select_related("slot").get(token=token, rater=rater)
    if shown.ratings.exists() or not shown.skips.exists():
        return
    hopeless.lock(shown.slot)
    slot = Slot.objects.select_for_update().get(pk=shown.slot_id)
    if slot.state == _STATES.LEASED and slot.rater_id == rater.pk:
        return
    is_free = slot.state == _STATES.OPEN and slot.rater_id is None
    is_own_check = slot.kind != _KINDS.SAMPLE and slot.rater_id == rater.pk
    if not (is_free or is_own_check):
        raise Conflict("Too late to undo: this pair went to somebody else or was given up.")
    lease(slot, rater)


def guess_origin(token: UUID, rater: Rater, guess: str) -> None:
    """Store which answer the rater takes for the costlier model's; the first guess stays.

    Raises:
        Presentation.DoesNotExist: when the showing is not this rater's, was not asked about
            or is not rated yet.
    """
    asked = Presentation.objects.filter(asks_origin=True, ratings__isnull=False)
    shown = asked.distinct().get(token=token, rater=rater)
    OriginGuess.objects.get_or_create(presentation=shown, defaults={"guess": guess})


def shown_to(token: UUID, rater: Rater) -> Presentation:
    """Return the rater's own showing, also a rated one: for a correction, sides as they were.

    Raises:
        Presentation.DoesNotExist: when the showing is not this rater's.
    """
    return Presentation.objects.select_related("slot__study").get(token=token, rater=rater)
