"""What shadow calls of a project may cost in a day (UTC): reserved before a call, settled after.

Each call reserves an upper bound of its cost while the day's row is locked, so that all workers
together never pass the cap. Projects without a cap touch no row.
"""

from __future__ import annotations

import json
import logging
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from routing.models import Project, ShadowJob, ShadowSpend
from routing.types import Price, TierSpec

log = logging.getLogger(__name__)

_MILLION = Decimal(1_000_000)
#: Tokens that the provider adds to a prompt: roles, and what it tells the model of tools.
_ADDED_TOKENS = 1_000
#: Longest answer of a request that names no limit.
DEFAULT_OUTPUT_TOKENS = 16_384
_LIMITS = ("max_tokens", "max_completion_tokens")
#: Media that the provider fetches itself may have any length.
_ELSEWHERE = ('"file_id"', '"type": "url"', '"url": "http', '"file_url"')

_OPEN = """
INSERT INTO routing_shadowspend (project_id, day, usd, reserved_usd)
SELECT %(project)s, %(day)s, CASE WHEN EXISTS (
    SELECT FROM routing_shadowspend WHERE project_id = %(project)s AND day = %(day)s
) THEN 0 ELSE (
    SELECT coalesce(sum(completion.cost_usd), 0) FROM routing_request AS request
    JOIN routing_completion AS completion ON completion.request_id = request.id
    WHERE request.project_id = %(project)s AND request.received_at >= %(since)s
        AND completion.is_shadow AND NOT completion.is_probe
        AND completion.created_at >= %(midnight)s
) END, 0
ON CONFLICT (project_id, day) DO UPDATE SET usd = routing_shadowspend.usd
RETURNING usd, reserved_usd
"""
_ADD = """
UPDATE routing_shadowspend SET usd = usd + %s, reserved_usd = reserved_usd + %s
WHERE project_id = %s AND day = %s
"""
_HOLD = """
UPDATE routing_shadowjob AS job SET reserved_usd = held.usd, reserved_on = %s
FROM unnest(%s::bigint[], %s::numeric[]) AS held(id, usd) WHERE job.id = held.id
"""


@dataclass(frozen=True)
class Hold:
    """Money kept for one call: so much of that day of the project."""

    project_id: int
    day: date
    usd: Decimal

    @classmethod
    def of(cls, job: ShadowJob) -> Hold:
        """Return what a stored job holds."""
        assert job.reserved_on is not None
        return cls(job.project_id, job.reserved_on, job.reserved_usd)


@dataclass(frozen=True)
class Wish:
    """A job that wants money.

    Attributes:
        most_usd: an upper bound of what its call costs, None when there is none: see `reason`.
    """

    pk: int
    project_id: int
    cap_usd: Decimal
    most_usd: Decimal | None
    reason: str = ""


def wish(
    pk: int,
    project_id: int,
    cap_usd: Decimal,
    spec: TierSpec,
    payload: dict[str, Any],
    size_bytes: int,
) -> Wish:
    """Return what the job `pk` of a project with a cap wants; see `upper_bound`."""
    if spec.price is None:
        return Wish(pk, project_id, cap_usd, None, "spend_cap: price unknown")
    text = json.dumps(payload)
    if any(mark in text for mark in _ELSEWHERE):
        reason = "spend_cap: no bound for media that the provider fetches"
        return Wish(pk, project_id, cap_usd, None, reason)
    return Wish(pk, project_id, cap_usd, upper_bound(spec, payload, size_bytes))


@dataclass
class Reserved:
    """How wishes ended: money held, ended by reason, or to be asked again soon."""

    holds: dict[int, Hold] = field(default_factory=dict)
    refused: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    waiting: list[int] = field(default_factory=list)


def upper_bound(spec: TierSpec, payload: dict[str, Any], size_bytes: int) -> Decimal | None:
    """Return the most that a call can cost in USD, None when the price is unknown.

    No tokenizer makes more tokens than there are bytes; the answer is bounded by its limit, for
    each of the `n` answers.
    """
    price = spec.price
    if price is None:
        return None
    prompt = size_bytes + _ADDED_TOKENS
    limits = [count for name in _LIMITS if (count := _count(payload.get(name)))]
    answers = _count(payload.get("n")) or 1
    output = max(limits, default=DEFAULT_OUTPUT_TOKENS) * answers
    total = prompt * _dearest(price) + output * price.output_usd
    is_long = price.long_over_tokens is not None and prompt > price.long_over_tokens
    factor = price.long_factor if is_long and price.long_factor is not None else Decimal(1)
    return total * factor / _MILLION


def _count(value: Any) -> int | None:
    """Return a limit that a request names, None for none: -1 and the like mean "no limit"."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        count = math.ceil(float(value))  # some servers take "100" for 100
    except (ValueError, OverflowError):
        return None
    return count if count >= 1 else None


def _dearest(price: Price) -> Decimal:
    """Return the highest rate that a token of the prompt can have."""
    cached = (price.cache_write_usd, price.cache_write_1h_usd, price.cache_read_usd)
    return max([price.input_usd, *(rate for rate in cached if rate is not None)])


def reserve(wishes: Sequence[Wish]) -> Reserved:
    """Hold money for each wish that fits, in the caller's transaction.

    What would not fit even if the calls under way cost nothing is refused; what only has to wait
    for their settling waits.
    """
    told, today = Reserved(), timezone.now().date()
    by_project: dict[int, list[Wish]] = defaultdict(list)
    for wish in wishes:
        if wish.most_usd is None:
            told.refused[wish.reason].append(wish.pk)
        else:
            by_project[wish.project_id].append(wish)
    with connection.cursor() as cursor:
        for project_id in sorted(by_project):  # one order for all, against deadlocks
            _reserve_of_day(cursor, project_id, today, by_project[project_id], told)
        if told.holds:
            usd = [hold.usd for hold in told.holds.values()]
            cursor.execute(_HOLD, [today, list(told.holds), usd])
    return told


def _reserve_of_day(
    cursor: Any, project_id: int, day: date, wishes: Sequence[Wish], told: Reserved
) -> None:
    midnight = datetime.combine(day, time.min, UTC)
    # The job of a repeat is written when its pair is there: it may wait as long again.
    since = midnight - timedelta(seconds=2 * settings.SHADOWEVAL_SHADOW_DEADLINE_S)
    said = {"project": project_id, "day": day, "midnight": midnight, "since": since}
    cursor.execute(_OPEN, said)
    usd, reserved = cursor.fetchone()
    held = Decimal(0)
    for wish in wishes:
        most = wish.most_usd or Decimal(0)
        if usd + held + most <= wish.cap_usd:
            held += most
            told.holds[wish.pk] = Hold(project_id, day, most)
        elif usd - reserved + most > wish.cap_usd:
            reason = f"spend_cap: the day's {wish.cap_usd.normalize():f} USD are spent"
            told.refused[reason].append(wish.pk)
        else:
            told.waiting.append(wish.pk)
    if held:
        cursor.execute(_ADD, [held, held, project_id, day])


def settle(ends: Sequence[tuple[Hold, Decimal | None]]) -> None:
    """Replace what was held by what was paid, in the caller's transaction; None: all of it."""
    paid: dict[tuple[int, date], Decimal] = defaultdict(Decimal)
    freed: dict[tuple[int, date], Decimal] = defaultdict(Decimal)
    for hold, cost in ends:
        key = (hold.project_id, hold.day)
        freed[key] += hold.usd
        paid[key] += Decimal(0) if cost is None else cost - hold.usd
        if cost is not None and cost > hold.usd:
            log.warning("a shadow call of project %d cost more than its bound", hold.project_id)
    with connection.cursor() as cursor:
        for project_id, day in sorted(freed):
            key = (project_id, day)
            cursor.execute(_ADD, [paid[key], -freed[key], project_id, day])


def today(project: Project) -> Decimal:
    """Return what the project's shadow calls cost this UTC day, with what is held for others.

    Counted where the project has a cap.
    """
    rows = ShadowSpend.objects.filter(project=project, day=timezone.now().date())
    return rows.values_list("usd", flat=True).first() or Decimal(0)
