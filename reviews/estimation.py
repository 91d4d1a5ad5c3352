"""The bridge from rows to arrays: the only place that reads ratings for the statistics.

Of several verdicts by one rater on one pair the newest counts; of several raters on one pair the
mean does. People, judge and answer key are never mixed: one kind of rater at a time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Count

from reviews.models import Rater, Study, Verdict
from reviews.stats.curve import Curve, curve, default_thresholds

#: Above every score: everything is cheap.
ALWAYS_CHEAP = 1.01

_FRAME = (
    "pair_id",
    "pair__score",
    "pair__cheap__cost_usd",
    "pair__expensive__cost_usd",
    "inclusion_probability",
    "selected",
    "pair__rate",
)


@dataclass(frozen=True)
class Estimate:
    """A curve with what it rests on.

    Attributes:
        points: one dict per threshold, JSON-ready; None where nothing can be estimated.
        kinds: rated pairs by kind of rater.
        n_without_score: pairs left out because the router gave no score.
    """

    curve: Curve
    points: list[dict[str, Any]]
    kind: str
    kinds: dict[str, int]
    n_frame: int
    n_selected: int
    n_rated: int
    n_without_score: int
    level: float


def rated_by_kind(study: Study) -> dict[str, int]:
    """Return the number of pairs of the study that each kind of rater rated."""
    rows = Verdict.objects.filter(study=study).values("rater__kind")
    counted = rows.annotate(n=Count("pair", distinct=True)).order_by("-n")
    return {row["rater__kind"]: row["n"] for row in counted}


def default_kind(kinds: dict[str, int]) -> str:
    """Return people when they rated anything, else the kind with the most pairs."""
    if Rater.Kind.HUMAN in kinds or not kinds:
        return Rater.Kind.HUMAN.value
    return next(iter(kinds))


def estimate(study: Study, kind: str = "") -> Estimate:
    """Return the study's curve at 101 thresholds and at always cheap, from one kind of rater."""
    kinds = rated_by_kind(study)
    kind = kind or default_kind(kinds)
    all_rows = list(study.sample.order_by("pair_id").values_list(*_FRAME))
    rows = [row for row in all_rows if row[1] is not None]
    losses = _losses(study, kind)
    harm = _column(losses, rows, 0)
    adequate = _column(losses, rows, 1)
    selected = np.array([row[5] for row in rows], dtype=bool)
    rated = selected & ~(np.isnan(harm) & np.isnan(adequate))
    # A pair stands for the requests that its shadow rate left without one.
    traffic = np.array([1 / row[6] for row in rows], dtype=float)
    result = curve(
        score=np.array([row[1] for row in rows], dtype=float),
        cost_cheap=_costs(rows, 2),
        cost_expensive=_costs(rows, 3),
        weight=traffic * np.array([1 / row[4] if row[4] else 1.0 for row in rows], dtype=float),
        rated=rated,
        adequate=adequate,
        harm=harm,
        thresholds=np.append(default_thresholds(), ALWAYS_CHEAP),
        traffic=traffic,
    )
    return Estimate(
        curve=result,
        points=points(result),
        kind=kind,
        kinds=kinds,
        n_frame=len(rows),
        n_selected=int(selected.sum()),
        n_rated=int(rated.sum()),
        n_without_score=len(all_rows) - len(rows),
        level=result.level,
    )


def _losses(study: Study, kind: str) -> dict[int, tuple[float, float]]:
    """Return (harm, adequacy) by pair: means over the newest verdict of each rater."""
    newest = (
        Verdict.objects.filter(study=study, rater__kind=kind)
        .order_by("pair_id", "rater_id", "-id")
        .distinct("pair_id", "rater_id")
        .values_list("pair_id", "preference", "cheap_adequate")
    )
    said: dict[int, list[tuple[float, float]]] = {}
    for pair_id, preference, adequate in newest:
        harm = float(preference == Verdict.Preference.EXPENSIVE) if preference else math.nan
        fit = math.nan if adequate is None else float(adequate)
        said.setdefault(pair_id, []).append((harm, fit))
    return {
        pair: (_mean(v[0] for v in all_), _mean(v[1] for v in all_)) for pair, all_ in said.items()
    }


def _mean(values: Any) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _column(losses: dict[int, tuple[float, float]], rows: list[Any], which: int) -> np.ndarray:
    none = (math.nan, math.nan)
    return np.array([losses.get(row[0], none)[which] for row in rows], dtype=float)


def _costs(rows: list[Any], column: int) -> np.ndarray:
    return np.array([math.nan if row[column] is None else float(row[column]) for row in rows])


def points(result: Curve) -> list[dict[str, Any]]:
    """Return the curve as one dict per threshold, with None for what cannot be estimated."""
    columns = {
        "threshold": result.thresholds,
        "cheap_share": result.cheap_share,
        "cheap_count": result.cheap_count,
        "adequacy": result.adequacy,
        "adequacy_low": result.adequacy_interval.low,
        "adequacy_high": result.adequacy_interval.high,
        "n_adequacy": result.n_adequacy,
        "degradation": result.degradation,
        "degradation_low": result.degradation_interval.low,
        "degradation_high": result.degradation_interval.high,
        "n_harm": result.n_harm,
        "events": result.events,
        "cost_usd": result.cost_usd,
        "baseline_cost_usd": result.baseline_cost_usd,
        "saving_share": result.saving_share,
        "weights_too_unequal": result.weights_too_unequal,
    }
    lists = {name: np.asarray(values).tolist() for name, values in columns.items()}
    return [
        {name: _known(values[i]) for name, values in lists.items()}
        for i in range(len(result.thresholds))
    ]


def _known(value: float) -> float | None:
    return None if isinstance(value, float) and math.isnan(value) else value


def point_at(result: Estimate, threshold: float) -> dict[str, Any]:
    """Return the point of the grid nearest to a threshold."""
    return min(result.points, key=lambda point: abs(point["threshold"] - threshold))
