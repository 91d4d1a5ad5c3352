"""What the key's project used and what it cost, by any grouping."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field, field_validator

from routing import usage
from routing.api.document import problems
from routing.api.keys import KeyRequest, Needs
from routing.api.moments import Moment
from routing.models.usage import Usage
from routing.types import Scope

router = Router(tags=["Ledger"])

_GROUPS = ("kind", "tier", "provider", "model", "task", "hour", "day", "month")
_DEFAULT = timedelta(days=30)


class Asked(Schema):
    """Which hours, and how they are grouped."""

    since: Moment | None = Field(None, description="First hour; default: 30 days before `until`")
    until: Moment | None = Field(None, description="The hour after the last; default: now")
    by: str = Field(
        "day,kind",
        max_length=100,
        description=f"Names separated by commas: {', '.join(_GROUPS)}; empty for one sum",
    )

    @field_validator("by")
    @classmethod
    def _known(cls, value: str) -> str:
        names = [name.strip() for name in value.split(",") if name.strip()]
        if unknown := sorted(set(names) - set(_GROUPS)):
            raise ValueError(f"there is no group {', '.join(unknown)[:60]!r}")
        return ",".join(dict.fromkeys(names))


class LatencyShape(Schema):
    """The bucket of a quantile; null where no call has a known time."""

    low_ms: float
    high_ms: float | None = Field(description="null: there is no longer bucket")


class UsageLine(Schema):
    """Sums of one group."""

    group: dict[str, str] = Field(description="What it was grouped by, with its values")
    calls: int
    errors: int
    fallbacks: int
    escalations: int
    input_tokens: int = Field(description="Without those written to or read from a cache")
    output_tokens: int
    cache_write_tokens: int
    cache_read_tokens: int
    cost_usd: str = Field(description="Of calls whose price is known; exact decimal")
    input_usd: str
    output_usd: str
    cache_usd: str
    unpriced: int = Field(description="Calls whose price is unknown")
    latency: dict[Literal["p50", "p95", "p99"], LatencyShape | None]


class UsageOut(Schema):
    """Usage of a period; retention takes nothing away from it."""

    since: Moment
    until: Moment
    kinds: dict[str, str] = Field(description="What each `kind` stands for")
    lines: list[UsageLine]


@router.get(
    "/usage",
    auth=Needs(Scope.READ),
    response=UsageOut,
    operation_id="get_usage",
    summary="Tokens, cost and latency by group",
    openapi_extra={"responses": problems(400, 401, 403, 405, 429, 503)},
)
def get_usage(request: KeyRequest, asked: Query[Asked]) -> dict[str, Any]:
    """What the key's project used, shadow and judge calls included. Needs the scope `read`.

    Sums are by the hour and some minutes old. A call counts in the hour in which its request
    came, a judge's in that in which it ended. Quantiles of latency are known to their bucket.
    """
    until = asked.until or timezone.now()
    since = asked.since or until - _DEFAULT
    by = [name for name in asked.by.split(",") if name]
    rows = usage.figures(since, until, by, project_id=request.auth.project_id)
    return {
        "since": since,
        "until": until,
        "kinds": dict(Usage.Kind.choices),
        "lines": [_line(by, row) for row in rows],
    }


def _line(by: list[str], row: usage.Figures) -> dict[str, Any]:
    values = (one if isinstance(one, str) else one.isoformat() for one in row.group)
    amounts = {name: f"{row[name]:f}" for name in row.sums if name.endswith("_usd")}
    latency = (one and one._asdict() for one in row.latency)
    return {
        **row.sums,
        **amounts,
        "group": dict(zip(by, values, strict=True)),
        "latency": dict(zip(("p50", "p95", "p99"), latency, strict=True)),
    }
