"""Which pairs an export leaves out: nobody reads by tier what they may still answer blind."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from reviews import opinions, permissions
from reviews.models import Adjudication, Gold, Rater, Slot, Study
from routing.models import ShadowPair

_OPEN = [Slot.State.OPEN, Slot.State.LEASED]


def hidden_from_nobody() -> QuerySet[ShadowPair]:
    """Return no pair: whoever runs the server reads its database anyway."""
    return ShadowPair.objects.none()


def hidden_from_anybody() -> QuerySet[ShadowPair]:
    """Return the pairs that wait for an answer, whoever gives it: a key may be anybody's."""
    return ShadowPair.objects.filter(_waiting() | _in_dispute())


def hidden_from(user: User, *, texts: bool) -> QuerySet[ShadowPair]:
    """Return the pairs that the person may still be asked about, to rate or to settle.

    With texts these are, of whoever rates, all pairs that they neither rated nor looked at:
    another study may draw what no study waits for today.
    """
    rater = Rater.objects.filter(user=user).first()
    asked = Q(pk__in=[])
    if permissions.can(user, "rate"):
        asked |= ~_known(rater) if texts else _waiting() & ~_known(rater)
    if permissions.can(user, "adjudicate"):
        asked |= _in_dispute() & ~_known(rater) & ~_settled(rater)
    return ShadowPair.objects.filter(asked)


def _waiting() -> Q:
    """Return that a running study waits for a rating of the pair, or asks it as gold."""
    waits = Slot.objects.filter(
        study__state=Study.State.RUNNING, state__in=_OPEN, kind=Slot.Kind.SAMPLE
    )
    golds = Gold.objects.filter(study__state=Study.State.RUNNING, retired_at=None)
    return Q(pk__in=waits.values("pair_id")) | Q(pk__in=golds.values("pair_id"))


def _in_dispute() -> Q:
    """Return that a lead may be asked to settle the pair; closed studies are settled too.

    Found once, not again for each chunk of a file.
    """
    return Q(pk__in=opinions.in_dispute())


def _known(rater: Rater | None) -> Q:
    """Return that the person rated the pair or had it revealed."""
    if rater is None:
        return Q(pk__in=[])
    said, seen = rater.verdicts.values("pair_id"), rater.reveals.values("pair_id")
    return Q(pk__in=said) | Q(pk__in=seen)


def _settled(rater: Rater | None) -> Q:
    """Return that the person settled the pair, in whichever study."""
    if rater is None:
        return Q(pk__in=[])
    return Q(pk__in=Adjudication.objects.filter(rater=rater).values("pair_id"))
