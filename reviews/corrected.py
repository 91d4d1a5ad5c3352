"""Degradation from people and an admitted judge, beside the curve of people alone.

It is never shown instead of theirs, and no certificate rests on it: there a judge enters through
the engine, whose promise holds for any judge.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from reviews import estimation, frames, judge_quality, rater_checks
from reviews.estimation import Moment
from reviews.memo import Memo
from reviews.models import Rater, Study
from reviews.stats import judge
from reviews.stats.curve import default_thresholds
from reviews.stats.judge import Overlap
from reviews.stats.ppi import z_of
from reviews.stats.ppi_curve import CorrectedCurve, corrected

_PEOPLE = Rater.Kind.HUMAN.value
_LEVEL = 0.95
_known: Memo[list[dict[str, Any]] | str] = Memo()


def points(study: Study, moment: Moment | None = None) -> list[dict[str, Any]] | str:
    """Return the corrected curve, or in words why it is not shown.

    Each point has threshold, degradation with its 95 % interval, how far the judge is heard (lam),
    correlation, events, and width: the interval beside that of people alone. Where too few pairs
    were harmed, or the judge goes too little with people, `words` says so and there is no number.

    Args:
        study: whose judges and people are heard.
        moment: leave out what came later; None for now.
    """
    moment = moment or Moment.now(study)
    name = (study.pk, moment, study.judges.count())
    return _known.get(name, lambda: _points(study, moment))


def _points(study: Study, moment: Moment) -> list[dict[str, Any]] | str:
    specs = list(study.judges.all())
    if not specs:
        return "No judge was asked in this study."
    frame, rated = estimation.rated_frame(study, _PEOPLE, moment)
    rated &= ~np.isnan(frame.harm)
    draws = frames.Draws(*frame[: len(frames.Draws._fields)])
    harm, _ = frames.losses(study, Rater.Kind.LLM_JUDGE, moment.verdict_id, draws)
    compared = rater_checks.overlap(rated, frame.pi * frame.rate, frame.harm, harm)
    admitted = [judge.admission(judge_quality.flips(spec), compared) for spec in specs]
    reasons = dict.fromkeys(why for one in admitted for why in one.reasons)
    if any(one.use == "disabled" for one in admitted):
        return f"The judge is not admitted: {'; '.join(reasons)}."
    thresholds = np.append(default_thresholds(), estimation.ALWAYS_CHEAP)
    given = (
        frame.score, frame.harm, np.nan_to_num(harm), rated, frame.pi, 1 / frame.rate,
        thresholds[thresholds <= study.largest_threshold],
    )  # fmt: skip
    found, alone = corrected(*given), corrected(*given, lam=0)
    return [
        _point(float(threshold), place, found, alone) for place, threshold in enumerate(given[-1])
    ]


def _point(
    threshold: float, place: int, found: CorrectedCurve, alone: CorrectedCurve
) -> dict[str, Any]:
    about = Overlap(found.n, int(found.events[place]), float(found.rho[place]))
    words = "; ".join(judge.too_little(about))
    point = {"threshold": threshold, "events": about.events, "n": about.n, "words": words}
    if words:
        names = ("degradation", "low", "high", "lam", "rho", "width")
        return point | dict.fromkeys(names)
    mean, variance = float(found.degradation[place]), float(found.variance[place])
    half = z_of(_LEVEL) * math.sqrt(variance)
    return point | {
        "degradation": min(max(mean, 0.0), 1.0),
        "low": max(mean - half, 0.0),
        "high": min(mean + half, 1.0),
        "lam": float(found.lam[place]),
        "rho": about.phi,
        "width": math.sqrt(variance / float(alone.variance[place])),
    }
