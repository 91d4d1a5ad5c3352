"""Draw pairs for rating: a seeded hash decides, and the probability is stored with the draw.

Every pair of the study's frame gets a row, drawn or not, once: nothing is ever redrawn. The same
hash draws for calibration and, above that, for training: no pair serves both.
Source: statistics.md in docs, section "Sampling".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Avg, Count, F, FloatField, Max, Min, Q, QuerySet, Sum, Value
from django.db.models.functions import Cast, Floor, Least
from django.utils import timezone

from reviews import memo, scoring
from reviews.models import SampledPair, Slot, Study
from reviews.plan import Plan
from routing.models import Policy, RouterVersion, ShadowPair

_GROUP = 2_000
#: Score bands of the strata; tasks are crossed with them.
_BANDS = 5
#: Scores are below 1; a study of every threshold draws up to 1.01.
_TOP_SCORE = 1.0
#: A larger tilt starves the lowest scores, over which degradation sums: statistics.md, allocation.
MOST_TILT = 3.0
_PURPOSE = SampledPair.Purpose


def uniform(seed: str, request_id: object) -> float:
    """Return the draw of one request: uniform in [0, 1), the same each time it is asked.

    Example:
        >>> round(uniform("7", "a"), 6) == round(uniform("7", "a"), 6)
        True
    """
    digest = hashlib.sha256(f"{seed}|{request_id}".encode()).hexdigest()
    return int(digest[:13], 16) / 16**13


def inclusion_probability(study: Study, score: float | None) -> float:
    """Return the probability with which the pair is drawn to calibrate.

    Equal below the largest candidate, or rising by score band to `tilt` times as much. Pairs
    scored at or above it go to EXPENSIVE under every threshold in question, so that rating them
    would decide nothing. A pair without a score (the router failed) is never cheap.
    """
    if score is None or score >= study.largest_threshold:
        return 0.0
    return study.rate * (1 + (study.tilt - 1) * _band(study, score) / (_BANDS - 1))


def _band(study: Study, score: float) -> int:
    """Return which fifth of the scores in question this is, from 0."""
    return min(int(score / min(study.largest_threshold, _TOP_SCORE) * _BANDS), _BANDS - 1)


def stratum(study: Study, task: str, score: float | None) -> str:
    """Return task type and score band, such as `math/2`."""
    is_in = score is not None and score < study.largest_threshold
    return f"{task}/{_band(study, score or 0.0) if is_in else 'none'}"


def warning(tilt: float) -> str:
    """Return what is wrong with a tilt, or nothing."""
    if tilt <= MOST_TILT:
        return ""
    return (
        f"A tilt of 1:{tilt:g} leaves few ratings at low scores, where most cheap requests are: "
        f"up to 1:{MOST_TILT:g} costs nothing, beyond it certified thresholds fall."
    )


class Preview(NamedTuple):
    """What a plan would draw from the pairs there are: counts, expected ones where drawn by lot."""

    pairs: int
    drawn: int
    ratings: int


def preview(studied: Policy, plan: Plan, *, is_challenge: bool = False) -> Preview:
    """Return what a study would draw if it started now; writes nothing."""
    study = Study(
        project=studied.project, policy=studied, router=studied.router, created_at=timezone.now(),
        is_challenge=is_challenge, **plan.as_fields(),
    )  # fmt: skip
    matters = Q(study_score__lt=study.largest_threshold)
    counted = _banded(frame(study), study).aggregate(
        pairs=Count("pk"), bands=Sum("band", filter=matters), n=Count("pk", filter=matters)
    )
    bands, n = counted["bands"] or 0.0, counted["n"]
    calibrate = plan.rate * (n + (plan.tilt - 1) * bands / (_BANDS - 1))
    drawn = calibrate + plan.train_rate * n
    return Preview(counted["pairs"], round(drawn), round(drawn * plan.ratings))


def _banded(pairs: QuerySet[ShadowPair], study: Study) -> QuerySet[ShadowPair]:
    """Return the pairs with their score band, as `_band` counts it."""
    top = min(study.largest_threshold, _TOP_SCORE)
    share = Floor(Cast(F("study_score"), FloatField()) / Value(top) * Value(float(_BANDS)))
    return pairs.annotate(band=Least(share, Value(_BANDS - 1.0)))


class Stratum(NamedTuple):
    """One task type crossed with one score band: what was expected of the draw, and what came."""

    name: str
    pairs: int
    probability: float
    expected: float
    calibrate: int
    expected_train: float
    train: int


def strata(study: Study) -> list[Stratum]:
    """Return the study's strata by name, with expected and actual counts of the draw."""
    calibrates = Q(selected=True, purpose=_PURPOSE.CALIBRATE)
    trains = Q(selected=True, purpose=_PURPOSE.TRAIN)
    rows = study.sample.order_by("stratum").values("stratum").annotate(
        pairs=Count("pk"),
        probability=Avg("inclusion_probability"),
        expected=Sum("inclusion_probability"),
        calibrate=Count("pk", filter=calibrates),
        may_train=Count("pk", filter=Q(inclusion_probability__gt=0)),
        train=Count("pk", filter=trains),
    )  # fmt: skip
    return [
        Stratum(
            row["stratum"], row["pairs"], row["probability"], row["expected"], row["calibrate"],
            row["may_train"] * study.train_rate, row["train"],
        )
        for row in rows
    ]  # fmt: skip


def start(
    studied: Policy, *, name: str, seed: str, rate: float, is_challenge: bool = False, **plan: Any
) -> Study:
    """Write a running study of a policy's router and models, and draw from the pairs there are.

    Args:
        studied: the policy whose router and models it is about.
        name: for people.
        seed: of every draw.
        rate: share of pairs drawn to calibrate; of the lowest score band when tilted.
        is_challenge: the router decides nothing, and scores in the background: see `scoring`.
        plan: other fields of the study, as `Plan.as_fields` names them.
    """
    study = Study.objects.create(
        project=studied.project, policy=studied, router=studied.router, name=name, seed=seed,
        rate=rate, is_challenge=is_challenge, **plan,
    )  # fmt: skip
    extend(study)
    return study


def frame(study: Study) -> QuerySet[ShadowPair]:
    """Return the pairs the study is about, each with its score as `study_score`."""
    return scoring.scored(study, ShadowPair.objects.filter(**subject(study)))


def waiting(study: Study) -> QuerySet[ShadowPair]:
    """Return the study's pairs that its challenger is still to score."""
    if not study.is_challenge:
        return ShadowPair.objects.none()
    return scoring.waiting(study, ShadowPair.objects.filter(**subject(study)))


def subject(study: Study) -> dict[str, Any]:
    """Return the study's router, models and window as conditions on rows that have a request."""
    begin, end = window(study)
    return {
        "project": study.project,
        "request__decision__policy_id__in": policies(study),
        "request__received_at__gte": begin,
        "request__received_at__lt": end,
    }


def window(study: Study) -> tuple[datetime, datetime]:
    """Return when the study's requests came: as far back from its start as forward.

    No further back than to the newest request that its router was trained on: on what trained it a
    router looks better than it is. A living sample looks forward only, from go-live on.
    """
    reach = timedelta(days=study.window_days)
    if study.watches_id:
        return study.created_at, study.created_at + reach
    begin, unseen = study.created_at - reach, unseen_since(study.router_id)
    return max(begin, unseen or begin), study.created_at + reach


def unseen_since(router_id: int) -> datetime | None:
    """Return the first moment whose requests a router did not learn from; None where it is any."""
    learnt = trained_until(router_id)
    return None if learnt is None else learnt + timedelta(microseconds=1)


@lru_cache(4096)
def trained_until(router_id: int) -> datetime | None:
    """Return when the newest request came that a router learnt from, read once: it never changes.

    Alone, since a version's artifact may be large.
    """
    rows = RouterVersion.objects.filter(pk=router_id)
    return rows.values_list("trained_until", flat=True).get()


@memo.once
def policies(study: Study) -> list[int]:
    """Return the ids of the project's policies with the study's models and rules, for its requests.

    They have its router; of a challenger they have any other. So identities are compared once a
    policy, not once a request. A living sample is about what the signed policy decides.
    """
    if study.watches_id:
        return [study.policy_id]
    is_own = Q(router=study.router_id)
    return policies_of_models(study, ~is_own if study.is_challenge else is_own)


def policies_of_models(study: Study, also: Q = Q()) -> list[int]:
    """Return the ids of the project's policies that ask the study's models."""
    models = {
        f"{tier}__{name}": value
        for tier, identity in study.policy.identity.items()
        for name, value in identity.items()
    }
    known = {"abstain": study.policy.abstain, **models}
    same = Policy.objects.filter(also, project=study.project, **known)
    return list(same.order_by("pk").values_list("pk", flat=True))


def extend(study: Study) -> int:
    """Bring the pairs that came since the last run into the frame; return how many.

    Runs any number of times, also at once: a pair is drawn once per study.
    """
    # Not where the last one of the frame was found: a study may get no more while others grow.
    done = Study.objects.values_list("looked_to", flat=True).get(pk=study.pk)
    mine = ShadowPair.objects.filter(project=study.project)
    last = mine.aggregate(last=Max("id"))["last"] or 0
    behind = waiting(study).filter(id__gt=done - _GROUP).aggregate(first=Min("id"))["first"]
    # Pairs get their number before they are committed: look a little behind the last one, too.
    new = frame(study).filter(id__gt=done - _GROUP, id__lte=last).order_by("id")
    new = new.exclude(draws__study=study)
    total = 0
    while group := list(new[:_GROUP]):
        total += _draw(study, group)
        new = new.filter(id__gt=group[-1].pk)
    seen = last if behind is None else min(last, behind - 1)
    Study.objects.filter(pk=study.pk, looked_to__lt=seen).update(looked_to=seen)
    return total


@transaction.atomic
def _draw(study: Study, pairs: Iterable[ShadowPair]) -> int:
    """Write the draws of some pairs and the rating slots of those selected."""
    # One after the other: draws of a study are committed in the order of their numbers, so that
    # whoever has seen one has seen all before it.
    Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    rows = [_row(study, pair) for pair in pairs]
    written = SampledPair.objects.bulk_create(rows, ignore_conflicts=True)
    ids = [row.pair_id for row in rows if row.selected]
    drawn = study.sample.filter(pair_id__in=ids, slots=None).select_related("pair", "study")
    Slot.objects.bulk_create([slot for row in drawn for slot in _slots(row)], ignore_conflicts=True)
    return len(written)


def _row(study: Study, pair: Any) -> SampledPair:
    """Return the draw of a pair of the frame."""
    probability = inclusion_probability(study, pair.study_score)
    u = uniform(study.seed, pair.request_id)
    trains = probability > 0 and probability <= u < probability + study.train_rate
    return SampledPair(
        study=study,
        pair=pair,
        purpose=_PURPOSE.TRAIN if trains else _PURPOSE.CALIBRATE,
        stratum=stratum(study, pair.task, pair.study_score),
        u=u,
        inclusion_probability=probability,
        selected=trains or u < probability,
    )


def _slots(row: SampledPair) -> list[Slot]:
    """Return the slots of a drawn pair: as many as the study says, and for a share one more."""
    study = row.study
    again = uniform(f"{study.seed}|second", row.pair.request_id) < study.second_share
    return [
        Slot(
            sampled_pair=row,
            study_id=row.study_id,
            pair_id=row.pair_id,
            ordinal=ordinal,
            # Further ratings come last: they serve agreement, not the estimate.
            order=_order(row) + ordinal - 1,
        )
        for ordinal in range(1, study.ratings_per_pair + 1 + again)
    ]


def _order(row: SampledPair) -> float:
    """Return the place of a drawn pair in the queue, uniform in [0, 1) for both purposes."""
    if row.purpose == _PURPOSE.TRAIN:
        return (row.u - row.inclusion_probability) / row.study.train_rate
    return row.u / row.inclusion_probability
