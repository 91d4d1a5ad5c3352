"""Whether the signed floor still holds, by what people rate of live traffic."""

from __future__ import annotations

from uuid import UUID

from reviews import living
from reviews.models import Rater, Verdict
from reviews.monitors.base import MOST_TYPICAL, Monitor, Seen, nothing, said
from reviews.monitors.watched import Watched
from reviews.timely import RATED_WITHIN

NAME = "living"
_PEOPLE = Rater.Kind.HUMAN


def read(watched: Watched) -> Seen:
    """Test the floor on the living sample of the sign-off."""
    found = living.look(watched.signed, watched.end)
    if found is None:
        return nothing("There is no living sample of this sign-off.")
    return Seen(found.signal, _sentence(found))


def typical(watched: Watched) -> list[UUID]:
    """Return the newest requests of the sample whose cheap answer people found worse."""
    rows = Verdict.objects.filter(study__in=watched.signed.living.all(), rater__kind=_PEOPLE)
    worse = rows.filter(preference="expensive").order_by("-id")
    found = worse.values_list("pair__request_id", flat=True)[: 3 * MOST_TYPICAL]
    return list(dict.fromkeys(found))[:MOST_TYPICAL]


def _sentence(found: living.Look) -> str:
    floor, n = found.study.floor, f"{found.n_rated:,} rated pairs of the living sample"
    text = said(
        found.signal,
        f"{n}: too little to say{_why(found)}.",
        f"The floor of {floor:.1%} is broken: {_made_worse(found)} by {n}.",
        f"Nothing says that the floor of {floor:.1%} is broken: {_made_worse(found)} by {n}.",
    )
    missed = f" {found.n_missed:,} pairs that nobody rated in time count as no harm."
    waiting = f" {found.n_waiting:,} pairs wait for a rating."
    return text + missed * (found.n_missed > 0) + waiting * (found.n_waiting > 0)


def _why(found: living.Look) -> str:
    if found.is_unheard:
        return f", since half or more were not rated within {RATED_WITHIN} days"
    return " yet"


def _made_worse(found: living.Look) -> str:
    """Return what is made worse, from and to where ratings are missing; nothing without ratings."""
    if found.degradation is None or found.at_most is None:
        return ""
    if found.at_most == found.degradation:
        return f"{found.degradation:.1%} are made worse"
    return f"between {found.degradation:.1%} and {found.at_most:.1%} are made worse"


MONITOR = Monitor(
    NAME, "Living sample",
    "A small share of live traffic is still shadowed and rated; a sequential test bets against "
    "“the floor holds” and errs in one of 100 sign-offs at most.",
    "ln of the largest capital that the bets have made; the floor is broken at its limit.",
    read, typical,
)  # fmt: skip
