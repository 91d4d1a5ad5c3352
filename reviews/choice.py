"""A choice of thresholds, one for all requests and others by task type, and its figures.

A policy is one point, whatever its thresholds are: what it routes, breaks and saves is estimated of
all its requests together, as a point of the curve is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from reviews import estimation, frames, scoring
from reviews.estimation import Rows
from reviews.models import Study
from reviews.stats.curve import as_points
from routing.models import Policy

#: Between the two sides of `sided`.
BETWEEN = np.array([0.5])
#: Of a choice that sends pairs to CHEAP which could not be drawn: nobody was asked about them.
_UNKNOWN = {
    f"{name}{end}": value
    for name in ("degradation", "adequacy")
    for end, value in (("", None), ("_low", 0.0), ("_high", 1.0))
}


class Thresholds(NamedTuple):
    """One threshold for all requests, and others for the task types named."""

    threshold: float
    by_task: Mapping[str, float] = {}

    def of(self, tasks: np.ndarray) -> np.ndarray:
        """Return the threshold of each row by the number of its task type: (N,)."""
        numbered = np.array([self.by_task.get(t, self.threshold) for t in frames.task_names()])
        return numbered[tasks] if tasks.size else np.empty(0)


def sided(found: Rows, chosen: Thresholds) -> Rows:
    """Return the rows with scores of 0 where they go to CHEAP and 1 elsewhere.

    What knows one threshold only takes them at `BETWEEN`. Where a task type's threshold is 0 no
    cheap answer is asked for first.
    """
    frame, at = found.frame, chosen.of(found.frame.task)
    score = np.where(frame.score < at, 0.0, 1.0)
    cost = np.where(at > 0, frame.cost_expensive, frame.cost_baseline)
    return found._replace(frame=frame._replace(score=score, cost_expensive=cost))


def decided_by(study: Study, found: Rows, live: Policy) -> tuple[Rows, np.ndarray]:
    """Return the rows with the scores and costs of the live policy's router, and which it decided.

    Of a challenger's study these are not the study's own: (N,) is True where the live router
    decided, and elsewhere nobody knows what it would have said.
    """
    if scoring.is_live(study, live):
        return found, np.ones(found.rated.size, bool)
    frame = found.frame
    last = int(frame.draw_id.max(initial=0))
    said = frames.by_router(study, live.router_id, frame, last)
    own = frame._replace(
        score=said.score, cost_cheap=said.cost_cheap, cost_expensive=said.cost_expensive
    )
    return found._replace(frame=own), said.known


def live_point(study: Study, found: Rows, live: Policy) -> dict[str, Any]:
    """Return the figures of the live policy, by the scores of its own router."""
    rows, known = decided_by(study, found, live)
    if not known.all():
        frame = type(rows.frame)(*(column[known] for column in rows.frame))
        rows = rows._replace(frame=frame, rated=rows.rated[known])
    return point(rows, Thresholds(live.threshold, live.thresholds))


def point(found: Rows, chosen: Thresholds) -> dict[str, Any]:
    """Return the figures of a choice: a point as the curve has them, with `thresholds` by task.

    Quality is None where pairs above the study's largest threshold would go to CHEAP.
    """
    rows = sided(found, chosen)
    (figures,) = as_points(estimation.curve_of(rows, BETWEEN))
    is_unasked = ((rows.frame.score < BETWEEN) & (rows.frame.pi == 0)).any()
    named = {"threshold": chosen.threshold, "thresholds": dict(chosen.by_task)}
    return figures | named | (_UNKNOWN if is_unasked else {})
