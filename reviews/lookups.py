"""What was looked up for the requests of a study: how, how surely, and what it cost.

A request is looked up before anybody decides who answers it, so that every routing pays for it, the
baseline too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from django.db import connection

from reviews import frames, memo
from reviews.models import Study

#: Of requests that nothing was looked up for.
NONE = "none"
#: Bands of P(the sources hold the answer), each with its lowest value. `NONE` is without lookup, or
#: without confidence.
BANDS = {"low": 0.0, "medium": 1 / 3, "high": 2 / 3}

_FROM = """
FROM routing_retrieval AS found
JOIN routing_shadowpair AS pair ON pair.request_id = found.request_id
JOIN reviews_sampledpair AS draw ON draw.pair_id = pair.id
WHERE draw.study_id = %s AND draw.id <= %s
"""
_SUMMARY = f"""
SELECT count(*), count(*) FILTER (WHERE found.cost_usd IS NULL),
    sum(found.cost_usd::float8 / pair.rate) FILTER (WHERE found.cost_usd IS NOT NULL),
    sum(1 / pair.rate) FILTER (WHERE found.cost_usd IS NOT NULL),
    percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY found.ms),
    count(found.rewrite_ms), percentile_cont(0.5) WITHIN GROUP (ORDER BY found.rewrite_ms),
    array_agg(DISTINCT found.strategy ORDER BY found.strategy)
{_FROM}"""  # noqa: S608 - put together from constants
_ROWS = f"SELECT draw.pair_id, found.strategy, found.confidence {_FROM}"  # noqa: S608


class Lookups(NamedTuple):
    """What looking up took.

    Attributes:
        n: pairs of the study that something was looked up for.
        n_cost_unknown: of these, whose rewrite has no known price.
        usd_per_1000: requests with a lookup, mean over the traffic; None when no cost is known.
        ms_p50, ms_p95: of looking up, without the rewrite; None when there is none.
        n_rewritten: whose query a model made self-contained.
        rewrite_ms_p50: of that.
        strategies: by which sources were found, in order, and `NONE` at the end; () without any.
    """

    n: int
    n_cost_unknown: int = 0
    usd_per_1000: float | None = None
    ms_p50: float | None = None
    ms_p95: float | None = None
    n_rewritten: int = 0
    rewrite_ms_p50: float | None = None
    strategies: tuple[str, ...] = ()


class OfRows(NamedTuple):
    """How each row was looked up: (N,) each; `NONE` and nan where nothing was."""

    strategy: np.ndarray
    confidence: np.ndarray


_summaries: memo.Memo[Lookups] = memo.Memo()
_rows: memo.Memo[list[tuple[int, str, float | None]]] = memo.Memo(4)


def of(study: Study, last_id: int) -> Lookups:
    """Return what looking up took for the study's draws up to a number."""
    return _summaries.get((study.pk, last_id), lambda: _summary(study, last_id))


def _summary(study: Study, last_id: int) -> Lookups:
    with connection.cursor() as cursor:
        cursor.execute(_SUMMARY, [study.pk, last_id])
        n, unknown, usd, traffic, ms, n_rewritten, rewrite_ms, names = cursor.fetchone()
    if not n:
        return Lookups(0)
    per_1000 = 1000 * usd / traffic if traffic else None
    p50, p95 = ms
    return Lookups(n, unknown, per_1000, p50, p95, n_rewritten, rewrite_ms, (*names, NONE))


def of_rows(study: Study, last_id: int, rows: frames.OfPairs) -> OfRows:
    """Return how each row of the study's frame was looked up."""
    known = _read(study, last_id)
    at, is_there = frames.places(rows.pair_id, np.array([pair for pair, *_ in known], np.int64))
    strategy = np.full(rows.pair_id.size, NONE, dtype="<U20")
    confidence = np.full(rows.pair_id.size, np.nan)
    strategy[at[is_there]] = np.array([one[1] for one in known], dtype="<U20")[is_there]
    confidence[at[is_there]] = np.array([one[2] for one in known], dtype=float)[is_there]
    return OfRows(strategy, confidence)


def _read(study: Study, last_id: int) -> list[tuple[int, str, float | None]]:
    def rows() -> list[tuple[int, str, float | None]]:
        with connection.cursor() as cursor:
            cursor.execute(_ROWS, [study.pk, last_id])
            return cursor.fetchall()

    return _rows.get((study.pk, last_id), rows)


def fits(rows: OfRows, strategy: str, band: str) -> np.ndarray:
    """Return which rows were found by a strategy and lie in a band: (N,); "" is any."""
    keep = np.ones(rows.strategy.size, dtype=bool)
    if strategy:
        keep &= rows.strategy == strategy
    if band:
        keep &= bands(rows.confidence) == band
    return keep


def bands(confidence: np.ndarray) -> np.ndarray:
    """Return the band of each confidence: (N,).

    Example:
        >>> bands(np.array([0.2, 0.5, 0.9, np.nan])).tolist()
        ['low', 'medium', 'high', 'none']
    """
    names = np.array([*BANDS, NONE])
    place = np.searchsorted(list(BANDS.values()), confidence, side="right") - 1
    return names[np.where(np.isnan(confidence), len(BANDS), place)]
