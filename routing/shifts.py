"""Shadow calls of one process, hundreds at once, on one event loop that lives as long as it.

A shift claims jobs while there is room, asks, and hands the outcomes to a writer that writes them
in groups. The database is asked from two threads, one for claims and one for outcomes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

from routing import alternatives, gauges, outcomes, shadow, shadowcall
from routing.brakes import Brakes, Closed
from routing.outcomes import End, Outcome
from routing.shadowjob import Job
from routing.shared import Shared

log = logging.getLogger(__name__)

T = TypeVar("T")
#: A shift ends after this time, so that its task is never taken for a lost one.
SHIFT_S = 20.0
#: Between two claims, and between two writes: nobody waits for them, and larger ones cost less.
_REST_S = 0.05
#: When nothing was due: a lane may open again, a job's time may come.
_LOOK_AGAIN_S = 1.0
_GROUP = 200
_RETRY_S = 0.5
_AWAY = (OperationalError, InterfaceError)
_count_call = gauges.counted(
    "shadow_calls", "Shadow calls by the tier that was asked and how they ended.", "tier", "outcome"
)


class Crew:
    """The calls of one process. Made, and used, on one event loop."""

    def __init__(self, shared: Shared) -> None:
        self.brakes = Brakes(shared)
        self._calls: set[asyncio.Task[None]] = set()
        self._ended: list[End] = []
        self._writing: asyncio.Task[None] | None = None
        self._being_written = 0
        self._is_busy = self._is_nudged = self._is_hungry = self._is_stopping = False
        self._wake = asyncio.Event()
        self._claims = ThreadPoolExecutor(1, "shadow-claims")
        self._writes = ThreadPoolExecutor(1, "shadow-writes")

    @property
    def in_hand(self) -> int:
        """Jobs that are claimed and whose outcome is not written yet."""
        return len(self._calls) + len(self._ended) + self._being_written

    def stop(self) -> None:
        """Claim nothing more; what is in hand still ends."""
        self._is_stopping = True
        self._wake.set()

    async def shift(self) -> int:
        """Claim and ask until nothing is due or in hand, or the time is over.

        A second one at the same time only makes the first look again, so that all share one bound.

        Returns:
            How many jobs were claimed, or are still in hand.
        """
        self._is_nudged = True
        self._wake.set()
        if self._is_busy:
            return 0
        self._is_busy = True
        try:
            return await self._work(time.monotonic() + SHIFT_S)
        finally:
            self._is_busy = False
            alternatives.close()
            for threads in (self._claims, self._writes):
                await _in(threads, _close)

    async def _work(self, end: float) -> int:
        had = 0
        while True:
            self._wake.clear()
            self._is_nudged = False
            found = 0 if self._is_stopping else await self._claim()
            had += found
            if not (found or self.in_hand or self._is_nudged):
                return had
            if time.monotonic() >= end and not self._is_stopping:
                return had + self.in_hand
            await self._pause()

    async def _pause(self) -> None:
        """Wait until another claim makes sense."""
        if self._is_hungry:
            await asyncio.sleep(_REST_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), _LOOK_AGAIN_S)

    async def _claim(self) -> int:
        """Claim as much as there is room for, and begin the calls; return how many."""
        room = settings.SHADOWEVAL_SHADOW_CONCURRENCY - self.in_hand
        self._is_hungry = True
        if room <= 0:
            return 0
        rooms, others = await self.brakes.rooms(), self.brakes.room_of_others()
        try:
            jobs = await _in(self._claims, shadow.claim, room, rooms, others)
        except _AWAY as exc:
            log.warning("no shadow jobs without the database: %s", type(exc).__name__)
            return 0
        for job in jobs:
            call = asyncio.create_task(self._call(job))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        self._is_hungry = bool(jobs) or self.brakes.is_full()
        return len(jobs)

    async def _call(self, job: Job) -> None:
        """Ask for one job, and hand its outcome to the writer."""
        lane = job.spec.lane
        if closed := await self.brakes.enter(lane):
            outcome = _not_asked(closed)
        else:
            await self.brakes.add(lane, job.calls - 1)
            outcome, error = await shadowcall.make(job)
            self.brakes.drop(lane, job.calls - 1)
            await self.brakes.leave(lane, error)
        _count_call(job.tier.value, _how(outcome))
        self._ended.append((job, outcome))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        """Write what has ended, until nothing is left."""
        while self._ended:
            group, self._ended = self._ended[:_GROUP], self._ended[_GROUP:]
            self._being_written = len(group)
            await self._write_group(group)
            self._being_written = 0
            if self._is_hungry or not self.in_hand:
                self._wake.set()
            await asyncio.sleep(_REST_S)

    async def _write_group(self, group: list[End]) -> None:
        """Write a group; a database that is away is waited for until others have the jobs."""
        give_up = time.monotonic() + shadow.LEASE_MARGIN_S
        while True:
            try:
                return await _in(self._writes, outcomes.finish, group)
            except _AWAY as exc:
                log.warning("shadow outcomes wait for the database: %s", type(exc).__name__)
            except Exception as exc:
                log.error("%d shadow outcomes are lost: %s", len(group), type(exc).__name__)
                return None
            if time.monotonic() > give_up:
                log.error("%d shadow outcomes are lost: the database is away", len(group))
                return None
            await asyncio.sleep(_RETRY_S)


async def _in(threads: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:
    """Return what the work on the database gives, done in a thread."""

    def run() -> T:
        try:
            return work(*args)
        except _AWAY:
            connection.close()
            raise

    return await asyncio.get_running_loop().run_in_executor(threads, run)


def _close() -> None:
    """Give this thread's connection back."""
    connection.close()


def _not_asked(closed: Closed) -> Outcome:
    return Outcome(
        reason=closed.reason, retryable=True, retry_after_s=closed.wait_s, was_asked=False
    )


def _how(outcome: Outcome) -> str:
    """Return in a word how a call ended."""
    if outcome.reply is not None:
        return "answered"
    if not outcome.was_asked:
        return "put_off"
    return "failed" if outcome.is_possible else "impossible"


# --- the process's loop -------------------------------------------------------------------


class _Host:
    """One event loop in a thread of its own, with its crew."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = _new_loop()
        threading.Thread(target=self.loop.run_forever, name="shadow", daemon=True).start()
        self.crew: Crew = self.call(self._open()).result()

    async def _open(self) -> Crew:
        shared = Shared()
        shared.open()
        return Crew(shared)

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine on the loop; return its future."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)


def _new_loop() -> asyncio.AbstractEventLoop:
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


_host: _Host | None = None
_making = threading.Lock()


def _hosted() -> _Host:
    """Return this process's loop; a forked child has none of its parent's threads."""
    global _host
    with _making:
        if _host is None or _host.pid != os.getpid():
            _host = _Host()
        return _host


def _crew() -> Crew | None:
    """Return this process's crew if it has one."""
    return _host.crew if _host is not None and _host.pid == os.getpid() else None


def _read(figure: Callable[[Crew], gauges.Samples]) -> Callable[[], gauges.Samples]:
    """Return how to read a figure where there is a crew; elsewhere there is none to read."""
    return lambda: figure(crew) if (crew := _crew()) is not None else {}


_FIGURES: tuple[tuple[str, str, tuple[str, ...], Callable[[Crew], gauges.Samples]], ...] = (
    (
        "shadow_calls_in_hand",
        "Shadow jobs claimed whose outcome is not written yet.",
        (),
        lambda crew: {(): crew.in_hand},
    ),
    (
        "breaker_state",
        "Circuit breaker of shadow calls: 0 closed, 1 half open, 2 open.",
        ("lane",),
        lambda crew: crew.brakes.breakers(),
    ),
    (
        "lane_paused_seconds",
        "How long shadow calls still wait because the provider asked to.",
        ("lane",),
        lambda crew: crew.brakes.pauses_s(),
    ),
)
for _name, _meaning, _labels, _figure in _FIGURES:
    gauges.register_by(_name, _meaning, _labels, _read(_figure))


def run() -> int:
    """Work one shift; blocking. Safe to run anywhere, any number of times at once.

    Returns:
        How many jobs it claimed, or left in hand when its time was over; 0: nothing is due, or
        another shift of this process does the work.
    """
    host = _hosted()
    result: int = host.call(host.crew.shift()).result()
    return result


def stop() -> None:
    """Claim nothing more in this process; shifts under way end with their calls."""
    if _host is not None and _host.pid == os.getpid():
        _host.loop.call_soon_threadsafe(_host.crew.stop)


def drain(within_s: float) -> None:
    """Stop, and wait for the calls in hand; what is not there in time comes back by its lease."""
    stop()
    if _host is None or _host.pid != os.getpid():
        return
    with suppress(TimeoutError):
        _host.call(_host.crew.shift()).result(within_s)
