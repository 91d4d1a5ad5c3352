"""Threads for what routers do, so that no request waits for another's router.

A router's code may hang, for ever if it is a plug-in's: then only so many are kept waiting for it,
and plug-ins have threads of their own. None of them keeps the process from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from routing.errors import RouterError
from routing.routers.base import Router
from routing.types import Score

T = TypeVar("T")
#: More than two threads get through before anybody's time is up, at some milliseconds each.
MOST_WAITING = 500
_THREADS = 2


class Hands:
    """Two threads, and a queue with an end."""

    def __init__(self, name: str, most_waiting: int = MOST_WAITING) -> None:
        self._name, self._most_waiting = name, most_waiting
        self._turns: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._begun = self._waiting = 0

    async def run(self, within_s: float, work: Callable[..., T], *args: Any) -> T:
        """Return what the work gives.

        Raises:
            RouterError: at once, when too many wait already.
            TimeoutError: when its time is up; it is not begun then, or ends unseen.
            Exception: what the work raises.
        """
        self._enter()
        given_up = threading.Event()

        def turn() -> T:
            self._leave()
            if given_up.is_set():
                raise TimeoutError  # which nobody sees
            return work(*args)

        said: Future[T] = Future()
        self._turns.put((said, turn))
        running = asyncio.wrap_future(said)
        running.add_done_callback(_see)
        try:
            # Shielded: a turn that is cancelled would stay in the queue, and be counted no more.
            return await asyncio.wait_for(asyncio.shield(running), within_s)
        finally:
            given_up.set()

    def _enter(self) -> None:
        with self._lock:
            if self._waiting >= self._most_waiting:
                raise RouterError("too many wait for a router")
            while self._begun < _THREADS:
                # The end of the process waits for an executor's threads, but not for daemons.
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
                self._begun += 1
            self._waiting += 1

    def _work(self) -> None:
        while True:
            _take(*self._turns.get())

    def _leave(self) -> None:
        with self._lock:
            self._waiting -= 1


def _take(said: Future[Any], turn: Callable[[], Any]) -> None:
    if not said.set_running_or_notify_cancel():
        return
    try:
        said.set_result(turn())
    except BaseException as exc:
        said.set_exception(exc)
    finally:
        del said  # its error holds this frame: a knot that only the collector undoes


def _see(done: asyncio.Future[Any]) -> None:
    """Take note of an error that nobody waits for: the loop would log its text."""
    if not done.cancelled():
        done.exception()


class Pools:
    """Hands for our own routers, and others for plug-ins'."""

    def __init__(self, name: str) -> None:
        self._ours, self._others = Hands(name), Hands(f"{name}-plug-in")

    def of(self, router: Any) -> Hands:
        """Return the hands that a router may keep busy."""
        return self._ours if getattr(router, "is_trusted", False) else self._others


def scored(router: Router, query: str) -> Score:
    """Return a router's score, where a plug-in's code runs: not even SystemExit ends the service.

    Raises:
        RouterError: whatever the router raises.
    """
    try:
        return router.score(query)
    except BaseException as exc:
        raise RouterError(type(exc).__name__) from exc
