"""A provider on loopback that fails as often as it is told, and counts its calls by marker.

Every prompt carries `marker <word>`; a call is known by that word and by the model that was asked.
Which calls fail, and how, follows from a hash: the same run again fails alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from aiohttp import web

from tests.routing.conformance.provider import ANTHROPIC

MARKER = re.compile(rb"marker ([a-z0-9-]+)")
#: The ways to fail, in equal parts: a status, or a dropped connection (of a stream: amid it).
FAULTS = ("500", "529", "dropped")
RETRY_AFTER_S = "1"
OK = "ok"


class Key(NamedTuple):
    """Who was asked, and for which prompt."""

    marker: str
    model: str


@dataclass
class Provider:
    """What tests see of the stand-in, and how they tell it to behave.

    Attributes:
        delay_s: shortest and longest wait of a model's answer; a hash spreads them.
        failure_rate: the share of calls that fail.
        calls: how often each key was asked.
        outcomes: how each of those calls ended, in order of their ends.
    """

    url: str = ""
    delay_s: dict[str, tuple[float, float]] = field(default_factory=dict)
    failure_rate: float = 0.0
    calls: Counter[Key] = field(default_factory=Counter)
    outcomes: dict[Key, list[str]] = field(default_factory=dict)

    @property
    def answered(self) -> int:
        """How many calls have got their answer."""
        return sum(ended.count(OK) for ended in list(self.outcomes.values()))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call, or fail it."""
        body = await request.read()
        asked = json.loads(body)
        key = Key(MARKER.search(body)[1].decode(), asked["model"])
        self.calls[key] += 1
        lot = _lot(key, self.calls[key])
        outcome = "gone"
        try:
            low, high = self.delay_s.get(key.model, (0.02, 0.1))
            await asyncio.sleep(low + (high - low) * lot)
            response, outcome = await self._reply(request, asked, _lot(key, -self.calls[key]))
            return response
        finally:
            self.outcomes.setdefault(key, []).append(outcome)

    async def _reply(
        self, request: web.Request, asked: dict, lot: float
    ) -> tuple[web.StreamResponse, str]:
        if lot < self.failure_rate:
            return await self._fail(
                request, asked, FAULTS[int(lot / self.failure_rate * len(FAULTS))]
            )
        if not asked.get("stream"):
            return web.json_response(ANTHROPIC.reply(asked)), OK
        response = await _begun(request, ANTHROPIC.events(asked))
        await response.write_eof()
        return response, OK

    async def _fail(
        self, request: web.Request, asked: dict, fault: str
    ) -> tuple[web.StreamResponse, str]:
        if fault != "dropped":
            headers = {"retry-after": RETRY_AFTER_S} if fault == "529" else {}
            said = ANTHROPIC.error(int(fault))
            return web.json_response(said, status=int(fault), headers=headers), fault
        response: web.StreamResponse = web.Response()
        if asked.get("stream"):
            response = await _begun(request, ANTHROPIC.events(asked)[:4])
            await asyncio.sleep(0.02)  # what was written must leave before the connection goes
        request.transport.abort()
        return response, fault


async def _begun(request: web.Request, events: list[bytes]) -> web.StreamResponse:
    """Write the events of a stream that does not end yet."""
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for event in events:
        await response.write(event)
    return response


def _lot(key: Key, nth: int) -> float:
    """Return a number in [0, 1) that only depends on the call."""
    digest = hashlib.sha256(f"{key.marker}|{key.model}|{nth}".encode()).hexdigest()
    return int(digest[:12], 16) / 16**12


@contextlib.contextmanager
def running() -> Iterator[Provider]:
    """Serve until the block ends."""
    provider, loop, ready = Provider(), asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(target=_serve, args=(provider, loop, ready), daemon=True)
    thread.start()
    if not ready.wait(10):
        raise RuntimeError("the stand-in did not start")
    try:
        yield provider
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _serve(provider: Provider, loop: asyncio.AbstractEventLoop, ready: threading.Event) -> None:
    asyncio.set_event_loop(loop)
    app = web.Application()
    app.router.add_post("/v1/messages", provider.answer)
    runner = web.AppRunner(
        app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1, handle_signals=False
    )
    loop.run_until_complete(runner.setup())
    # A burst of hundreds of new connections must not wait for the kernel's short queue.
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    loop.run_until_complete(site.start())
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    ready.set()
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(runner.cleanup())
        loop.close()
