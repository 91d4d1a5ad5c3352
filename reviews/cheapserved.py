"""Requests that CHEAP served, as the estimate of their expensive cost needs them: sums by day.

Postgres adds up what was not shadowed. Of the shadowed requests it packs three numbers each: their
interval needs every one, and a million rows of their own would take Python seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from reviews.stats import savings as stats
from routing.models import Project

FloatArray = NDArray[np.float64]

# Cached tokens are re-priced as what they were: written, or read.
_BY_DAY = """
WITH priced AS MATERIALIZED (
    SELECT id, (price ->> 'input_usd')::float8 AS input_usd,
        (price ->> 'output_usd')::float8 AS output_usd,
        coalesce(price ->> 'cache_write_usd', price ->> 'input_usd')::float8 AS write_usd,
        coalesce(price ->> 'cache_write_1h_usd', price ->> 'input_usd')::float8 AS write_1h_usd,
        coalesce(price ->> 'cache_read_usd', price ->> 'input_usd')::float8 AS read_usd,
        (price ->> 'long_over_tokens')::float8 AS long_over,
        coalesce((price ->> 'long_factor')::float8, 1) AS long_factor
    FROM routing_policy AS policy, LATERAL (SELECT policy.expensive -> 'price' AS price) AS at_price
    WHERE policy.project_id = %(project)s
), served AS (
    SELECT floor(extract(epoch FROM request.received_at - %(since)s) / 86400)::int AS day,
        served.cost_usd::float8 AS cheap, job.rate, dear.cost_usd::float8 AS dear,
        decision.reason IN ('bypassed', 'forced', 'sticky') AS is_outside,
        (served.input_tokens * input_usd + served.output_tokens * output_usd
            + served.cache_write_tokens * write_usd + served.cache_write_1h_tokens * write_1h_usd
            + served.cache_read_tokens * read_usd)
        * CASE WHEN served.input_tokens + served.cache_write_tokens + served.cache_write_1h_tokens
            + served.cache_read_tokens > long_over THEN long_factor ELSE 1 END
        / 1000000 AS repriced
    FROM routing_request AS request
    JOIN routing_decision AS decision ON decision.request_id = request.id
    JOIN priced ON priced.id = decision.policy_id
    JOIN routing_completion AS served ON served.request_id = request.id AND NOT served.is_shadow
        AND served.tier = 'cheap'
    JOIN routing_shadowjob AS job ON job.request_id = request.id AND job.purpose = 'pair'
    LEFT JOIN routing_completion AS dear ON dear.request_id = request.id AND dear.is_shadow
        AND dear.tier = 'expensive' AND dear.ordinal = 1
    WHERE request.project_id = %(project)s AND request.received_at >= %(since)s
        AND request.received_at < %(until)s
), sorted AS (
    SELECT *, NOT is_outside AND cheap IS NOT NULL AND repriced IS NOT NULL AND rate > 0 AS is_known
    FROM served
)
SELECT day, count(*) FILTER (WHERE is_outside),
    count(*) FILTER (WHERE NOT is_outside AND NOT is_known),
    coalesce(sum(cheap) FILTER (WHERE is_known), 0),
    count(*) FILTER (WHERE is_known AND dear IS NULL),
    coalesce(sum(repriced) FILTER (WHERE is_known AND dear IS NULL), 0),
    coalesce(string_agg(float8send(repriced) || float8send(rate) || float8send(dear), '')
        FILTER (WHERE is_known AND dear IS NOT NULL), '')
FROM sorted GROUP BY day ORDER BY day
"""
_ASKED_FIRST = """
SELECT floor(extract(epoch FROM request.received_at - %(since)s) / 86400)::int,
    coalesce(sum(probe.cost_usd), 0)::float8
FROM routing_request AS request
JOIN routing_completion AS probe ON probe.request_id = request.id AND probe.is_probe
WHERE request.project_id = %(project)s AND request.received_at >= %(since)s
    AND request.received_at < %(until)s GROUP BY 1
"""


class Served(NamedTuple):
    """What CHEAP served.

    Attributes:
        rows: by its score, at known costs.
        paid_usd: (D,) for these, and for asking CHEAP first whoever served then, by day.
        n_outside: sent there by a client or a conversation.
        n_unknown: of which a cost or a price is unknown.
    """

    rows: stats.Rows
    paid_usd: FloatArray
    n_outside: int
    n_unknown: int


def read(project: Project, since: datetime, until: datetime, days: int) -> Served:
    """Return what CHEAP served of the requests in a period of so many days."""
    about = {"project": project.pk, "since": since, "until": until}
    by_day = np.zeros((days, 5))
    packed: dict[int, FloatArray] = {}
    for day, *sums, sample in _fetched(_BY_DAY, about):
        by_day[day] = sums
        packed[day] = np.frombuffer(sample, ">f8").reshape(-1, 3)
    outside, unknown, cheap_usd, others, others_repriced = by_day.T
    repriced, rate, dear = np.concatenate([np.empty((0, 3)), *packed.values()]).astype(float).T
    day = np.repeat(np.array([*packed], np.int64), [len(one) for one in packed.values()])
    rows = stats.checked(stats.Rows(repriced, rate, dear, day, others, others_repriced))
    paid_usd = cheap_usd + _asked_first(about, days)
    return Served(rows, paid_usd, int(outside.sum()), int(unknown.sum()))


def _asked_first(about: dict[str, Any], days: int) -> FloatArray:
    found = np.zeros(days)
    for day, usd in _fetched(_ASKED_FIRST, about):
        found[day] = usd
    return found


def _fetched(statement: str, about: dict[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, about)
        return cursor.fetchall()
