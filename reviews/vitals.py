"""What is read of a study to judge its health: rows become arrays and counts, nothing is decided.

A handful of queries, of which none returns a row per rating to Python. What it means is said in
`checkup`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
from django.db import connection
from django.db.models import Count, QuerySet
from django.db.models.functions import TruncDate

from reviews import frames, judge_quality, missing, panels
from reviews.estimation import Moment
from reviews.memo import Memo
from reviews.missing import Decile
from reviews.models import Presentation, Rater, Slot, Study, Verdict
from reviews.stats.judge import Flips
from routing import redaction

_PEOPLE = Rater.Kind.HUMAN.value
#: Codes of what was said: the answers in their order, then that nobody could judge it.
ANSWERS = tuple(value for value, _ in Verdict.ANSWERS)
CANNOT = len(ANSWERS)

_SAID = """
SELECT string_agg(int8send(pair_id), '' ORDER BY pair_id, rater_id),
    string_agg(int8send(rater_id), '' ORDER BY pair_id, rater_id),
    string_agg(int8send(code), '' ORDER BY pair_id, rater_id),
    string_agg(int8send(won), '' ORDER BY pair_id, rater_id)
FROM (
    SELECT DISTINCT ON (verdict.pair_id, verdict.rater_id) verdict.pair_id, verdict.rater_id,
        coalesce(array_position(%s, preference::text), 0) - 1 AS code,
        CASE WHEN shown.id IS NULL OR preference NOT IN ('cheap', 'expensive') THEN -1
             ELSE (preference = shown."left")::int END AS won
    FROM reviews_verdict AS verdict
    LEFT JOIN reviews_rating AS rating ON rating.id = verdict.rating_id
    LEFT JOIN reviews_presentation AS shown ON shown.id = rating.presentation_id
    WHERE study_id = %s AND verdict.id <= %s
        AND verdict.rater_id IN (SELECT id FROM reviews_rater WHERE kind = 'human')
    ORDER BY verdict.pair_id, verdict.rater_id, verdict.id DESC
) AS newest
"""

_LEAKS = """
SELECT count(*), count(*) FILTER (WHERE cheap AND NOT expensive),
    count(*) FILTER (WHERE expensive AND NOT cheap), count(*) FILTER (WHERE cheap AND expensive)
FROM (
    SELECT slot.pair_id, bool_or(jsonb_exists(leaks, 'cheap')) AS cheap,
        bool_or(jsonb_exists(leaks, 'expensive')) AS expensive
    FROM reviews_presentation AS shown JOIN reviews_slot AS slot ON slot.id = shown.slot_id
    WHERE slot.study_id = %s AND slot.kind = 'sample' GROUP BY slot.pair_id
) AS pairs
"""

_MODELS = """
SELECT answer.tier, answer.model, count(*) FROM reviews_sampledpair AS draw
JOIN routing_shadowpair AS pair ON pair.id = draw.pair_id
JOIN routing_completion AS answer ON answer.id IN (pair.cheap_id, pair.expensive_id)
WHERE draw.study_id = %s AND draw.id <= %s AND draw.selected GROUP BY 1, 2 ORDER BY 1, 2
"""

#: Reads both answers of every drawn pair, which verdicts do not change.
_known_models: Memo[dict[tuple[str, str], int]] = Memo()


class Said(NamedTuple):
    """What people said last, one row per rater and pair, by pair: arrays of shape (n,).

    Attributes:
        code: place in `ANSWERS`; CANNOT; -1 where only adequacy was said.
        won: 1 where the left answer won, 0 the right one, -1 neither, or no side is known.
    """

    pair_id: np.ndarray
    rater_id: np.ndarray
    code: np.ndarray
    won: np.ndarray


class Side(NamedTuple):
    """How many showings of one day had this tier on the left."""

    day: date
    left: str
    n: int


class Leaks(NamedTuple):
    """Pairs shown, and those of them whose answers held what could tell the model."""

    n: int
    cheap_only: int
    expensive_only: int
    both: int


class Judge(NamedTuple):
    """What the judges of a study said of its frame, and how often their verdicts flip.

    Attributes:
        harm: (N,) as the judges see it, nan where none spoke.
        flips: by name of each judge.
    """

    harm: np.ndarray
    flips: dict[str, Flips]


@dataclass(frozen=True, eq=False)
class Vitals:
    """Everything that the checks of a study look at.

    Attributes:
        due: (N,) drawn, and to be rated: of a closed study within its rating budget, of a running
            one what is rated.
        harm: (N,) as people see it, nan where nobody spoke.
        lost: requests without a pair by the tier that failed; those under way are left out.
        not_whole: of them those that were not stored whole, so that nobody was asked again.
        models: pairs drawn by (tier, model that answered).
        guidelines: versions that raters were shown.
        changes: fields of the plan that were changed after it was locked.
        drifted: what an alarm said of traffic under its newest sign-off that is stale, else empty.
    """

    study: Study
    draws: frames.Draws
    due: np.ndarray
    harm: np.ndarray
    said: Said
    sides: list[Side]
    leaks: Leaks
    guesses: Counter[str]
    lost: Counter[str]
    not_whole: int
    deciles: list[Decile]
    judge: Judge | None
    models: dict[tuple[str, str], int]
    guidelines: list[int]
    changes: list[str]
    drifted: str


def of(study: Study, moment: Moment) -> Vitals:
    """Return what the checks look at, up to a moment; showings and lost requests as of now."""
    draws = frames.draws(study, moment.draw_id)
    harm, adequate = frames.losses(study, _PEOPLE, moment.verdict_id, draws)
    spoken = ~(np.isnan(harm) & np.isnan(adequate))
    shown = Presentation.objects.filter(slot__study=study, slot__kind=Slot.Kind.SAMPLE)
    return Vitals(
        study=study,
        draws=draws,
        due=_due(study, draws, spoken),
        harm=harm,
        said=_said(study, moment),
        sides=_sides(shown),
        leaks=_leaks(study),
        guesses=sum(panels.guesses(study).values(), Counter[str]()),
        lost=_lost(study),
        not_whole=_not_whole(study),
        deciles=missing.by_decile(study),
        judge=_judge(study, moment, draws),
        models=_models(study, moment),
        guidelines=_guidelines(shown),
        changes=sorted(set(study.plan_changes.values_list("field", flat=True))),
        drifted=_drifted(study),
    )


def _drifted(study: Study) -> str:
    stale = study.signoffs.filter(stale_at__isnull=False).order_by("-stale_at")
    return stale.values_list("stale_why", flat=True).first() or ""


def _due(study: Study, draws: frames.Draws, spoken: np.ndarray) -> np.ndarray:
    """Return which pairs should have been rated; while a study runs, only those that are."""
    if study.state != Study.State.CLOSED:
        return draws.selected & spoken
    order = np.where(draws.selected, draws.u / np.where(draws.pi > 0, draws.pi, 1.0), np.inf)
    most = study.rating_budget or draws.u.size
    rank = np.empty(order.size, np.int64)
    rank[np.argsort(order, kind="stable")] = np.arange(order.size)
    return draws.selected & (rank < most)


def _said(study: Study, moment: Moment) -> Said:
    codes = [*ANSWERS, Verdict.Preference.CANNOT.value]
    with connection.cursor() as cursor:
        cursor.execute(_SAID, [codes, study.pk, moment.verdict_id])
        columns = cursor.fetchone()
    return Said(*(np.frombuffer(sent or b"", ">i8").astype(np.int64) for sent in columns))


def _sides(shown: QuerySet[Presentation]) -> list[Side]:
    rows = shown.annotate(day=TruncDate("shown_at")).values_list("day", "left")
    return [Side(*row) for row in rows.annotate(n=Count("pk")).order_by("day", "left")]


def _leaks(study: Study) -> Leaks:
    with connection.cursor() as cursor:
        cursor.execute(_LEAKS, [study.pk])
        return Leaks(*cursor.fetchone())


def _lost(study: Study) -> Counter[str]:
    lost: Counter[str] = Counter()
    for why, n in missing.by_why(study).items():
        tier, colon, _ = why.partition(": ")
        if colon:
            lost[tier] += n
    return lost


def _not_whole(study: Study) -> int:
    reasons = tuple(f": {why}" for why in (redaction.CHANGED, redaction.NOT_KEPT))
    return sum(n for why, n in missing.by_why(study).items() if why.endswith(reasons))


def _judge(study: Study, moment: Moment, draws: frames.Draws) -> Judge | None:
    specs = list(study.judges.all())
    if not specs:
        return None
    harm, _ = frames.losses(study, Rater.Kind.LLM_JUDGE, moment.verdict_id, draws)
    return Judge(harm, {spec.name: judge_quality.flips(spec) for spec in specs})


def _models(study: Study, moment: Moment) -> dict[tuple[str, str], int]:
    return _known_models.get(
        (study.pk, moment.draw_id), lambda: _read_models(study.pk, moment.draw_id)
    )


def _read_models(study_id: int, draw_id: int) -> dict[tuple[str, str], int]:
    with connection.cursor() as cursor:
        cursor.execute(_MODELS, [study_id, draw_id])
        return {(tier, model): n for tier, model, n in cursor.fetchall()}


def _guidelines(shown: QuerySet[Presentation]) -> list[int]:
    versions = shown.exclude(guideline=None).values_list("guideline__version", flat=True)
    return sorted(set(versions.distinct()))
