"""Whether a project's month stays within its budget, whatever is live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from reviews import savings
from reviews.monitors.base import Monitor, Seen, nothing
from reviews.monitors.watched import midnight
from reviews.savings import BudgetState
from reviews.stats.watch import Level, Signal
from routing.models import Project
from routing.models.usage import Budget

NAME = "budget"
_LEVELS = {"ok": Level.OK, "warn": Level.WARN, "over": Level.ALARM}


@dataclass(frozen=True)
class Spending:
    """A project with a budget, up to the end of the last whole day (UTC).

    Attributes:
        signed: None: what is signed has no part in it, and an alarm makes nothing stale.
    """

    project: Project
    end: datetime
    signed: None = None


def of(now: datetime) -> Iterator[Spending]:
    """Return the projects that have a budget."""
    for budget in Budget.objects.select_related("project"):
        yield Spending(budget.project, midnight(now))


def read(spending: Spending) -> Seen:
    """Lay the month of the last whole day beside its budget."""
    last = spending.end - timedelta(seconds=1)
    found = savings.budget_state(spending.project, last)
    if found is None:
        return nothing("There is no budget.")
    share, day = found.spent_usd / found.budget_usd, last.day
    signal = Signal(share, found.warn_share, _LEVELS[found.level], day)
    return Seen(signal, _sentence(found))


def typical(_spending: Any) -> list[UUID]:
    """Return none: a month is no request's doing."""
    return []


def _sentence(found: BudgetState) -> str:
    spent = f"{found.spent_usd:,.2f} of this month’s {found.budget_usd:,.2f} USD are spent"
    if found.level == "over":
        return f"{spent}. Nothing is stopped by that."
    if found.month_usd is None:
        return f"{spent}."
    low, high = found.month_usd.interval
    return f"{spent}; it comes to about {found.month_usd.value:,.2f} ({low:,.2f} to {high:,.2f})."


MONITOR = Monitor(
    NAME, "Budget",
    "What all calls of the month cost, shadow calls and judges included, against the budget of the "
    "project (Cost).",
    "Spent of the month’s budget; its forecast warns, too.",
    read, typical, "Days of the month",
)  # fmt: skip
