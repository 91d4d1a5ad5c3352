"""Which pairs an export leaves out, so that nobody reads by tier what they may still rate blind."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from reviews import permissions
from reviews.models import Gold, Rater, Slot, Study
from routing.models import ShadowPair

_OPEN = [Slot.State.OPEN, Slot.State.LEASED]


def hidden_from_nobody() -> QuerySet[ShadowPair]:
    """Return no pair: whoever runs the server reads its database anyway."""
    return ShadowPair.objects.none()


def hidden_from_anybody() -> QuerySet[ShadowPair]:
    """Return the pairs that wait for a rating, whoever gives it: a key may be anybody's."""
    waits = Slot.objects.filter(
        study__state=Study.State.RUNNING, state__in=_OPEN, kind=Slot.Kind.SAMPLE
    )
    golds = Gold.objects.filter(study__state=Study.State.RUNNING, retired_at=None)
    is_asked = Q(pk__in=waits.values("pair_id")) | Q(pk__in=golds.values("pair_id"))
    return ShadowPair.objects.filter(is_asked)


def hidden_from(user: User, *, texts: bool) -> QuerySet[ShadowPair]:
    """Return the pairs that the person may still be asked about.

    With texts these are all pairs that they neither rated nor looked at: another study may draw
    what no study waits for today.
    """
    if not permissions.can(user, "rate"):
        return hidden_from_nobody()
    asked = ShadowPair.objects.all() if texts else hidden_from_anybody()
    rater = Rater.objects.filter(user=user).first()
    if rater is None:
        return asked
    is_known = Q(pk__in=rater.verdicts.values("pair_id"))
    is_known |= Q(pk__in=rater.reveals.values("pair_id"))
    return asked.exclude(is_known)
