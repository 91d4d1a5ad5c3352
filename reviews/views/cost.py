"""Cost: what calls took, what routing saved, budgets, and what providers say was used."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from reviews import costcharts, permissions, savings
from reviews.costcharts import Line
from reviews.errors import BadInput
from reviews.exchange import streaming
from reviews.memo import Memo
from reviews.monitors import prices
from reviews.savings import Measured, Money
from reviews.stats.daily import DAYS_A_MONTH
from reviews.views.collections import content_of
from reviews.views.frame import about, current_project, page, posted_project, to_page
from reviews.views.signoff import user_of
from routing import reconciling, usage
from routing.models import Project
from routing.models.usage import Budget, Reconciliation, Usage
from routing.reconciling import BadFile

PERIODS = (7, 30, 90)
_BY = {"kind": "Purpose", "tier": "Tier", "task": "Task type", "model": "Model", "day": "Day"}
_CSV = ("day", "kind", "tier", "provider", "model", "task")
_KINDS = dict(Usage.Kind.choices)
#: Relative differences from here on are marked.
_APART = 0.01
_LINES_SHOWN = 200
#: Reading the ledger of a large project takes seconds; usage is as old.
_FRESH_S = 300
_measured: Memo[Measured] = Memo()


class Table(NamedTuple):
    """One table of the page: how it is grouped, and its lines."""

    by: str
    title: str
    rows: list[tuple[str, usage.Figures]]


class Difference(NamedTuple):
    """One day and model of a reconciliation, and by what share we have more than they."""

    day: str
    model: str
    theirs: dict[str, Any] | None
    ours: dict[str, Any] | None
    share: float | None

    @property
    def cells(self) -> list[str]:
        """Tokens in and out, and USD: theirs and ours of each; a dash where nobody says."""
        names = ("input_tokens", "output_tokens", "cost_usd")
        sides = [side or {} for side in (self.theirs, self.ours)]
        found = [side.get(name) for name in names for side in sides]
        return ["–" if one is None else f"{Decimal(one):,f}" for one in found]

    @property
    def is_apart(self) -> bool:
        """Whether both sides differ by more than rounding."""
        return self.share is None or abs(self.share) > _APART


@require_GET
@page("see_results")
def cost(request: HttpRequest) -> HttpResponse:
    """Show the last days: one sentence, cost by day, savings, tables, budget, reconciliation."""
    project = current_project(request)
    shown = {
        **about(project),
        "section": "cost",
        "periods": PERIODS,
        "days": _days(request),
        "can_manage": permissions.can(request.user, "manage_cost"),
        **(_shown(project, _days(request), timezone.now()) if project else {}),
    }
    return render(request, "reviews/cost.html", shown)


@require_GET
@page("see_results")
def cost_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Hand out the sums behind the page, by day, purpose, tier, provider, model and task type."""
    project, days = current_project(request), _days(request)
    headers = {"Content-Disposition": f'attachment; filename="cost-{days}-days.csv"'}
    pieces = streaming.in_threads(_csv_pieces(project, days, timezone.now()))
    return StreamingHttpResponse(pieces, content_type="text/csv; charset=utf-8", headers=headers)


def _csv_pieces(project: Project | None, days: int, now: datetime) -> Iterator[bytes]:
    """Yield the file day by day: no more than one is in memory."""
    quantiles = [f"latency_p{share * 100:.0f}_below_ms" for share in usage.QUANTILES]
    yield _csv_lines([[*_CSV, *usage.SUMMED, *quantiles]])
    since, _ = savings.period(days, now)
    if project is None:
        return
    for nth in range(days):
        begin = since + timedelta(days=nth)
        rows = usage.figures(begin, begin + timedelta(days=1), by=_CSV, project_id=project.pk)
        if rows:
            yield _csv_lines([_csv_line(row) for row in rows])


def _csv_line(row: usage.Figures) -> list[Any]:
    ends = [None if one is None else one.high_ms for one in row.latency]
    return [*row.group, *(row[name] for name in usage.SUMMED), *ends]


def _csv_lines(lines: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue().encode()


@require_POST
@page("manage_cost")
def budget(request: HttpRequest) -> HttpResponse:
    """Say what a month may cost before people are told; empty is no budget."""
    project = posted_project(request)
    usd = _amount(request.POST.get("monthly_usd", "").strip())
    if usd is None:
        Budget.objects.filter(project=project).delete()
        messages.success(request, f"{project} has no budget.")
        return to_page("cost", project)
    values = {
        "monthly_usd": usd,
        "warn_share": _share(request.POST.get("warn_percent", "").strip()),
    }
    Budget.objects.update_or_create(
        project=project, defaults={**values, "changed_by": user_of(request)}
    )
    messages.success(request, f"{project} may cost {usd} USD a month.")
    return to_page("cost", project)


@require_POST
@page("manage_cost")
def reconcile(request: HttpRequest) -> HttpResponse:
    """Lay a provider's usage export beside what is stored of its days."""
    project, file = posted_project(request), request.FILES.get("file")
    content = content_of(file, reconciling.MOST_BYTES)
    with_all = request.POST.get("scope") == "all"
    try:
        row = reconciling.write(
            content,
            file.name if file and file.name else "",
            None if with_all else project,
            user_of(request),
        )
    except BadFile as exc:
        raise BadInput(str(exc)) from exc
    messages.success(request, f"{row.name} was compared.")
    for one in prices.apart(row, project):
        messages.warning(request, f"{one}.")
    return to_page("cost", project)


def _days(request: HttpRequest) -> int:
    asked = request.GET.get("days", "")
    return int(asked) if asked.isdecimal() and int(asked) in PERIODS else 30


def _shown(project: Project, days: int, now: datetime) -> dict[str, Any]:
    since, until = savings.period(days, now)
    tables = [_table(by, since, until, project) for by in _BY]
    measured = _measured.get(
        (project.pk, days, int(now.timestamp()) // _FRESH_S),
        lambda: savings.measure(project, days, now),
    )
    latest = _latest(project)
    return {
        "measured": measured,
        "sentence": sentence(measured),
        "budget": Budget.objects.filter(project=project).first(),
        "budget_state": savings.budget_state(project, now),
        "month": savings.cost_month(project, now),
        "total": next(iter(usage.figures(since, until, project_id=project.pk)), None),
        "tables": tables,
        "quantiles": usage.QUANTILES,
        "reconciliation": latest,
        "differences": _differences(latest)[:_LINES_SHOWN] if latest else [],
        "figures": {"by-day": _chart(project, days, now)} if tables[0].rows else {},
    }


def sentence(found: Measured) -> str:
    """Return the one sentence of the page."""
    if found.saved is None or found.baseline is None or found.net is None:
        return f"What routing saved in the last {found.n_days} days is not known. {found.why_not}"
    verb = "saved" if found.saved.value >= 0 else "cost more:"
    said = (
        f"In the last {found.n_days} days routing {verb} {_usd(found.saved)} of the "
        f"{_cents(found.baseline.value)} USD that the expensive model alone would have cost"
    )
    return f"{said}; less what measuring it cost, {_usd(found.net)}."


def _usd(money: Money) -> str:
    low, high = money.interval
    return f"{_cents(money.value)} USD ({_cents(low)} to {_cents(high)})"


def _cents(usd: float) -> str:
    """Return an amount in cents; to two digits below a dollar, so that little is not nothing.

    Example:
        >>> _cents(1234.5), _cents(-0.00181), _cents(0.0)
        ('1,234.50', '-0.0018', '0')
    """
    return f"{usd:,.2f}" if abs(usd) >= 1 else f"{Decimal(f'{usd:.2g}'):f}"


def _table(by: str, since: datetime, until: datetime, project: Project) -> Table:
    rows = usage.figures(since, until, by=(by,), project_id=project.pk)
    if by == "day":
        rows.reverse()
    else:
        rows.sort(key=lambda row: -row["cost_usd"])
    return Table(by, _BY[by], [(_name(by, row.group[0]), row) for row in rows])


def _name(by: str, value: Any) -> str:
    if by == "kind":
        return _KINDS.get(value, value)
    return str(value) or ("no tier" if by == "tier" else "not known")


def _chart(project: Project, days: int, now: datetime) -> dict[str, Any]:
    since, until = savings.period(days, now)
    names, _ = savings.daily_cost(project, days, now)
    parts = {name: [0.0] * days for name in costcharts.PARTS}
    for row in usage.figures(since, until, by=("day", "kind", "tier"), project_id=project.pk):
        day, kind, tier = row.group
        name = tier if kind == Usage.Kind.SERVED else kind
        parts[name][(day - since.date()).days] += float(row["cost_usd"])
    found, limit = savings.cost_month(project, now), Budget.objects.filter(project=project).first()
    ahead = Line(*(one / DAYS_A_MONTH for one in (found.value, *found.interval))) if found else None
    budgeted = float(limit.monthly_usd) / DAYS_A_MONTH if limit else None
    return costcharts.figure(names, parts, budgeted, ahead)


def _latest(project: Project) -> Reconciliation | None:
    rows = Reconciliation.objects.filter(project=project) | Reconciliation.objects.filter(
        project=None
    )
    return rows.first()


def _differences(row: Reconciliation) -> list[Difference]:
    """Return the lines of a comparison, what differs most first."""
    lines = [
        Difference(one["day"], one["model"], one["theirs"], one["ours"], _apart(one))
        for one in row.lines
    ]
    return sorted(lines, key=lambda one: -abs(one.share) if one.share is not None else -1e9)


def _apart(line: dict[str, Any]) -> float | None:
    """Return by what share we have more: of cost where both say it, else of tokens.

    None where one side has nothing, or they say nothing in common.
    """
    theirs, ours = (_extent(line[side], _is_priced(line)) for side in ("theirs", "ours"))
    if theirs is None or ours is None:
        return None
    return 0.0 if ours == theirs else float("inf") if not theirs else ours / theirs - 1


def _is_priced(line: dict[str, Any]) -> bool:
    return all(line[side] and line[side]["cost_usd"] is not None for side in ("theirs", "ours"))


def _extent(used: dict[str, Any] | None, is_priced: bool) -> float | None:
    if used is None:
        return None
    if is_priced:
        return float(used["cost_usd"])
    tokens = [used[name] for name in ("input_tokens", "output_tokens")]
    return None if None in tokens else sum(tokens)


def _amount(text: str) -> Decimal | None:
    if not text:
        return None
    return _number(text, Decimal("0.01"), Decimal(1_000_000_000), "A month’s budget")


def _share(text: str) -> float:
    return float(_number(text or "80", Decimal(1), Decimal(100), "The share to warn at")) / 100


def _number(text: str, low: Decimal, high: Decimal, what: str) -> Decimal:
    try:
        value = round(Decimal(text), 2)
    except (InvalidOperation, ValueError, OverflowError):
        value = Decimal(-1)
    if not (value.is_finite() and low <= value <= high):
        raise BadInput(f"{what} must be a number from {low} to {high:,}.")
    return value
