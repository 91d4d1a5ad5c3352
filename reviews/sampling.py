"""Draw pairs for rating: a seeded hash decides, and the probability is stored with the draw.

Every pair of the study's frame gets a row, drawn or not, once: nothing is ever redrawn.
Source: statistics.md in docs, section "Sampling".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet

from reviews.models import SampledPair, Slot, Study
from routing.models import Policy, ShadowPair

_GROUP = 2_000
#: Score bands of the strata; tasks are crossed with them.
_BANDS = 5
_SECOND_RATING_SHARE = 0.15


def uniform(seed: str, request_id: object) -> float:
    """Return the draw of one request: uniform in [0, 1), the same each time it is asked.

    Example:
        >>> round(uniform("7", "a"), 6) == round(uniform("7", "a"), 6)
        True
    """
    digest = hashlib.sha256(f"{seed}|{request_id}".encode()).hexdigest()
    return int(digest[:13], 16) / 16**13


def inclusion_probability(study: Study, pair: ShadowPair) -> float:
    """Return the probability with which the pair is drawn: equal below the largest candidate.

    Pairs scored at or above it go to EXPENSIVE under every threshold in question, so that
    rating them would decide nothing. A pair without a score (the router failed) is never cheap.
    """
    if pair.score is None or pair.score >= study.largest_threshold:
        return 0.0
    return study.rate


def stratum(pair: ShadowPair) -> str:
    """Return task type and score band, such as `math/2`."""
    band = "none" if pair.score is None else str(min(int(pair.score * _BANDS), _BANDS - 1))
    return f"{pair.task}/{band}"


def start(live: Policy, *, name: str, seed: str, rate: float) -> Study:
    """Write a running study of a policy's router and models, and draw from the pairs there are."""
    study = Study.objects.create(
        project=live.project, policy=live, router=live.router, name=name, seed=seed, rate=rate
    )
    extend(study)
    return study


def frame(study: Study) -> QuerySet[ShadowPair]:
    """Return the pairs the study is about."""
    return ShadowPair.objects.filter(**subject(study))


def subject(study: Study) -> dict[str, Any]:
    """Return the study's router, models and window as conditions on rows that have a request.

    The window reaches as far back from the start as it reaches forward.
    """
    window = timedelta(days=study.window_days)
    models = {
        f"request__decision__policy__{tier}__{name}": value
        for tier, identity in study.policy.identity.items()
        for name, value in identity.items()
    }
    return models | {
        "project": study.project,
        "request__decision__policy__router": study.router,
        "request__received_at__gte": study.created_at - window,
        "request__received_at__lt": study.created_at + window,
    }


def extend(study: Study) -> int:
    """Bring the pairs that came since the last run into the frame; return how many.

    Runs any number of times, also at once: a pair is drawn once per study.
    """
    last = study.sample.aggregate(last=Max("pair_id"))["last"]
    new = frame(study).order_by("id")
    # Pairs get their number before they are committed: look a little behind the last one, too.
    if last is not None:
        new = new.filter(id__gt=last - _GROUP).exclude(draws__study=study)
    total = 0
    while group := list(new[:_GROUP]):
        total += _draw(study, group)
        new = new.filter(id__gt=group[-1].pk)
    return total


@transaction.atomic
def _draw(study: Study, pairs: Iterable[ShadowPair]) -> int:
    """Write the draws of some pairs and the rating slots of those selected."""
    rows = [_row(study, pair) for pair in pairs]
    written = SampledPair.objects.bulk_create(rows, ignore_conflicts=True)
    ids = [row.pair_id for row in rows if row.selected]
    drawn = study.sample.filter(pair_id__in=ids, slots=None).select_related("pair", "study")
    Slot.objects.bulk_create([slot for row in drawn for slot in _slots(row)], ignore_conflicts=True)
    return len(written)


def _row(study: Study, pair: ShadowPair) -> SampledPair:
    probability = inclusion_probability(study, pair)
    u = uniform(study.seed, pair.request_id)
    return SampledPair(
        study=study,
        pair=pair,
        stratum=stratum(pair),
        u=u,
        inclusion_probability=probability,
        selected=u < probability,
    )


def _slots(row: SampledPair) -> list[Slot]:
    """Return the slots of a drawn pair: one, and a second for a random 15 %."""
    twice = uniform(f"{row.study.seed}|second", row.pair.request_id) < _SECOND_RATING_SHARE
    order = row.u / row.inclusion_probability
    return [
        Slot(
            sampled_pair=row,
            study_id=row.study_id,
            pair_id=row.pair_id,
            ordinal=ordinal,
            # Second ratings come last: they serve agreement, not the estimate.
            order=order + ordinal - 1,
        )
        for ordinal in range(1, 3 if twice else 2)
    ]
