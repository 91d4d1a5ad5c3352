"""What calls took and cost, summed by the hour, and figures of any period and grouping.

An hour is that in which the request came, for its shadow calls too. Hours are made from the ledger
and are never made smaller: what was spent stays spent when retention or an erasure takes the
requests away. Whole hours are made anew, so that a second run changes nothing, and one that came
late from a journal is counted like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.core.cache import cache
from django.db import connection
from django.utils import timezone

#: Ends of the buckets, in ms: ten to a power of ten, so that a quantile is known to a quarter.
LATENCY_MS = tuple(
    float(f"{base * 10**power:g}")
    for power in range(1, 5)
    for base in (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
) + (100_000.0,)
QUANTILES = (0.5, 0.95, 0.99)

_LOOKED = "usage:looked"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: A row is visible later than its `created_at` says, by as long as its transaction took.
_SLACK = timedelta(minutes=10)
_AT_ONCE = 48

_KEYS = ("project_id", "hour", "kind", "tier", "provider", "model", "task")
#: Columns of one call in a source, in this order: the keys, and then these.
CALL = (
    *_KEYS, "is_error", "is_fallback", "is_escalation", "input_tokens", "output_tokens",
    "cache_write_tokens", "cache_read_tokens", "cost_usd", "is_unpriced", "input_weight",
    "output_weight", "cache_weight", "latency_ms",
)  # fmt: skip
_COUNTED = {
    "calls": "count(*)",
    "errors": "count(*) FILTER (WHERE is_error)",
    "fallbacks": "count(*) FILTER (WHERE is_fallback)",
    "escalations": "count(*) FILTER (WHERE is_escalation)",
    **{
        name: f"coalesce(sum({name}), 0)"
        for name in ("input_tokens", "output_tokens", "cache_write_tokens", "cache_read_tokens")
    },
    "cost_usd": "coalesce(sum(cost_usd), 0)",
    # By what each part costs at list price: a long prompt multiplies all of them alike.
    **{
        f"{part}_usd": f"coalesce(sum(cost_usd * {part}_weight / nullif("
        "input_weight + output_weight + cache_weight, 0)), 0)"
        for part in ("input", "output", "cache")
    },
    "unpriced": "count(*) FILTER (WHERE is_unpriced)",
    "latency_counts": "ARRAY[{}]".format(
        ", ".join(
            f"count(*) FILTER (WHERE width_bucket(latency_ms, %(edges)s::float8[]) = {bucket})"
            for bucket in range(len(LATENCY_MS) + 1)
        )
    ),
    "latency_ms_sum": "coalesce(sum(latency_ms), 0)",
}  # fmt: skip
_UPSERT = """
WITH wanted AS (
    SELECT * FROM unnest(%(projects)s::bigint[], %(hours)s::timestamptz[]) AS one(project_id, hour)
), {calls}
INSERT INTO routing_usage AS known ({columns})
SELECT {keys}, {sums} FROM calls GROUP BY {keys} ORDER BY {keys}
ON CONFLICT ({keys}) DO UPDATE SET {updates} WHERE known.calls < excluded.calls
"""


class Source(NamedTuple):
    """Where calls come from, as SQL.

    Attributes:
        changed: selects project_id and hour of calls written since `%(since)s`.
        calls: the table expression `calls`, with the columns CALL, of the hours in `wanted`.
    """

    changed: str
    calls: str


def weights(letter: str, price: str) -> str:
    """Return SQL: what input, output and cache of a completion cost at a price, to share out."""
    unit = "coalesce(({price} ->> '{name}_usd')::numeric, 0)"
    cached = " + ".join(
        f"{letter}.{name}_tokens * {unit.format(price=price, name=name)}"
        for name in ("cache_write", "cache_write_1h", "cache_read")
    )
    return ", ".join(
        [
            f"coalesce({letter}.input_tokens, 0) * {unit.format(price=price, name='input')}",
            f"coalesce({letter}.output_tokens, 0) * {unit.format(price=price, name='output')}",
            cached,
        ]
    )


_TOKENS = """c.input_tokens, c.output_tokens,
    coalesce(c.cache_write_tokens + c.cache_write_1h_tokens, 0), coalesce(c.cache_read_tokens, 0),
    c.cost_usd, c.id IS NOT NULL AND c.cost_usd IS NULL"""
_PRICE = "CASE c.tier WHEN 'cheap' THEN asked.cheap ELSE asked.expensive END -> 'price'"
#: The ledger: what clients got, what was asked before it, and shadow calls.
LEDGER = Source(
    changed="""
SELECT request.project_id, date_trunc('hour', request.received_at, 'UTC')
FROM routing_completion AS c JOIN routing_request AS request ON request.id = c.request_id
WHERE c.created_at >= %(since)s
UNION
SELECT project.id, there.hour FROM routing_project AS project, LATERAL (
    SELECT date_trunc('hour', received_at, 'UTC') AS hour, count(*) AS n
    FROM routing_request WHERE project_id = project.id
        AND received_at >= %(since)s - interval '3 days' GROUP BY 1) AS there
WHERE n > (SELECT coalesce(sum(calls), 0) FROM routing_usage AS known
    WHERE known.project_id = project.id AND known.hour = there.hour AND known.kind = 'served')
""",
    calls=f"""asked AS (
    SELECT request.id, request.project_id, wanted.hour, request.task, decision.tier,
        decision.reason, request.status >= 400 OR request.error <> '' AS is_error,
        policy.cheap, policy.expensive,
        CASE decision.tier WHEN 'cheap' THEN policy.cheap ELSE policy.expensive END AS spec
    FROM wanted
    JOIN routing_request AS request ON request.project_id = wanted.project_id
        AND request.received_at >= wanted.hour
        AND request.received_at < wanted.hour + interval '1 hour'
    JOIN routing_decision AS decision ON decision.request_id = request.id
    JOIN routing_policy AS policy ON policy.id = decision.policy_id
), calls ({", ".join(CALL)}) AS (
    SELECT asked.project_id, asked.hour, 'served', asked.tier,
        coalesce(c.provider, asked.spec ->> 'provider', ''),
        coalesce(c.model, asked.spec ->> 'model', ''), asked.task, asked.is_error,
        asked.reason = 'fallback', asked.reason = 'escalated', {_TOKENS},
        {weights("c", "asked.spec -> 'price'")}, c.latency_ms
    FROM asked
    LEFT JOIN routing_completion AS c ON c.request_id = asked.id AND NOT c.is_shadow
    UNION ALL
    SELECT asked.project_id, asked.hour, CASE WHEN c.is_probe THEN 'aside' ELSE 'shadow' END,
        c.tier, c.provider, c.model, asked.task, c.is_partial, false, false, {_TOKENS},
        {weights("c", _PRICE)},
        c.latency_ms
    FROM asked JOIN routing_completion AS c ON c.request_id = asked.id AND c.is_shadow
    UNION ALL
    SELECT asked.project_id, asked.hour, 'aside', 'cheap', coalesce(asked.cheap ->> 'provider', ''),
        coalesce(asked.cheap ->> 'model', ''), asked.task, false, false, false, 0, 0, 0, 0,
        found.cost_usd, found.cost_usd IS NULL, 0, 0, 0, found.rewrite_ms
    FROM asked JOIN routing_retrieval AS found ON found.request_id = asked.id
    WHERE found.rewritten_by = 'cheap'
)""",  # noqa: S608 - put together from constants
)
_sources = [LEDGER]


def also(source: Source) -> None:
    """Count these calls too.

    For packages that build upon routing: it knows none of their tables.
    """
    if source not in _sources:
        _sources.append(source)


def roll(now: datetime | None = None) -> int:
    """Bring the hours up to date in which something was written since the last run.

    Each group of hours is a statement of its own: safe to stop at any moment, and to run twice at
    once. Without a memory of the last run all hours are looked at.

    Returns:
        How many hours were made.
    """
    begins = now or timezone.now()
    looked = cache.get(_LOOKED)
    since = _EPOCH + timedelta(seconds=looked) if looked is not None else _EPOCH
    made = sum(_roll(source, max(since - _SLACK, _EPOCH)) for source in _sources)
    cache.set(_LOOKED, (begins - _EPOCH).total_seconds(), None)
    return made


def _roll(source: Source, since: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(source.changed, {"since": since})
        changed = sorted(cursor.fetchall())
        for start in range(0, len(changed), _AT_ONCE):
            projects, hours = zip(*changed[start : start + _AT_ONCE], strict=True)
            about = {"projects": list(projects), "hours": list(hours), "edges": list(LATENCY_MS)}
            cursor.execute(_statement(source), about)
    return len(changed)


def _statement(source: Source) -> str:
    return _UPSERT.format(
        calls=source.calls,
        columns=", ".join((*_KEYS, *_COUNTED)),
        keys=", ".join(_KEYS),
        sums=", ".join(_COUNTED.values()),
        updates=", ".join(f"{name} = excluded.{name}" for name in _COUNTED),
    )


# --- figures ------------------------------------------------------------------------------

#: What figures may be grouped by, as SQL.
GROUPS = {
    "project": "project.slug",
    "kind": "used.kind",
    "tier": "tier",
    "provider": "provider",
    "model": "model",
    "task": "task",
    "hour": "hour",
    "day": "(hour AT TIME ZONE 'UTC')::date",
    "month": "to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM')",
}
#: The sums of a group, by name.
SUMMED = tuple(name for name in _COUNTED if name != "latency_counts")
_FIGURES = """
SELECT {keys}, {sums}, ARRAY[{latencies}]
FROM routing_usage AS used JOIN routing_project AS project ON project.id = used.project_id
WHERE (%(project)s::bigint IS NULL OR used.project_id = %(project)s)
    AND hour >= %(since)s AND hour < %(until)s {only}
GROUP BY {places} ORDER BY {places}
"""


class Within(NamedTuple):
    """The bucket that a quantile is in: from `low_ms` on, below `high_ms`; None is no end."""

    low_ms: float
    high_ms: float | None


@dataclass(frozen=True)
class Figures:
    """Sums over one group; `group` has the values of what it was grouped by, in that order.

    `latency` are the medians, 95th and 99th percentiles of calls whose time is known, None where
    there are none: to the bucket, not to the ms.
    """

    group: tuple[Any, ...]
    sums: dict[str, Any]
    latency: tuple[Within | None, ...]

    def __getitem__(self, name: str) -> Any:
        """Return a sum by its name."""
        return self.sums[name]


def figures(
    since: datetime,
    until: datetime,
    by: Sequence[str] = (),
    project_id: int | None = None,
    kinds: Sequence[str] = (),
) -> list[Figures]:
    """Return sums of a period by group, in the order of the groups.

    Args:
        since: first hour.
        until: the hour after the last.
        by: names of GROUPS.
        project_id: None for all projects together.
        kinds: of `Usage.Kind`; all when empty.

    Raises:
        KeyError: no such group.
    """
    keys = [GROUPS[name] for name in by] or ["''"]
    statement = _FIGURES.format(
        keys=", ".join(keys),
        sums=", ".join(f"sum({name})" for name in SUMMED),
        latencies=", ".join(
            f"sum(latency_counts[{bucket}])" for bucket in range(1, len(LATENCY_MS) + 2)
        ),
        places=", ".join(str(place + 1) for place in range(len(keys))),
        only="AND used.kind = ANY (%(kinds)s)" if kinds else "",
    )
    about = {"project": project_id, "since": since, "until": until, "kinds": list(kinds)}
    with connection.cursor() as cursor:
        cursor.execute(statement, about)
        return [_figures(row, len(keys), bool(by)) for row in cursor.fetchall()]


def first_hour(project_id: int) -> datetime | None:
    """Return the hour of the first call of a project."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(hour) FROM routing_usage WHERE project_id = %s", [project_id])
        found: datetime | None = cursor.fetchone()[0]
    return found


def _figures(row: Sequence[Any], n_keys: int, is_grouped: bool) -> Figures:
    *values, counts = row[n_keys:]
    sums = dict(zip(SUMMED, (value or 0 for value in values), strict=True))
    counted = [int(count or 0) for count in counts]
    at = tuple(quantile(counted, share) for share in QUANTILES)
    return Figures(tuple(row[:n_keys]) if is_grouped else (), sums, at)


def quantile(counts: Sequence[int], share: float) -> Within | None:
    """Return the bucket in which a share of the calls ends; None without calls.

    Example:
        >>> quantile([0, 9, 1] + [0] * 39, 0.5)
        Within(low_ms=10.0, high_ms=12.5)
    """
    total, seen = sum(counts), 0
    for place, count in enumerate(counts):
        seen += count
        if count and seen >= share * total:
            high = LATENCY_MS[place] if place < len(LATENCY_MS) else None
            return Within(LATENCY_MS[place - 1] if place else 0.0, high)
    return None
