"""One process, two doors: the hot routes on a thin application, everything else Django."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shadoweval.settings")

from django.conf import settings
from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from reviews import frames  # noqa: E402
from routing import call, gauges, providers, serving, tasks, tasktypes, tracing  # noqa: E402
from routing.connection import Connection  # noqa: E402
from routing.indexes import shelf  # noqa: E402
from routing.live import live  # noqa: E402
from routing.overload import load  # noqa: E402
from routing.recording import Recorder  # noqa: E402
from routing.shared import shared  # noqa: E402
from shadoweval.telling import Teller  # noqa: E402

log = logging.getLogger(__name__)

# WhiteNoise hands out local files by plain iterators; they are short.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous", Warning)

_NUDGE_EVERY_S = 0.25
#: At the end, a first reading of frames is waited for this long.
_WARM_S = 10.0
#: Collections of 50,000 young objects were seen to take 90 ms; of 5,000, some ms.
_COLLECT_AFTER = (5_000, 10, 100)


class Nudge:
    """Tells the workers that jobs are waiting; a lost nudge costs seconds, never a job.

    Runs in a thread of its own: a broker that is away must not hold up the writing of records.
    """

    def __init__(self) -> None:
        self._wanted = threading.Event()
        threading.Thread(target=self._run, name="nudge", daemon=True).start()

    def __call__(self) -> None:
        """Ask for a nudge soon."""
        self._wanted.set()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                tasks.run_shadow_jobs.apply_async(retry=False, expires=30)
            except Exception as exc:
                log.warning("no broker, the beat will find the jobs: %s", type(exc).__name__)
            time.sleep(_NUDGE_EVERY_S)


class Application:
    """The ASGI application: lifespan, hot routes, Django."""

    def __init__(self) -> None:
        self._recorder: Recorder | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one ASGI scope."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] == "http" and _is_of_api(scope["path"]):
            await self._api(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == "/readyz":
            await _tell_readiness(scope, receive, send)
        else:
            await django_application(scope, receive, send)

    async def _api(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve what applications ask: the hot routes here, the others in Django."""
        connection = Connection(scope, receive, send)
        if serving.route_of(connection) is not None:
            assert self._recorder is not None, "the server must run the lifespan protocol"
            await serving.handle(connection, self._recorder)
        elif not connection.path.startswith("/api/"):
            await serving.not_found(connection)
        elif not await serving.limit_cold(connection):
            await django_application(scope, receive, send)

    async def _lifespan(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        scope.get("state", {})["is_ready"] = _is_ready  # for shadoweval.web
        try:
            await asyncio.to_thread(live.start)
        except Exception as exc:
            message = f"cannot read policies from the database: {type(exc).__name__}: {exc}"
            await send({"type": "lifespan.startup.failed", "message": message})
            return
        shelf.start()
        await asyncio.to_thread(tasktypes.warm)
        self._recorder = Recorder(on_written=Nudge())
        self._recorder.start()
        _recorders[:] = [self._recorder]
        shared.open()
        teller = Teller("web")
        teller.start()
        tracing.start(teller.name, settings.SHADOWEVAL_OTLP_URL)
        watching = asyncio.create_task(load.watch(), name="load")
        _spare_the_collector()
        await send({"type": "lifespan.startup.complete"})
        warming = asyncio.create_task(asyncio.to_thread(frames.warm))
        await receive()
        watching.cancel()
        await call.finish()
        await self._recorder.stop()
        await providers.close_all()
        await asyncio.to_thread(live.stop)
        await asyncio.to_thread(shelf.stop)
        await asyncio.wait({warming}, timeout=_WARM_S)
        await asyncio.to_thread(teller.stop)
        await asyncio.to_thread(tracing.stop)
        await shared.close()
        await send({"type": "lifespan.shutdown.complete"})


def _is_of_api(path: str) -> bool:
    return path.startswith(("/v1/", "/api/")) or path in serving.ASTRAY


def _is_ready() -> bool:
    return live.has_read


async def _tell_readiness(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Say whether new requests should come here; without Django, which refuses a strange Host."""
    problem = "" if live.snapshot.ramps else "no policy known"
    if not live.has_read:
        problem = "the database was not reached yet"
    if scope.get("state", {}).get("draining"):  # shadoweval.web says so
        problem = "draining"
    body = f'{{"status": "{problem or "ok"}"}}'.encode()
    status = 503 if problem else 200
    await Connection(scope, receive, send).reply(status, body, "application/json", {})


def _spare_the_collector() -> None:
    """Have the garbage collector leave alone what was loaded, and come less often.

    Requests free their objects by reference; walking hundreds of those under way finds nothing.
    """
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):  # glibc's: give back what loading needed
        ctypes.CDLL(None).malloc_trim(0)
    gc.set_threshold(*_COLLECT_AFTER)


application = Application()

#: Of the application that serves.
_recorders: list[Recorder] = []


def _sum(read: Callable[[Recorder], float]) -> Callable[[], float]:
    return lambda: sum(map(read, _recorders))


for _name, _meaning, _read in (
    ("calls_in_flight", "Routed calls being served.", lambda: load.in_flight),
    ("calls_refused", "Calls turned away for overload.", lambda: load.refused),
    ("loop_late_seconds", "How late the event loop comes, smoothed.", lambda: load.late_s),
    ("records_waiting", "Records not in Postgres yet.", _sum(lambda it: it.waiting)),
    ("records_lost", "Replies that found no room anywhere.", _sum(lambda it: it.lost)),
    ("journal_bytes", "Size of a process's journal.", _sum(lambda it: it.journal.size_bytes)),
    (
        "journal_refused",
        "Records the journal had no room for.",
        _sum(lambda it: it.journal.refused),
    ),
):
    gauges.register(_name, _meaning, _read)
