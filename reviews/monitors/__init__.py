"""What is watched after go-live: a small module for each monitor, and the list of them.

Each compares what came since go-live with the study's window, which the sign-off's evidence holds,
and decides nothing: detectors are in `stats.watch`, alarms in `monitoring`.
"""

from reviews.monitors import (
    budget,
    cost,
    embeddings,
    judge,
    living,
    models,
    prices,
    scores,
    shares,
    tasks,
)
from reviews.monitors.base import Monitor, Row, Seen
from reviews.monitors.budget import Spending
from reviews.monitors.budget import of as spending
from reviews.monitors.watched import Watched, of

#: Of a live sign-off, in the order of the page.
ALL: tuple[Monitor, ...] = (
    living.MONITOR,
    scores.MONITOR,
    shares.CHEAP,
    shares.ESCALATED,
    tasks.MONITOR,
    embeddings.MONITOR,
    cost.MONITOR,
    prices.MONITOR,
    models.MONITOR,
    judge.MONITOR,
)
BUDGET = budget.MONITOR
BY_NAME = {one.name: one for one in (*ALL, BUDGET)}

__all__ = [
    "ALL",
    "BUDGET",
    "BY_NAME",
    "Monitor",
    "Row",
    "Seen",
    "Spending",
    "Watched",
    "of",
    "spending",
]
