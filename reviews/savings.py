"""What routing saved against "always expensive", what it cost to know that, and what a month costs.

Saved is the measured cost of cheap-served requests at EXPENSIVE less what was paid for them and for
asking first. Requests that a client or a conversation sent to CHEAP are left out: nobody drew them
for a shadow call. Days are UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
from django.conf import settings
from django.db import connection
from numpy.typing import NDArray

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

# Cached tokens are re-priced as what they were: written, or read.
_CHEAP_SERVED = """
SELECT floor(extract(epoch FROM request.received_at - %(since)s) / 86400)::int,
    served.cost_usd::float8, job.rate, dear.cost_usd::float8,
    ((served.input_tokens * (price ->> 'input_usd')::numeric
    + served.output_tokens * (price ->> 'output_usd')::numeric
    + served.cache_write_tokens
        * coalesce(price ->> 'cache_write_usd', price ->> 'input_usd')::numeric
    + served.cache_write_1h_tokens
        * coalesce(price ->> 'cache_write_1h_usd', price ->> 'input_usd')::numeric
    + served.cache_read_tokens
        * coalesce(price ->> 'cache_read_usd', price ->> 'input_usd')::numeric)
    * CASE WHEN served.input_tokens + served.cache_write_tokens + served.cache_write_1h_tokens
            + served.cache_read_tokens > (price ->> 'long_over_tokens')::numeric
        THEN coalesce((price ->> 'long_factor')::numeric, 1) ELSE 1 END / 1000000)::float8,
    decision.reason IN ('bypassed', 'forced', 'sticky')
FROM routing_request AS request
JOIN routing_decision AS decision ON decision.request_id = request.id
JOIN routing_policy AS policy ON policy.id = decision.policy_id
JOIN routing_completion AS served ON served.request_id = request.id AND NOT served.is_shadow
    AND served.tier = 'cheap'
JOIN routing_shadowjob AS job ON job.request_id = request.id AND job.purpose = 'pair'
LEFT JOIN routing_completion AS dear ON dear.request_id = request.id AND dear.is_shadow
    AND dear.tier = 'expensive' AND dear.ordinal = 1
CROSS JOIN LATERAL (SELECT policy.expensive -> 'price' AS price) AS at_price
WHERE request.project_id = %(project)s AND request.received_at >= %(since)s
    AND request.received_at < %(until)s
"""
_ASKED_FIRST = """
SELECT floor(extract(epoch FROM request.received_at - %(since)s) / 86400)::int,
    sum(probe.cost_usd)::float8
FROM routing_request AS request
JOIN routing_completion AS probe ON probe.request_id = request.id AND probe.is_probe
WHERE request.project_id = %(project)s AND request.received_at >= %(since)s
    AND request.received_at < %(until)s GROUP BY 1
"""


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
    about = {"project": project.pk, "since": since, "until": until}
    fetched = _columns(_CHEAP_SERVED, about, 6)
    is_outside = fetched[5] == 1.0
    is_known = ~is_outside & ~np.isnan(fetched[1]) & ~np.isnan(fetched[4]) & (fetched[2] > 0)
    day, cheap, rate, dear, repriced, _ = fetched[:, is_known]
    asked = _by_day(_columns(_ASKED_FIRST, about, 2), days)
    spent = _spent(project, since, until, days)
    overhead = _overhead(project, since, until, spent)
    estimate, why_not = _estimate(repriced, rate, dear, day)
    paid = float(cheap.sum() + asked.sum())
    gross = None if estimate is None else _less(estimate, paid)
    daily = np.bincount(day.astype(int), weights=cheap, minlength=days) + asked + _measuring(spent)
    return Measured(
        n_days=days,
        n_cheap=int(is_known.sum()),
        n_outside=int(is_outside.sum()),
        n_unknown=int((~is_outside & ~is_known).sum()),
        cheap_usd=paid,
        expensive_usd=float(spent["expensive"].sum()),
        overhead=overhead,
        estimate=estimate,
        why_not=why_not,
        baseline=None if estimate is None else _less(estimate, -float(spent["expensive"].sum())),
        saved=gross,
        net=None if estimate is None else _less(estimate, paid + overhead.total_usd),
        naive_usd=float(repriced.sum()) - paid,
        month=None if estimate is None else _month(project, estimate, daily, since, overhead),
    )


def _whole_days(project: Project, days: int, now: datetime) -> int:
    before = retention.cutoff(project, now)
    if before is None:
        return days
    kept = now.astimezone(UTC).date() - before.astimezone(UTC).date()
    return max(min(days, kept.days), 1)


def _columns(statement: str, about: dict[str, Any], n: int) -> FloatArray:
    """Return what a statement selects, as columns: (n, N), nan where there is nothing."""
    with connection.cursor() as cursor:
        cursor.execute(statement, about)
        rows = cursor.fetchall()
    return np.array(rows, dtype=np.float64).reshape(-1, n).T


def _by_day(columns: FloatArray, days: int) -> FloatArray:
    amounts = np.nan_to_num(columns[1])
    found = np.bincount(columns[0].astype(int), weights=amounts, minlength=days)
    return found.astype(np.float64)


def _estimate(
    repriced: FloatArray, rate: FloatArray, dear: FloatArray, day: FloatArray
) -> tuple[Estimate | None, str]:
    if not repriced.size:
        return None, "No request was served by the cheap model because of its score."
    of = stats.rows(repriced, rate, ~np.isnan(dear), np.nan_to_num(dear), day)
    try:
        return stats.estimate(of, LEVEL), ""
    except TooFew as exc:
        return None, f"The cheap model served {repriced.size} requests. {exc}"


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
    by_day = np.zeros(days)
    by_day[: estimate.by_day.size] = estimate.by_day
    net = by_day - daily - (overhead.ratings_usd or 0.0) / days
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
