"""What people said in a study, one vote per rater, pair and kind of showing, read in one query.

The bridge from ratings to figures about raters. Estimates of quality read verdicts instead, in
`estimation`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F, QuerySet
from django.db.models.functions import Length

from reviews import blinding
from reviews.models import Rater, Rating, Slot, Study
from routing.types import Tier

_KINDS = Slot.Kind
#: What looks at raters or is evidence; practice teaches, and an adjudication is a second look.
COUNTED = (_KINDS.SAMPLE, *Slot.CHECKS)
_PAIR = "presentation__slot__pair"
_DRAW = "presentation__slot__sampled_pair__inclusion_probability"


@dataclass(frozen=True)
class Vote:
    """The newest rating by one rater of one pair, with what was shown.

    Attributes:
        step: from -2, cheap much better, to 2, expensive much better; None for both bad.
        side: the side that won, left or right; None for neither.
        characters: of question and both answers as they were shown.
        log_length_ratio: ln(length expensive / length cheap); nan where an answer is empty.
        weight: 1 / P(the pair was drawn and its request had one); 1 for checks.
        rating: the row itself.
    """

    rater_id: int
    pair_id: int
    kind: str
    task: str
    preference: str
    cheap_adequate: bool
    step: int | None
    side: str | None
    seconds: float
    characters: int
    log_length_ratio: float
    weight: float
    at: datetime
    leaks: dict[str, list[str]]
    rating: Rating

    @property
    def is_sample(self) -> bool:
        """Return whether it is evidence and no check."""
        return self.kind == _KINDS.SAMPLE


def of(study: Study, kinds: Sequence[str] = COUNTED) -> list[Vote]:
    """Return the votes of people, by rater and then as they came.

    Args:
        study: whose ratings count.
        kinds: of slots; the sample and hidden checks unless others are asked for.
    """
    rows = Rating.objects.filter(
        presentation__slot__study=study,
        presentation__slot__kind__in=kinds,
        presentation__rater__kind=Rater.Kind.HUMAN,
    )
    votes = [_vote(row, study) for row in _newest(rows)]
    return sorted(votes, key=lambda vote: (vote.rater_id, vote.at))


def _newest(rows: QuerySet[Rating]) -> Any:
    """Return the newest rating of each rater on each pair and kind, with what a vote needs."""
    told = ("presentation__rater_id", "presentation__slot__pair_id", "presentation__slot__kind")
    rows = rows.order_by(*told, "-id").distinct(*told)
    return rows.select_related("presentation__slot").defer("comment").annotate(
        task=F(f"{_PAIR}__task"),
        shadow_rate=F(f"{_PAIR}__rate"),
        pi=F(_DRAW),
        n_query=Length(f"{_PAIR}__request__query"),
        n_cheap=Length(f"{_PAIR}__cheap__text"),
        n_expensive=Length(f"{_PAIR}__expensive__text"),
    )  # fmt: skip


def _vote(row: Any, study: Study) -> Vote:
    shown = row.presentation
    said = blinding.meaning(row)
    return Vote(
        rater_id=shown.rater_id,
        pair_id=shown.slot.pair_id,
        kind=shown.slot.kind,
        task=row.task,
        preference=said.preference,
        cheap_adequate=said.cheap_adequate,
        step=blinding.step(row),
        side=blinding.side(row),
        seconds=row.seconds,
        characters=_characters(row, shown.left, shown.slot.kind),
        log_length_ratio=_log_ratio(row.n_expensive, row.n_cheap),
        weight=_weight(row, study),
        at=row.created_at,
        leaks=shown.leaks,
        rating=row,
    )


def _characters(row: Any, left: str, kind: str) -> int:
    """Return what there was to read; earlier turns are left out, as many know them by then."""
    if kind == _KINDS.IDENTICAL:
        return int(row.n_query + 2 * (row.n_cheap if left == Tier.CHEAP else row.n_expensive))
    return int(row.n_query + row.n_cheap + row.n_expensive)


def _log_ratio(expensive: int, cheap: int) -> float:
    return math.log(expensive / cheap) if expensive and cheap else math.nan


def _weight(row: Any, study: Study) -> float:
    """Return how many requests the pair stands for: drawn to calibrate or, above that, to train."""
    if row.pi is None:
        return 1.0
    return float(1 / (min(row.pi + study.train_rate, 1.0) * row.shadow_rate))
