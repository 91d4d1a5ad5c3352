"""What one API key may ask and spend: requests per minute, USD per day (UTC).

Counted in Redis, for all processes together. The cap counts the cost of served calls, known prices
only; calls in flight when it is reached still finish. With Redis away limits are open.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from limits import RateLimitItemPerMinute
from redis.asyncio import Redis

from routing.errors import RateLimited
from routing.live import KeyInfo
from routing.shared import PREFIX, shared

log = logging.getLogger(__name__)

_NANO = Decimal(10**9)
_KEEP_S = 2 * 86_400


async def check(key: KeyInfo) -> None:
    """Let one request through and count it.

    Raises:
        RateLimited: when the key asked too often or spent its day's money.
    """
    await check_rate(key)
    if key.daily_usd is not None:
        await _check_spend(key, key.daily_usd)


async def check_rate(key: KeyInfo) -> None:
    """Let one request through and count it; raises RateLimited when there were too many."""
    most = key.requests_per_minute
    if most is None:
        return
    if most == 0:
        raise RateLimited("This API key may ask nothing: its limit is 0 per minute.", 60)
    item, name = RateLimitItemPerMinute(most), str(key.id)
    if await shared.limit(lambda limiter: limiter.hit(item, name), True):
        return
    now = timezone.now().timestamp()
    unknown: Any = None
    stats = await shared.limit(lambda limiter: limiter.get_window_stats(item, name), unknown)
    wait_s = 1.0 if stats is None else min(max(stats.reset_time - now, 1.0), 60.0)
    raise RateLimited(f"This API key may ask {most} times a minute; wait a little.", wait_s)


async def _check_spend(key: KeyInfo, cap: Decimal) -> None:
    spent = await shared.ask(lambda redis: redis.get(_spend_name(key)), b"0")
    if Decimal(int(spent or 0)) / _NANO >= cap:
        raise RateLimited(
            f"This API key has spent its {cap.normalize():f} USD of today (UTC).", _to_midnight_s()
        )


async def spend(key: KeyInfo, cost_usd: Decimal | None) -> None:
    """Count what a served call cost; an unknown cost cannot be counted, and is logged."""
    if key.daily_usd is None:
        return
    if cost_usd is None:
        log.warning("a call of capped key %d has an unknown cost: not counted", key.id)
        return
    name, nano = _spend_name(key), int(cost_usd * _NANO)

    async def add(redis: Redis) -> Any:
        async with redis.pipeline(transaction=True) as both:
            both.incrby(name, nano)
            both.expire(name, _KEEP_S)
            return await both.execute()

    await shared.ask(add, None)


def _spend_name(key: KeyInfo) -> str:
    return f"{PREFIX}:spend:{key.id}:{timezone.now():%Y%m%d}"


def _to_midnight_s() -> float:
    now = timezone.now()
    midnight = datetime(now.year, now.month, now.day, tzinfo=now.tzinfo) + timedelta(days=1)
    return (midnight - now).total_seconds()
