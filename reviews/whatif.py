"""What the study's traffic would cost at other prices: tokens by threshold and task type.

Sums only grow with the draws, so a process keeps them and asks for what came since. What is made
of them is arithmetic in the browser; nothing here is ever signed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from django.db import connection

from reviews import estimation, scoring
from reviews.models import Study
from routing import pricing
from routing.models import Policy
from routing.types import Price, Tier

#: Columns of the sums: requests, then tokens of each tier, and of the cheap tier what a router asks
#: for before it decides, which is paid on either side, and what making queries self-contained
#: takes, which every routing pays.
COLUMNS = (
    "requests", "cheap_input", "cheap_output", "expensive_input", "expensive_output",
    "asking_input", "asking_output", "lookup_input", "lookup_output",
)  # fmt: skip
_STUDIES_KEPT = 16

# Cached input is counted as the input it costs as much as, by the price of the study's policy. What
# is asked first, or for a lookup, is counted in cheap answers: as many as it cost times as much as
# the pair's own.
_SUMS = """
SELECT pair.task, coalesce(width_bucket({score}, %(grid)s::float8[]), cardinality(%(grid)s)),
    count(*), count(*) FILTER (WHERE known.yes),
    sum(1 / pair.rate) FILTER (WHERE known.yes),
    sum(coalesce(first.times, 1) * known.cheap_input / pair.rate) FILTER (WHERE known.yes),
    sum(coalesce(first.times, 1) * c.output_tokens / pair.rate) FILTER (WHERE known.yes),
    sum((e.input_tokens + %(e_write)s * e.cache_write_tokens + %(e_hour)s * e.cache_write_1h_tokens
        + %(e_read)s * e.cache_read_tokens) / pair.rate) FILTER (WHERE known.yes),
    sum(e.output_tokens / pair.rate) FILTER (WHERE known.yes),
    sum(coalesce(first.times, 0) * known.cheap_input / pair.rate) FILTER (WHERE known.yes),
    sum(coalesce(first.times, 0) * c.output_tokens / pair.rate) FILTER (WHERE known.yes),
    sum(first.lookups * known.cheap_input / pair.rate) FILTER (WHERE known.yes),
    sum(first.lookups * c.output_tokens / pair.rate) FILTER (WHERE known.yes)
FROM reviews_sampledpair AS draw
JOIN routing_shadowpair AS pair ON pair.id = draw.pair_id
JOIN routing_completion AS c ON c.id = pair.cheap_id
JOIN routing_completion AS e ON e.id = pair.expensive_id
LEFT JOIN routing_retrieval AS found ON found.request_id = pair.request_id
{join},
LATERAL (SELECT c.input_tokens + c.output_tokens + e.input_tokens + e.output_tokens
    IS NOT NULL AND (found.request_id IS NULL OR found.cost_usd IS NOT NULL) AS yes,
    c.input_tokens + %(c_write)s * c.cache_write_tokens + %(c_hour)s * c.cache_write_1h_tokens
        + %(c_read)s * c.cache_read_tokens AS cheap_input) AS known,
LATERAL (SELECT CASE WHEN {asking} IS NOT NULL
    THEN coalesce({asking} / nullif(c.cost_usd, 0), 1) END::float8 AS times,
    coalesce(found.cost_usd / nullif(c.cost_usd, 0), 0)::float8 AS lookups) AS first
WHERE draw.study_id = %(study)s AND draw.id > %(after)s AND draw.id <= %(last)s
GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Sums:
    """Tokens of a study's traffic.

    Attributes:
        by_task: (T + 1, 9) each: by the first threshold that routes a row cheap, in COLUMNS.
        n_pairs: pairs behind them, and those left out because a token count is unknown.
        last: number of the last draw in them.
    """

    by_task: dict[str, np.ndarray] = field(default_factory=dict)
    n_pairs: int = 0
    n_unknown: int = 0
    last: int = 0


_kept: OrderedDict[int, Sums] = OrderedDict()
_lock = Lock()


def sums(study: Study, last: int) -> Sums:
    """Return the sums over the study's draws up to a number."""
    with _lock:  # the first look reads every pair: others wait for it instead of repeating it
        known = _kept.get(study.pk, Sums())
        if known.last > last:
            return _added(Sums(), study, last)
        found = _added(known, study, last)
        if not connection.in_atomic_block:  # what is not committed yet may never be
            _keep(study.pk, found)
    return found


def _keep(study_id: int, found: Sums) -> None:
    _kept[study_id] = found
    _kept.move_to_end(study_id)
    while len(_kept) > _STUDIES_KEPT:
        _kept.popitem(last=False)


def _added(known: Sums, study: Study, last: int) -> Sums:
    """Return the sums with the draws that came since."""
    grid = estimation.grid(study).tolist()
    if known.last == last:
        return known
    by_task = {task: table.copy() for task, table in known.by_task.items()}
    n_pairs, n_unknown = known.n_pairs, known.n_unknown
    about = {"grid": grid, "study": study.pk, "after": known.last, "last": last}
    with connection.cursor() as cursor:
        wanted = _SUMS.format(**scoring.of_pairs(study)._asdict())
        cursor.execute(wanted, about | _factors(study.policy))
        for task, place, n, n_known, *amounts in cursor.fetchall():
            table = by_task.setdefault(task, np.zeros((len(grid) + 1, len(COLUMNS))))
            table[place] += [float(amount or 0) for amount in amounts]
            n_pairs, n_unknown = n_pairs + n, n_unknown + n - n_known
    return Sums(by_task, n_pairs, n_unknown, last)


def _factors(policy: Policy) -> dict[str, float]:
    """Return how many tokens of plain input a cached one costs, by tier and kind; 1 if unknown."""
    kinds = {"write": "cache_write_usd", "hour": "cache_write_1h_usd", "read": "cache_read_usd"}
    return {
        f"{letter}_{name}": _factor(policy.tier_spec(tier).price, kind)
        for tier, letter in ((Tier.CHEAP, "c"), (Tier.EXPENSIVE, "e"))
        for name, kind in kinds.items()
    }


def _factor(price: Price | None, kind: str) -> float:
    unit = getattr(price, kind, None)
    return (
        1.0
        if price is None or unit is None or not price.input_usd
        else float(unit / price.input_usd)
    )


def as_json(study: Study, last: int) -> dict[str, Any]:
    """Return the sums, the policy's prices and the list prices, as the page computes with them."""
    found = sums(study, last)
    return {
        "columns": COLUMNS,
        "tasks": {task: _rounded(table) for task, table in sorted(found.by_task.items())},
        "n_pairs": found.n_pairs,
        "n_unknown": found.n_unknown,
        "prices": {tier.value: _price(study.policy, tier) for tier in Tier},
        "list": {
            model: [float(price.input_usd), float(price.output_usd)]
            for model, price in pricing.LIST_PRICES.items()
        },
    }


def _price(policy: Policy, tier: Tier) -> list[float] | None:
    """Return USD per million tokens of input and output."""
    price = policy.tier_spec(tier).price
    return None if price is None else [float(price.input_usd), float(price.output_usd)]


def _rounded(table: np.ndarray) -> list[list[float]]:
    """Return running sums by threshold, to six digits: what is below each, and all at the end."""
    below = np.cumsum(table, axis=0)
    return [[float(f"{value:.6g}") for value in row] for row in below]
