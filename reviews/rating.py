"""Hand out slots, take ratings, unblind them: the rater's whole journey.

A slot is leased to one rater; when the lease runs out it goes to the next. A rating is written
once, with its verdict; a correction is a newer row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Q
from django.utils import timezone

from reviews import blinding, permissions
from reviews.errors import Conflict
from reviews.models import Presentation, Rater, Rating, Reveal, Slot, Study, Verdict
from routing.models import ShadowPair

_STATES = Slot.State


@dataclass(frozen=True)
class Progress:
    """How far one rater and the team are."""

    mine: int
    team: int
    total: int


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
    taken under a lock that others skip.
    """
    slot = _held(study, rater) or _next(study, rater)
    if slot is None:
        return None
    slot.rater, slot.state = rater, _STATES.LEASED
    slot.lease_until = timezone.now() + timedelta(seconds=settings.SHADOWEVAL_LEASE_S)
    slot.save(update_fields=["rater", "state", "lease_until"])
    shown = slot.presentations.filter(rater=rater).order_by("-id").first()
    return shown or blinding.present(slot, rater)


def _held(study: Study, rater: Rater) -> Slot | None:
    held = Slot.objects.select_for_update().filter(
        study=study, rater=rater, state=_STATES.LEASED, lease_until__gt=timezone.now()
    )
    return held.exclude(pair_id__in=rater.reveals.values("pair_id")).first()


def _next(study: Study, rater: Rater) -> Slot | None:
    """Return the first slot in random order that is free, of a pair new to the rater."""
    free = Q(state=_STATES.OPEN) | Q(state=_STATES.LEASED, lease_until__lte=timezone.now())
    mine = Slot.objects.filter(study=study, rater=rater)
    # The rater's own slot may come back to them; the pair's other slot never does.
    is_new = Q(rater=rater) | ~Q(pair_id__in=mine.values("pair_id"))
    is_blind = ~Q(pair_id__in=rater.reveals.values("pair_id"))
    candidates = Slot.objects.filter(free, is_new, is_blind, study=study)
    locked = candidates.select_for_update(skip_locked=True).order_by("order", "id")
    return locked.first()


@transaction.atomic
def submit(
    token: UUID,
    rater: Rater,
    *,
    choice: str,
    left_adequate: bool,
    right_adequate: bool,
    comment: str = "",
    seconds: float = 0.0,
) -> Verdict:
    """Store a rating and its verdict, and close the slot; sent again, it corrects the first.

    Raises:
        Presentation.DoesNotExist: when the showing is not this rater's.
        Conflict: when the lease ended and the slot went to somebody else, or the rater has seen
            which answer is which.
    """
    shown = Presentation.objects.select_related("slot").get(token=token, rater=rater)
    slot = Slot.objects.select_for_update().get(pk=shown.slot_id)
    if rater.reveals.filter(pair_id=slot.pair_id).exists():
        raise Conflict("You have seen which answer of this pair is which; it is no longer blind.")
    if slot.rater_id != rater.pk:
        raise Conflict("Your time for this pair ran out and somebody else has it now.")
    rating = Rating.objects.create(
        presentation=shown,
        choice=choice,
        left_adequate=left_adequate,
        right_adequate=right_adequate,
        comment=comment,
        seconds=seconds,
    )
    slot.state, slot.lease_until = _STATES.DONE, None
    slot.save(update_fields=["state", "lease_until"])
    return blinding.unblind(rating, slot)


def may_reveal(pair: ShadowPair, rater: Rater) -> bool:
    """Return whether the rater has rated the pair or seen it: nothing is lost by showing it."""
    has_rated = Verdict.objects.filter(pair=pair, rater=rater).exists()
    return has_rated or rater.reveals.filter(pair=pair).exists()


def is_needed(pair: ShadowPair, rater: Rater) -> bool:
    """Return whether the pair waits for a rating and nobody but this rater could give it."""
    waits = pair.slots.filter(study__state=Study.State.RUNNING).exclude(state=_STATES.DONE)
    others = permissions.people_who_can("rate").exclude(rater=rater)
    return waits.exists() and not others.exclude(rater__reveals__pair=pair).exists()


@transaction.atomic
def reveal(pair: ShadowPair, rater: Rater) -> None:
    """Note that the rater sees which answer is which, and take the pair out of their queue.

    Raises:
        Conflict: when the rating would then be missing for good.
    """
    is_asked = rater.user is not None and permissions.can(rater.user, "rate")
    if is_asked and not may_reveal(pair, rater) and is_needed(pair, rater):
        raise Conflict("Nobody else can rate this pair: rate it first, or add another rater.")
    held = Slot.objects.select_for_update().filter(pair=pair, rater=rater, state=_STATES.LEASED)
    held.update(state=_STATES.OPEN, rater=None, lease_until=None)
    Reveal.objects.get_or_create(pair=pair, rater=rater)


def shown_to(token: UUID, rater: Rater) -> Presentation:
    """Return the rater's own showing, also a rated one: for a correction, sides as they were.

    Raises:
        Presentation.DoesNotExist: when the showing is not this rater's.
    """
    return Presentation.objects.select_related("slot__study").get(token=token, rater=rater)


def last_rated(study: Study, rater: Rater) -> Presentation | None:
    """Return the showing that the rater rated last."""
    rated = Rating.objects.filter(presentation__rater=rater, presentation__slot__study=study)
    newest = rated.order_by("-id").select_related("presentation").first()
    return newest.presentation if newest else None


def last_said(shown: Presentation) -> Rating | None:
    """Return what was said at a showing before, to be corrected; None at a first showing."""
    return shown.ratings.order_by("-id").first()


def progress(study: Study, rater: Rater) -> Progress:
    """Return the ratings done by the rater and by all, of the slots there are."""
    done = Q(state=_STATES.DONE)
    counted = study.slots.aggregate(
        mine=Count("pk", filter=done & Q(rater=rater)),
        team=Count("pk", filter=done),
        total=Count("pk"),
    )
    return Progress(**counted)
