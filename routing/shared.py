"""What the processes of this service know together, through Redis.

Nothing here may delay or fail a reply: every call has an answer for "Redis is away", and after a
failure nobody asks again for a second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from django.conf import settings
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

log = logging.getLogger(__name__)

T = TypeVar("T")
_WAIT_S = 0.25
#: Prefix of all keys, beside Celery's in the same database.
PREFIX = "shadoweval"


class Shared:
    """The Redis client of the running event loop; open it inside that loop.

    After a failure nobody asks for `PAUSE_S`.
    """

    PAUSE_S = 1.0

    def __init__(self) -> None:
        self._redis: Redis | None = None
        self._limiter: SlidingWindowCounterRateLimiter | None = None
        self._not_before = 0.0
        self._is_away = False

    def open(self) -> None:
        """Make the client; it connects when it is first needed."""
        url = settings.REDIS_URL
        self._redis = Redis.from_url(url, socket_connect_timeout=_WAIT_S, socket_timeout=5)
        scheme = url.replace("unix://", "redis+unix://", 1) if url.startswith("unix:") else url
        pool = self._redis.connection_pool
        storage = RedisStorage(
            f"async+{scheme}",
            implementation="redispy",
            key_prefix=f"{PREFIX}:limit",
            connection_pool=pool,  # type: ignore[arg-type]  # its annotation leaves objects out
        )
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._not_before, self._is_away = 0.0, False

    async def close(self) -> None:
        """Close the connections."""
        if self._redis is not None:
            await self._redis.aclose()
        self._redis = self._limiter = None

    async def ask(self, work: Callable[[Redis], Awaitable[Any]], otherwise: T) -> T:
        """Return what the work on Redis gives, or `otherwise` when Redis does not answer."""
        redis = self._redis
        return otherwise if redis is None else await self._guard(lambda: work(redis), otherwise)

    async def limit(
        self, work: Callable[[SlidingWindowCounterRateLimiter], Awaitable[Any]], otherwise: T
    ) -> T:
        """Return what the work with the rate limiter gives; see `ask`."""
        limiter = self._limiter
        return otherwise if limiter is None else await self._guard(lambda: work(limiter), otherwise)

    async def _guard(self, work: Callable[[], Awaitable[Any]], otherwise: T) -> T:
        if time.monotonic() < self._not_before:
            return otherwise
        try:
            async with asyncio.timeout(_WAIT_S):
                result = await work()
        except Exception as exc:  # whatever a client library raises, the reply goes on
            self._not_before = time.monotonic() + self.PAUSE_S
            if not self._is_away:
                log.warning(
                    "Redis does not answer (%s): limits are open, conversations are not "
                    "remembered, idempotency keys do not count",
                    type(exc).__name__,
                )
            self._is_away = True
            return otherwise
        if self._is_away:
            log.warning("Redis answers again")
        self._is_away = False
        return cast("T", result)


shared = Shared()
