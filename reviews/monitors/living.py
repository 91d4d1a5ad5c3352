"""Whether the signed floor still holds, by what people rate of live traffic."""

from __future__ import annotations

from uuid import UUID

from reviews import living
from reviews.models import Rater, Verdict
from reviews.monitors.base import MOST_TYPICAL, Monitor, Seen, nothing, said
from reviews.monitors.watched import Watched

NAME = "living"
_PEOPLE = Rater.Kind.HUMAN


def read(watched: Watched) -> Seen:
    """Test the floor on the living sample of the sign-off."""
    found = living.look(watched.signed)
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
    made_worse = "" if found.degradation is None else f"{found.degradation:.1%} are made worse"
    waiting = f" {found.n_waiting:,} pairs wait for a rating." if found.n_waiting else ""
    text = said(
        found.signal,
        f"{n}: too little to say before the first whole week.",
        f"The floor of {floor:.1%} is broken: {made_worse} by {n}.",
        f"Nothing says that the floor of {floor:.1%} is broken: {made_worse} by {n}.",
    )
    return text + waiting


MONITOR = Monitor(
    NAME, "Living sample",
    "A small share of live traffic is still shadowed and rated; a sequential test bets against "
    "“the floor holds” and errs in one of 100 sign-offs at most.",
    "ln of the largest capital that the bets have made; the floor is broken at its limit.",
    read, typical,
)  # fmt: skip
