"""Raters and what they say of chosen pairs, by tier, through the rating service."""

from reviews import permissions, rating
from reviews.models import Rater, Slot, Verdict
from routing.types import Tier

_LEFT = {"cheap": "a", "expensive": "b"}


def rater(name):
    return Rater.objects.create(kind=Rater.Kind.HUMAN, name=name)


def lead(name):
    """Return the rater of a lead, as a person who can log in."""
    from django.contrib.auth.models import User

    permissions.ensure_roles()
    user = User.objects.create_user(name, password="pw-for-tests")
    permissions.give(user, "lead")
    return rating.rater_of(user)


def say(shown, by, choice="equal", left=True, right=True, **more):
    """Rate what was shown, in terms of A and B."""
    return rating.submit(
        shown.token, by, choice=choice, left_adequate=left, right_adequate=right, **more
    )


def form(left, preference, cheap=True, expensive=True, strength="slightly", **more):
    """Return a rating in terms of A and B that means what is said by tier."""
    side = _LEFT.get(preference)
    if side and left == Tier.EXPENSIVE:
        side = "b" if side == "a" else "a"
    choice = f"{side}_{strength}" if side else {"tie": "equal"}.get(preference, preference)
    fits = (cheap, expensive) if left == Tier.CHEAP else (expensive, cheap)
    adequate = dict(zip(("left_adequate", "right_adequate"), fits, strict=True))
    return {"choice": choice, **adequate, "seconds": 30.0, **more}


def rate_all(study, who, say):
    """Let somebody rate whatever they are handed; `say` gives, by pair, the arguments of `form`."""
    while shown := rating.hand_out(study, who):
        args, more = say(shown.slot.pair_id)
        rating.submit(shown.token, who, **form(shown.left, *args, **more))


def rate_at_once(study, who, preference):
    """Let somebody rate each pair of the sample at once, for tests of what comes of ratings.

    Nothing was shown; `preference` gives, by pair, what they said of it.
    """
    sample = study.slots.filter(kind=Slot.Kind.SAMPLE).select_related("pair")
    slots = sample.order_by("pair_id", "order").distinct("pair_id")
    Verdict.objects.bulk_create(
        Verdict(
            study=study, pair=slot.pair, rater=who, preference=preference(slot.pair_id),
            cheap_adequate=True, expensive_adequate=True,
        )
        for slot in sorted(slots, key=lambda slot: slot.order)
    )  # fmt: skip
    Slot.objects.filter(pk__in=[slot.pk for slot in slots]).update(rater=who, state=Slot.State.DONE)
