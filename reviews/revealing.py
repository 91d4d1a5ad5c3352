"""Who sees which answer of a pair is which, and what that costs: they never rate it any more."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from reviews import hopeless, permissions
from reviews.errors import Conflict
from reviews.models import Rater, Reveal, Slot, Study, Verdict
from routing.models import ShadowPair

_STATES, _KINDS = Slot.State, Slot.Kind


def may_reveal(pair: ShadowPair, rater: Rater) -> bool:
    """Return whether nothing is lost: they saw it before, or rated it wherever it still waits."""
    if rater.reveals.filter(pair=pair).exists():
        return True
    waiting = pair.slots.filter(
        kind=_KINDS.SAMPLE,
        study__state=Study.State.RUNNING,
        state__in=[_STATES.OPEN, _STATES.LEASED],
    )
    rated = Verdict.objects.filter(pair=pair, rater=rater)
    return rated.exists() and not waiting.exclude(study__in=rated.values("study")).exists()


def is_needed(pair: ShadowPair, rater: Rater) -> bool:
    """Return whether the pair waits for a rating that nobody but this rater could give."""
    return hopeless.is_needed_from(pair.pk, rater.pk)


@transaction.atomic
def reveal(pair: ShadowPair, rater: Rater) -> None:
    """Note that the rater sees which answer is which, and take the pair out of their queue.

    Raises:
        Conflict: when the rating would then be missing for good.
    """
    is_asked = rater.user is not None and permissions.can(rater.user, "rate")
    if is_asked and not may_reveal(pair, rater) and is_needed(pair, rater):
        raise Conflict("Nobody else can rate this pair: rate it first, or add another rater.")
    _let_go([pair.pk], rater)
    Reveal.objects.get_or_create(pair=pair, rater=rater)


@transaction.atomic
def reveal_rated(pair_ids: Collection[int], rater: Rater) -> None:
    """Note of several pairs that the rater, who rated some of them, sees which answer is which.

    Those they rated can no longer be corrected and are not repeated; of the others nothing is
    written. Again is no error.
    """
    said = rater.verdicts.filter(pair_id__in=pair_ids).values_list("pair_id", flat=True)
    rated = rater.presentations.filter(slot__pair_id__in=pair_ids, ratings__isnull=False)
    mine = {*said, *rated.values_list("slot__pair_id", flat=True)}
    _let_go(mine, rater)
    rows = [Reveal(pair_id=pair_id, rater=rater) for pair_id in sorted(mine)]
    Reveal.objects.bulk_create(rows, ignore_conflicts=True)


def _let_go(pair_ids: Collection[int], rater: Rater) -> None:
    """Take pairs out of the rater's hands: their places in the sample go to others."""
    held = Slot.objects.select_for_update().filter(
        pair_id__in=pair_ids, rater=rater, state=_STATES.LEASED
    )
    held.filter(kind=_KINDS.SAMPLE).update(state=_STATES.OPEN, rater=None, lease_until=None)
    held.exclude(kind=_KINDS.SAMPLE).update(state=_STATES.GIVEN_UP, lease_until=None)
