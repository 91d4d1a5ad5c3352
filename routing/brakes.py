"""What holds shadow calls back, by lane (who is asked): room, rate, pauses, a circuit breaker.

Room and breaker are this process's own. Calls per minute are counted, and pauses that a provider
asks for are known, by all processes through Redis. With Redis away each process takes its share of
the rate, and keeps its own pauses.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pybreaker
from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

from routing.errors import ProviderError, ProviderUnreachable
from routing.shared import PREFIX, Shared

log = logging.getLogger(__name__)

#: Failures of a provider in a row after which it is left alone, and for how long.
FAILURES = 10
TRIAL_AFTER_S = 30.0
LONGEST_PAUSE_S = 600.0
_LOOK_EVERY_S = 0.5
_SEEN_FOR_S = 60.0
_PAUSES = f"{PREFIX}:shadow:pauses"
_PROCESSES = f"{PREFIX}:shadow:processes"
_PAUSING = {429, 503, 529}
_STANDS = {
    pybreaker.STATE_CLOSED: 0.0,
    pybreaker.STATE_HALF_OPEN: 1.0,
    pybreaker.STATE_OPEN: 2.0,
}


@dataclass(frozen=True)
class Closed:
    """Why a call may not be made now, and after how many seconds to ask again."""

    reason: str
    wait_s: float


class _ProviderFailed(Exception):
    """Told to the breaker."""


@dataclass
class Lane:
    """What is known of one lane; times are seconds since the epoch, as other machines see them."""

    name: str
    trial_after_s: float
    in_flight: int = 0
    paused_until: float = 0.0
    storage: pybreaker.CircuitMemoryStorage = field(
        default_factory=lambda: pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)
    )
    breaker: pybreaker.CircuitBreaker = field(init=False)

    def __post_init__(self) -> None:
        """Make the breaker; whoever closes this one in hand is told by the storage."""
        self.breaker = pybreaker.CircuitBreaker(
            fail_max=FAILURES, reset_timeout=self.trial_after_s, state_storage=self.storage
        )

    def door(self) -> Closed | None:
        """Return why no call may begin now, or None."""
        if (wait_s := self.paused_until - time.time()) > 0:
            return Closed("paused: the provider asked to wait", wait_s)
        if self.breaker.current_state == pybreaker.STATE_OPEN:
            if (wait_s := self._until_trial_s()) > 0:
                return Closed("breaker: the provider fails again and again", wait_s)
            self.breaker.half_open()
        if self.breaker.current_state == pybreaker.STATE_HALF_OPEN and self.in_flight:
            return Closed("breaker: one call tries first", 1.0)
        if self.in_flight >= settings.SHADOWEVAL_SHADOW_LANE_CONCURRENCY:
            return Closed("busy: enough calls are under way", 1.0)
        return None

    def _until_trial_s(self) -> float:
        opened = self.storage.opened_at or datetime.fromtimestamp(0, UTC)
        return self.trial_after_s - (datetime.now(UTC) - opened).total_seconds()

    def room(self) -> int:
        """Return how many more calls may begin now."""
        if self.door():
            return 0
        if self.breaker.current_state == pybreaker.STATE_HALF_OPEN:
            return 1
        return settings.SHADOWEVAL_SHADOW_LANE_CONCURRENCY - self.in_flight

    def count(self, has_failed: bool) -> None:
        """Tell the breaker how a call ended; pybreaker itself cannot await one."""

        def end() -> None:
            if has_failed:
                raise _ProviderFailed

        was = self.breaker.current_state
        with suppress(_ProviderFailed, pybreaker.CircuitBreakerError):
            self.breaker.call(end)
        if self.breaker.current_state != was:
            log.warning("shadow calls to %s: breaker %s", self.name, self.breaker.current_state)


class Brakes:
    """The lanes of this process; made and used on one event loop, where `shared` is open."""

    def __init__(self, shared: Shared, trial_after_s: float = TRIAL_AFTER_S) -> None:
        self._shared = shared
        self._trial_after_s = trial_after_s
        self._lanes: dict[str, Lane] = {}
        self._looked_at = 0.0
        self._me = uuid4().hex
        self._processes = 1
        self._alone = SlidingWindowCounterRateLimiter(MemoryStorage())

    def lane(self, name: str) -> Lane:
        """Return a lane; unknown ones are new and open."""
        if name not in self._lanes:
            self._lanes[name] = Lane(name, self._trial_after_s)
        return self._lanes[name]

    def is_full(self) -> bool:
        """Return whether a lane has as many calls under way as it may."""
        most = settings.SHADOWEVAL_SHADOW_LANE_CONCURRENCY
        return any(lane.in_flight >= most for lane in self._lanes.values())

    def breakers(self) -> dict[tuple[str, ...], float]:
        """Return by lane how its breaker stands: 0 closed, 1 half open, 2 open."""
        return {(name,): _STANDS[lane.breaker.current_state] for name, lane in self._each()}

    def pauses_s(self) -> dict[tuple[str, ...], float]:
        """Return by lane for how long the provider still wants to be left alone."""
        now = time.time()
        return {(name,): max(lane.paused_until - now, 0.0) for name, lane in self._each()}

    def _each(self) -> list[tuple[str, Lane]]:
        return list(self._lanes.items())

    async def rooms(self) -> dict[str, int]:
        """Return how many calls may begin now, of each lane that is known."""
        await self._look()
        rooms = {}
        for name, lane in self._each():
            room = lane.room()
            rooms[name] = min(room, await self._left(name)) if room else 0
        return rooms

    def room_of_others(self) -> int:
        """Return the same for a lane that nobody asked yet."""
        most = settings.SHADOWEVAL_SHADOW_LANE_CONCURRENCY
        return min(most, settings.SHADOWEVAL_SHADOW_RPM or most)

    async def enter(self, name: str) -> Closed | None:
        """Count a call that begins, or return why it may not; whoever entered must leave."""
        lane = self.lane(name)
        if closed := lane.door():
            return closed
        lane.in_flight += 1
        if await self._hit(name):
            return None
        lane.in_flight -= 1
        return Closed("rate: enough calls this minute", 60.0 / settings.SHADOWEVAL_SHADOW_RPM)

    async def add(self, name: str, more: int) -> None:
        """Count calls that begin with one that entered, whatever the limits say of them."""
        self.lane(name).in_flight += more
        for _ in range(more):
            await self._hit(name)

    def drop(self, name: str, more: int) -> None:
        """Count that calls ended which were added."""
        self.lane(name).in_flight -= more

    async def leave(self, name: str, error: Exception | None) -> None:
        """Count a call that ended, and learn from its error."""
        lane = self.lane(name)
        lane.in_flight -= 1
        if error is None:
            lane.count(has_failed=False)
        elif isinstance(error, ProviderUnreachable):
            lane.count(has_failed=True)
        elif isinstance(error, ProviderError):
            lane.count(has_failed=error.status == 429 or error.status >= 500)
            if error.status in _PAUSING and error.retry_after_s:
                await self._pause(lane, min(error.retry_after_s, LONGEST_PAUSE_S))

    async def _pause(self, lane: Lane, wait_s: float) -> None:
        """Leave the lane alone for a while, in all processes."""
        until = time.time() + wait_s
        lane.paused_until = max(lane.paused_until, until)

        async def tell(redis: Redis) -> Any:
            async with redis.pipeline(transaction=False) as both:
                both.zadd(_PAUSES, {lane.name: until}, gt=True)
                both.expire(_PAUSES, int(LONGEST_PAUSE_S) + 60)
                return await both.execute()

        await self._shared.ask(tell, None)

    async def _look(self) -> None:
        """Learn of other processes and their pauses, twice a second at most."""
        if time.monotonic() - self._looked_at < _LOOK_EVERY_S:
            return
        self._looked_at = time.monotonic()
        now = time.time()

        async def ask(redis: Redis) -> Any:
            async with redis.pipeline(transaction=False) as all_:
                all_.zremrangebyscore(_PAUSES, 0, now)
                all_.zrange(_PAUSES, 0, -1, withscores=True)
                all_.zadd(_PROCESSES, {self._me: now})
                all_.zremrangebyscore(_PROCESSES, 0, now - _SEEN_FOR_S)
                all_.zcard(_PROCESSES)
                return await all_.execute()

        nothing: Any = None
        told = await self._shared.ask(ask, nothing)
        if told is None:
            return
        self._processes = max(int(told[4]), 1)
        for raw, until in told[1]:
            lane = self.lane(raw.decode(errors="replace"))
            lane.paused_until = max(lane.paused_until, min(until, now + LONGEST_PAUSE_S))

    # --- calls per minute

    async def _left(self, name: str) -> int:
        """Return how many calls this minute still takes."""
        rpm = settings.SHADOWEVAL_SHADOW_RPM
        if not rpm:
            return settings.SHADOWEVAL_SHADOW_LANE_CONCURRENCY
        item, nothing = RateLimitItemPerMinute(rpm), None
        told: Any = await self._shared.limit(
            lambda limiter: limiter.get_window_stats(item, "shadow", name), nothing
        )
        if told is None:
            told = self._alone.get_window_stats(self._share(rpm), name)
        return max(told.remaining, 0)

    async def _hit(self, name: str) -> bool:
        """Count a call, or return that there were enough."""
        rpm = settings.SHADOWEVAL_SHADOW_RPM
        if not rpm:
            return True
        item, nothing = RateLimitItemPerMinute(rpm), None
        told: Any = await self._shared.limit(
            lambda limiter: limiter.hit(item, "shadow", name), nothing
        )
        return self._alone.hit(self._share(rpm), name) if told is None else bool(told)

    def _share(self, rpm: int) -> RateLimitItemPerMinute:
        """Return this process's part of the rate, by how many there were when Redis last said."""
        return RateLimitItemPerMinute(max(rpm // self._processes, 1))
