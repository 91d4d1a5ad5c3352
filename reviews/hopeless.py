"""Pairs that nobody is left to rate: who could still be asked, and giving up where nobody can.

A pair that waits for ever would hold the estimate up, since only the queue before it counts.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from reviews import permissions
from reviews.models import SampledPair, Skip, Slot, Study, Verdict

_STATES, _KINDS = Slot.State, Slot.Kind
#: So many people who cannot judge a pair, and nobody else is asked.
_MOST_SKIPS = 2


def left(pair_id: int, study_id: int) -> QuerySet[User]:
    """Return who could still be handed the pair in a study.

    They may rate, are not paused, have no slot of it, did not skip it, and do not know which
    answer is which.
    """
    people = permissions.people_who_can("rate").exclude(rater__paused_at__isnull=False)
    people = people.exclude(rater__reveals__pair=pair_id)
    slots = Slot.objects.filter(pair=pair_id, study=study_id, rater__isnull=False)
    skips = _skips(pair_id, study_id)
    people = people.exclude(rater__in=skips.values("presentation__rater"))
    return people.exclude(rater__in=slots.values("rater"))


def _skips(pair_id: int, study_id: int) -> QuerySet[Skip]:
    skips = Skip.objects.filter(
        presentation__slot__pair=pair_id, presentation__slot__study=study_id
    )
    # Whoever undid a skip and rated the pair did not skip it.
    return skips.filter(presentation__ratings=None).exclude(
        presentation__slot__kind=_KINDS.ADJUDICATION
    )


def lock(slot: Slot) -> None:
    """Let two who skip a pair's slots at once see each other; before any slot is locked."""
    if slot.sampled_pair_id:
        SampledPair.objects.select_for_update(no_key=True).get(pk=slot.sampled_pair_id)


def give_up_if(slot: Slot) -> None:
    """Close what is open of a skipped pair, when enough skipped it or nobody is left to ask.

    If nobody rated it, a verdict says that it could not be judged, by who skipped it last.
    Source: docs/adr/0019-what-nobody-can-judge-is-harm.md.
    """
    skips = _skips(slot.pair_id, slot.study_id).order_by("-id").select_related("presentation")
    who = {skip.presentation.rater_id for skip in skips}
    if not who or (len(who) < _MOST_SKIPS and left(slot.pair_id, slot.study_id).exists()):
        return
    of_pair = Slot.objects.filter(study=slot.study_id, pair=slot.pair_id, kind=_KINDS.SAMPLE)
    of_pair.filter(state=_STATES.OPEN).update(state=_STATES.GIVEN_UP, rater=None, lease_until=None)
    said = Verdict.objects.filter(study=slot.study_id, pair=slot.pair_id, rater__kind="human")
    if not said.exists() and not of_pair.filter(state=_STATES.LEASED).exists():
        Verdict.objects.create(
            study_id=slot.study_id,
            pair_id=slot.pair_id,
            rater_id=skips[0].presentation.rater_id,
            preference=Verdict.Preference.CANNOT,
        )


def sweep(study: Study) -> None:
    """Look again at skipped pairs that still wait: people are paused, leave and lose roles."""
    skipped = Skip.objects.filter(presentation__slot__study=study)
    waiting = study.slots.filter(kind=_KINDS.SAMPLE, state=_STATES.OPEN)
    waiting = waiting.filter(pair_id__in=skipped.values("presentation__slot__pair"))
    for slot in waiting.order_by("sampled_pair_id", "ordinal"):
        with transaction.atomic():
            lock(slot)
            give_up_if(slot)


def is_needed_from(pair_id: int, rater_id: int) -> bool:
    """Return whether the pair waits in a running study and only this rater could rate it there."""
    waiting = Slot.objects.filter(
        Q(rater=None) | Q(rater=rater_id),
        pair=pair_id,
        kind=_KINDS.SAMPLE,
        study__state=Study.State.RUNNING,
        state__in=[_STATES.OPEN, _STATES.LEASED],
    )
    studies = waiting.values_list("study_id", flat=True).distinct()
    return any(not left(pair_id, study).exclude(rater=rater_id).exists() for study in studies)
