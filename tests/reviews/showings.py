"""Ratings as a test wants them: who, which pair, which side, how long; without a browser."""

from uuid import uuid4

from reviews import blinding, sampling
from reviews.models import OriginGuess, Presentation, Rater, Rating, Skip, Slot
from routing import policy
from tests.reviews.rows import add_pairs

#: What each preference is called when the cheap answer stands left.
LEFT_CHEAP = {"cheap": "a_slightly", "tie": "equal", "expensive": "b_slightly"}


def rater(name, kind=Rater.Kind.HUMAN, user=None):
    return Rater.objects.create(kind=kind, name=name, user=user)


def study_of(project, scores, **plan):
    """Start a study that draws every pair, two ratings each, and checks nobody by itself."""
    add_pairs(project, list(scores))
    plan = {"rate": 1.0, "second_share": 1.0, "check_every": 0} | plan
    return sampling.start(policy.live(project), name="s", seed="7", **plan)


def pairs_of(study):
    return [row.pair for row in study.sample.order_by("pair_id").select_related("pair")]


def show(study, who, pair, *, left="cheap", kind="sample", leaks=None):
    """Write a showing; of the sample, in the pair's first free slot."""
    if kind == "sample":
        slot = study.slots.filter(pair=pair, kind=kind, rater=None).order_by("ordinal")[0]
        slot.rater, slot.state = who, Slot.State.DONE
        slot.save()
    else:
        slot = Slot.objects.create(
            study=study, pair=pair, rater=who, kind=kind, ordinal=0, order=0, state="done"
        )
    return Presentation.objects.create(
        token=uuid4(), slot=slot, rater=who, left=left, leaks=leaks or {}
    )


def rate(study, who, pair, choice, *, fit=(True, True), seconds=20.0, **showing):
    """Write a rating with its showing, and its verdict where it is evidence."""
    shown = show(study, who, pair, **showing)
    return again(shown, choice, fit=fit, seconds=seconds)


def again(shown, choice, *, fit=(True, True), seconds=20.0):
    """Write a rating of a showing that there is: the first, or a correction."""
    left, right = fit
    row = Rating.objects.create(
        presentation=shown, choice=choice, left_adequate=left, right_adequate=right,
        seconds=seconds,
    )  # fmt: skip
    if shown.slot.kind == Slot.Kind.SAMPLE:
        blinding.unblind(row)
    return row


def skip(study, who, pair, reason="cannot_judge"):
    """Write a skip; the slot is free again."""
    shown = show(study, who, pair)
    Slot.objects.filter(pk=shown.slot_id).update(state=Slot.State.OPEN, rater=None)
    return Skip.objects.create(presentation=shown, reason=reason)


def guess(shown, said):
    return OriginGuess.objects.create(presentation=shown, guess=said)
