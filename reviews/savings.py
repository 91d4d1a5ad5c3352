"""What routing saved against "always expensive", what it cost to know that, and what a month costs.

Saved is the measured cost of cheap-served requests at EXPENSIVE less what was paid for them and for
asking first. Requests that a client or a conversation sent to CHEAP are left out: nobody drew them
for a shadow call. Days are UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from reviews import cheapserved
from reviews.models import Rating
from reviews.stats import savings as stats
from reviews.stats.intervals import Interval
from reviews.stats.savings import Estimate, Month, TooFew
from routing import retention, usage
from routing.models import Project
from routing.models.usage import Budget, Usage

FloatArray = NDArray[np.float64]

LEVEL = 0.95
#: Full days that a forecast looks back on.
FORECAST_DAYS = 28
_DAY = timedelta(days=1)


class Money(NamedTuple):
    """An amount in USD and its interval."""

    value: float
    interval: Interval[float]


class Overhead(NamedTuple):
    """What measuring cost, in USD; `ratings_usd` is None when nobody said what a rating costs."""

    shadow_usd: float
    judge_usd: float
    n_ratings: int
    ratings_usd: float | None

    @property
    def total_usd(self) -> float:
        """All that is known of it."""
        return self.shadow_usd + self.judge_usd + (self.ratings_usd or 0.0)


class Measured(NamedTuple):
    """What a period saved; `why_not` says why `estimate` and what follows from it is None.

    Attributes:
        n_days: what it is about: as many as asked for, or as retention left whole.
        n_cheap: requests that CHEAP served by its score, at known costs.
        n_outside: those that a client or a conversation sent there.
        n_unknown: those of which a cost or a price is unknown.
        cheap_usd: paid for the first, asking first included.
        expensive_usd: paid for what EXPENSIVE served, the same in both worlds.
        baseline: what "always expensive" would have cost.
        saved: gross; `net` is less the overhead.
        naive_usd: what re-pricing would call saved.
        month: of `net`, from full days.
    """

    n_days: int
    n_cheap: int
    n_outside: int
    n_unknown: int
    cheap_usd: float
    expensive_usd: float
    overhead: Overhead
    estimate: Estimate | None
    why_not: str
    baseline: Money | None
    saved: Money | None
    net: Money | None
    naive_usd: float
    month: Month | None

    @property
    def paid_usd(self) -> float:
        """What the same requests cost as they were routed."""
        return self.cheap_usd + self.expensive_usd


class BudgetState(NamedTuple):
    """How a month stands against its budget.

    Attributes:
        level: "ok", "warn" or "over".
        spent_usd: of this month so far, all calls.
        month_usd: what the month comes to at the pace of the last full days; None when too few.
    """

    budget_usd: float
    warn_share: float
    spent_usd: float
    month_usd: Money | None
    level: str


def period(days: int, now: datetime) -> tuple[datetime, datetime]:
    """Return the beginning of so many days, today included, and now."""
    return datetime.combine(now.astimezone(UTC).date(), time(), UTC) - (days - 1) * _DAY, now


def measure(project: Project, days: int, now: datetime) -> Measured:
    """Return what the last days saved, today included.

    Reads the ledger, and so no further back than retention left whole days: of those before, the
    shadowed requests are still there, and the others are not.
    """
    days = _whole_days(project, days, now)
    since, until = period(days, now)
    served = cheapserved.read(project, since, until, days)
    spent = _spent(project, since, until, days)
    overhead = _overhead(project, since, until, spent)
    estimate, why_not = _estimate(served.rows)
    paid, dear = float(served.paid_usd.sum()), float(spent["expensive"].sum())
    return Measured(
        n_days=days,
        n_cheap=served.rows.n,
        n_outside=served.n_outside,
        n_unknown=served.n_unknown,
        cheap_usd=paid,
        expensive_usd=dear,
        overhead=overhead,
        estimate=estimate,
        why_not=why_not,
        baseline=None if estimate is None else _less(estimate, -dear),
        saved=None if estimate is None else _less(estimate, paid),
        net=None if estimate is None else _less(estimate, paid + overhead.total_usd),
        naive_usd=float(served.rows.repriced.sum() + served.rows.others_repriced.sum()) - paid,
        month=None
        if estimate is None
        else _month(project, estimate, served.paid_usd + _measuring(spent), since, overhead),
    )


def _whole_days(project: Project, days: int, now: datetime) -> int:
    before = retention.cutoff(project, now)
    if before is None:
        return days
    kept = now.astimezone(UTC).date() - before.astimezone(UTC).date()
    return max(min(days, kept.days), 1)


def _estimate(of: stats.Rows) -> tuple[Estimate | None, str]:
    if not of.n:
        return None, "No request was served by the cheap model because of its score."
    try:
        return stats.estimate(of, LEVEL), ""
    except TooFew as exc:
        return None, f"The cheap model served {of.n} requests. {exc}"


def _less(estimate: Estimate, amount: float) -> Money:
    low, high = estimate.interval
    return Money(estimate.value - amount, Interval(low - amount, high - amount))


def _spent(project: Project, since: datetime, until: datetime, days: int) -> dict[str, FloatArray]:
    """Return USD by day of shadow calls, judges, and what EXPENSIVE served: (D,) each."""
    found = {name: np.zeros(days) for name in ("shadow", "judge", "expensive")}
    for row in usage.figures(since, until, by=("day", "kind", "tier"), project_id=project.pk):
        day, kind, tier = row.group
        name = tier if kind == Usage.Kind.SERVED else kind
        if name in found:
            found[name][(day - since.date()).days] += float(row["cost_usd"])
    return found


def _measuring(spent: dict[str, FloatArray]) -> FloatArray:
    return spent["shadow"] + spent["judge"]


def _overhead(
    project: Project, since: datetime, until: datetime, spent: dict[str, FloatArray]
) -> Overhead:
    n = Rating.objects.filter(
        presentation__slot__study__project=project, created_at__gte=since, created_at__lt=until
    ).count()
    each: Decimal | None = settings.SHADOWEVAL_RATING_USD
    ratings = None if each is None else float(each * n)
    return Overhead(float(spent["shadow"].sum()), float(spent["judge"].sum()), n, ratings)


def _month(
    project: Project, estimate: Estimate, daily: FloatArray, since: datetime, overhead: Overhead
) -> Month | None:
    """Forecast what 30 days save net; what raters cost is spread over the days evenly."""
    days = daily.size
    net = estimate.by_day - daily - (overhead.ratings_usd or 0.0) / days
    try:
        return stats.month(net[_first_full(project, since, days) : days - 1], LEVEL)
    except TooFew:
        return None


def _first_full(project: Project, since: datetime, days: int) -> int:
    """Return the place of the first day from whose beginning on there was traffic."""
    first = usage.first_hour(project.pk)
    return days if first is None else max(0, (first.date() - since.date()).days + 1)


# --- budgets ------------------------------------------------------------------------------


def daily_cost(project: Project, days: int, now: datetime) -> tuple[list[date], FloatArray]:
    """Return the last days, today included, and what all calls of each cost in USD: (D,)."""
    since, until = period(days, now)
    spent = np.zeros(days)
    for row in usage.figures(since, until, by=("day",), project_id=project.pk):
        spent[(row.group[0] - since.date()).days] += float(row["cost_usd"])
    return [since.date() + place * _DAY for place in range(days)], spent


def cost_month(project: Project, now: datetime) -> Month | None:
    """Forecast what 30 days cost from the last full ones; None when they are too few."""
    names, spent = daily_cost(project, FORECAST_DAYS + 1, now)
    first = usage.first_hour(project.pk)
    full = [
        amount
        for day, amount in zip(names[:-1], spent, strict=False)
        if first is not None and day > first.date()
    ]
    try:
        return stats.month(full, LEVEL)
    except TooFew:
        return None


def budget_state(project: Project, now: datetime) -> BudgetState | None:
    """Return how this month stands; None without a budget.

    A month warns when its warning share is spent, or when its forecast passes the budget.
    """
    budget = Budget.objects.filter(project=project).first()
    if budget is None:
        return None
    today = now.astimezone(UTC).date()
    _, spent = daily_cost(project, today.day, now)
    month = _month_end(project, now, float(spent.sum()))
    return BudgetState(
        budget_usd=float(budget.monthly_usd),
        warn_share=budget.warn_share,
        spent_usd=float(spent.sum()),
        month_usd=month,
        level=_level(budget, float(spent.sum()), month),
    )


def _month_end(project: Project, now: datetime, spent: float) -> Money | None:
    """Return what the month will have cost: what is spent, and the rest at the pace of a month.

    The interval is that of the pace over what is left, so that it closes as the month ends.
    """
    pace = cost_month(project, now)
    if pace is None:
        return None
    at = now.astimezone(UTC)
    begin = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    left = ((begin + 32 * _DAY).replace(day=1) - at) / _DAY / stats.DAYS_A_MONTH
    low, high = (spent + max(end, 0.0) * left for end in pace.interval)
    return Money(spent + pace.value * left, Interval(low, high))


def _level(budget: Budget, spent: float, month: Money | None) -> str:
    limit = float(budget.monthly_usd)
    if spent >= limit:
        return "over"
    is_near = spent >= budget.warn_share * limit or (month is not None and month.value > limit)
    return "warn" if is_near else "ok"
