"""How far a rater and the team are, and what the rater did last."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from reviews.models import Presentation, Rater, Rating, Slot, Study

_KINDS = Slot.Kind
_DONE = Q(state=Slot.State.DONE)
_CLOSED = Q(state__in=[Slot.State.DONE, Slot.State.GIVEN_UP])
_QUERY_CHARS = 90


@dataclass(frozen=True)
class Progress:
    """How far one rater and the team are, in showings.

    What is hidden among the sample counts like any pair, or the figures would tell them apart.
    """

    mine: int
    target: int
    team: int
    total: int


@dataclass(frozen=True)
class Said:
    """One of the rater's own ratings, to go back to."""

    token: UUID
    query: str
    choice: str
    at: datetime


def of(study: Study, rater: Rater) -> Progress:
    """Return the showings done by the rater and by all, of those there will be."""
    is_hidden = Q(kind__in=Slot.HIDDEN)
    counted = study.slots.aggregate(
        mine=Count("pk", filter=_DONE & Q(rater=rater) & (Q(kind=_KINDS.SAMPLE) | is_hidden)),
        done=Count("pk", filter=_CLOSED & Q(kind=_KINDS.SAMPLE)),
        hidden=Count("pk", filter=_DONE & is_hidden),
        sample=Count("pk", filter=Q(kind=_KINDS.SAMPLE)),
    )
    mine, done, sample = counted["mine"], counted["done"], counted["sample"]
    team = done + counted["hidden"]
    planned = math.ceil(sample * (1 + 1 / study.check_every)) if study.check_every else sample
    total = team if done == sample else max(planned, team + 1)
    return Progress(mine, study.rater_target, team, total)


def _ratings(study: Study, rater: Rater) -> QuerySet[Rating]:
    rated = Rating.objects.filter(presentation__rater=rater, presentation__slot__study=study)
    return rated.exclude(presentation__slot__kind=_KINDS.ADJUDICATION).order_by("-id")


def last_rated(study: Study, rater: Rater) -> Presentation | None:
    """Return the showing that the rater rated last."""
    newest = _ratings(study, rater).select_related("presentation__slot__study").first()
    return newest.presentation if newest else None


def last_said(shown: Presentation) -> Rating | None:
    """Return what was said at a showing before, to be corrected; None at a first showing."""
    return shown.ratings.order_by("-id").first()


def recent(study: Study, rater: Rater, n: int = 10) -> list[Said]:
    """Return the rater's last ratings, corrections once, the newest first."""
    related = "presentation__slot__pair__request"
    found: dict[UUID, Said] = {}
    for row in _ratings(study, rater).select_related(related)[: 3 * n]:
        shown = row.presentation
        query = " ".join(shown.slot.pair.request.query.split())[:_QUERY_CHARS]
        said = Said(shown.token, query, row.get_choice_display(), row.created_at)
        found.setdefault(shown.token, said)
    return list(found.values())[:n]


def next_lease_end(study: Study, rater: Rater) -> datetime | None:
    """Return when the next pair that somebody else holds would come back, if they leave it."""
    held = study.slots.filter(kind=_KINDS.SAMPLE, state=Slot.State.LEASED).exclude(rater=rater)
    return held.order_by("lease_until").values_list("lease_until", flat=True).first()
