"""What one rater changes: degradation and adequacy with their verdicts and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from reviews import estimation, scoring
from reviews.estimation import Moment
from reviews.models import Rater, SignOff, Study
from routing import policy

#: Rows of a frame, times raters, that one page may go through.
_MOST_ROWS = 2_000_000


class Threshold(NamedTuple):
    """The threshold at which raters are compared, and why that one."""

    value: float
    why: str


@dataclass(frozen=True)
class Influence:
    """The curve's point at one threshold, with everybody and without one rater."""

    threshold: Threshold
    everybody: dict[str, Any]
    without: dict[str, Any]


def threshold(study: Study) -> Threshold:
    """Return the live threshold if it routes cheap what this study is about, or a likely one."""
    live = policy.live(study.project)
    if live is not None and live.threshold > 0 and _is_about(study, live):
        return Threshold(min(live.threshold, study.largest_threshold), "live now")
    asked = SignOff.objects.filter(study=study).order_by("-id").first()
    if asked is not None:
        return Threshold(asked.threshold, "asked for last")
    return Threshold(study.largest_threshold, "the largest that this study is about")


def _is_about(study: Study, live: Any) -> bool:
    return scoring.is_live(study, live) and scoring.fits(study, live)


def of(study: Study, rater: Rater) -> Influence:
    """Return what the estimate from people is with and without one rater."""
    return _influences(study, [rater.pk])[rater.pk]


def of_each(study: Study, raters: Sequence[Rater]) -> dict[int, Influence]:
    """Return the influence of each rater; nothing where the frame is too large for one page."""
    n_frame = study.sample.count()
    if n_frame * len(raters) > _MOST_ROWS:
        return {}
    return _influences(study, [rater.pk for rater in raters])


def _influences(study: Study, rater_ids: Sequence[int]) -> dict[int, Influence]:
    at, moment, people = threshold(study), Moment.now(study), Rater.Kind.HUMAN.value
    everybody = _point(study, people, moment, at)
    return {
        rater_id: Influence(at, everybody, _point(study, people, moment, at, rater_id))
        for rater_id in rater_ids
    }


def _point(
    study: Study, kind: str, moment: Moment, at: Threshold, without: int = 0
) -> dict[str, Any]:
    found = estimation.of_moment(study, kind, moment, without)
    return estimation.point_at(found, at.value)
