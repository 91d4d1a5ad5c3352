"""How much this process has to do, and what gives way: shadow work first, clients last.

Shadow calls are shed by the same draw that samples them, and the job keeps the smaller rate: the
pairs that are left stand for the others, so estimates stay right.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings

from routing.errors import Overloaded
from routing.live import live

log = logging.getLogger(__name__)

#: Of the shadow calls that are due, those made while there is too much to do.
KEPT_SHARE = 0.1
#: Calls in flight, as a share of the most that are taken, at which shadow work gives way.
_BUSY_SHARE = 0.8
_LESS = 0.7
_LOOK_S = 0.1
_SLOWLY = 0.2


@dataclass
class Load:
    """What one process is doing.

    Attributes:
        in_flight: routed calls that are being served.
        late_s: how late the event loop comes, smoothed.
        refused: calls that were turned away.
    """

    in_flight: int = 0
    late_s: float = 0.0
    refused: int = 0
    _was_busy: bool = False

    @contextlib.contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a call while it is served.

        Raises:
            Overloaded: when there are too many already.
        """
        if self.in_flight >= settings.SHADOWEVAL_CONCURRENCY:
            self.refused += 1
            raise Overloaded(
                "The service has too much to do at this moment; send the request again shortly.",
                random.uniform(1, 3),  # noqa: S311 - so that not all come back at once
            )
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    @property
    def is_busy(self) -> bool:
        """Whether shadow work has to give way; once it does, until there is clearly less to do."""
        part = _LESS if self._was_busy else 1.0
        return (
            self.in_flight > part * _BUSY_SHARE * settings.SHADOWEVAL_CONCURRENCY
            or 1000 * self.late_s > part * settings.SHADOWEVAL_SHADOW_LATE_MS
            or live.snapshot.backlog > part * settings.SHADOWEVAL_SHADOW_BACKLOG
        )

    def kept_share(self) -> float:
        """Return the share of due shadow calls that are made now."""
        is_busy = self.is_busy
        if is_busy is not self._was_busy:
            log.warning(
                "shadow work %s: %d calls in flight, %d shadow jobs waiting, loop %.0f ms late",
                "gives way" if is_busy else "is back",
                self.in_flight,
                live.snapshot.backlog,
                self.late_s * 1000,
            )
        self._was_busy = is_busy
        return KEPT_SHARE if is_busy else 1.0

    async def watch(self) -> None:
        """Measure how late the event loop comes, until cancelled."""
        while True:
            start = time.monotonic()
            await asyncio.sleep(_LOOK_S)
            late_s = max(time.monotonic() - start - _LOOK_S, 0.0)
            self.late_s += _SLOWLY * (late_s - self.late_s)


load = Load()
