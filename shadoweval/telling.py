"""What the processes of a service tell each other of their figures, so that one answers for all.

Each writes its own into one Redis hash every few seconds; who is asked for metrics reads them. What
a process that ended has left there is dropped after `FRESH_S`.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from redis import Redis

from routing import gauges
from routing.gauges import Told
from routing.shared import PREFIX

log = logging.getLogger(__name__)

EVERY_S = 5.0
FRESH_S = 30.0
_KEY = f"{PREFIX}:figures"
_WAIT_S = 1.0


class Teller:
    """Tells this process's figures from a thread of its own until stopped."""

    def __init__(self, kind: str) -> None:
        self.name = name_of(kind)
        self._is_over = threading.Event()
        self._is_away = False
        self._thread = threading.Thread(target=self._run, name="figures", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        global _me
        _me = self.name
        self._thread.start()

    def stop(self) -> None:
        """Tell nothing more, and take back what was told."""
        self._is_over.set()
        self._thread.join(2 * _WAIT_S)

    def _run(self) -> None:
        with _redis() as redis:
            while not self._is_over.is_set():
                self._try(tell, redis)
                self._is_over.wait(EVERY_S)
            self._try(untell, redis)

    def _try(self, work: Callable[[Redis, str], None], redis: Redis) -> None:
        """Do it; of Redis that is away say so once."""
        try:
            work(redis, self.name)
        except Exception as exc:
            if not self._is_away:
                log.warning("figures cannot be told to others: %s", type(exc).__name__)
            self._is_away = True
        else:
            self._is_away = False


_STARTED = time.time()
gauges.register("started_timestamp_seconds", "When a process began.", lambda: _STARTED)
gauges.register(
    "peak_memory_bytes",
    "The most memory that a process ever had.",
    lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
)
gauges.register_by(
    "cpu_seconds",
    "CPU time of a process.",
    (),
    lambda: {(): time.process_time()},
    gauges.Kind.COUNTER,
)

_me = ""


def name_of(kind: str) -> str:
    """Return what a process of a kind is called: unlike any other on any machine."""
    return f"{kind}@{socket.gethostname()}:{os.getpid()}"


def me() -> str:
    """Return what this process is called."""
    return _me or name_of("process")


def tell(redis: Redis, name: str) -> None:
    """Write this process's figures where the others look."""
    redis.hset(_KEY, name, json.dumps([time.time(), gauges.told(gauges.values())]))


def untell(redis: Redis, name: str) -> None:
    """Take back what a process told."""
    redis.hdel(_KEY, name)


def heard() -> dict[str, dict[str, Told]]:
    """Return the figures of every process by its name; this one's as they are now.

    With Redis away, this one's alone.
    """
    mine = {me(): gauges.told(gauges.values())}
    try:
        with _redis() as redis:
            return _fresh(redis) | mine
    except Exception as exc:
        log.warning("figures of other processes cannot be read: %s", type(exc).__name__)
        return mine


def _fresh(redis: Redis) -> dict[str, dict[str, Told]]:
    found: dict[str, dict[str, Told]] = {}
    rows: dict[bytes, bytes] = redis.hgetall(_KEY)  # type: ignore[assignment]
    for name, said in rows.items():
        at, figures = json.loads(said)
        if abs(time.time() - at) <= FRESH_S:
            found[name.decode()] = figures
        else:
            redis.hdel(_KEY, name)
    return found


def _redis() -> Redis:
    url: Any = settings.REDIS_URL
    return Redis.from_url(url, socket_connect_timeout=_WAIT_S, socket_timeout=_WAIT_S)
