"""Clients: unique prompts at a steady rate, and a note of how each of them fared."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp

#: Prompts that a rule scores 0, and that a rule scores 1.
GREETING, CODE = "hello", "``` a ``` b ``` c ``` d ``` e ```"
MAX_TOKENS = 16
_MOST_IN_FLIGHT = 100
_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Reply:
    """How one prompt fared.

    Attributes:
        status: of the HTTP reply; 0 when there was none.
        failure: "" for a whole reply of status 200, else what the client saw.
        is_whole: the reply came to its end, whatever its status.
        began_s: when it was sent, monotonic.
        ended_s: when it ended, monotonic.
    """

    marker: str
    status: int
    failure: str
    is_whole: bool
    began_s: float
    ended_s: float
    request_id: str = ""
    tier: str = ""


class Load:
    """Asks from a thread of its own until it is stopped."""

    def __init__(
        self, url: str, key: str, name: str, per_s: float, most: int | None, padding: int = 0
    ) -> None:
        self.replies: list[Reply] = []
        self.sent = 0
        self._url, self._key, self._name = f"{url}/v1/messages", key, name
        self._per_s, self._most, self._padding = per_s, most, "x" * padding
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more, and wait for what is under way."""
        self._stopping.set()
        self._thread.join(_TIMEOUT_S * 2)
        assert not self._thread.is_alive(), "the load does not end"

    def join(self, limit_s: float = 120) -> None:
        """Wait until the wanted number of prompts has been answered."""
        self._thread.join(limit_s)
        assert not self._thread.is_alive(), "the load does not end"

    async def _run(self) -> None:
        connector = aiohttp.TCPConnector(limit=_MOST_IN_FLIGHT)
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        tasks: set[asyncio.Task[None]] = set()
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while not self._stopping.is_set() and self.sent != self._most:
                if len(tasks) < _MOST_IN_FLIGHT:
                    task = asyncio.create_task(self._ask(session, self.sent))
                    self.sent += 1
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                await asyncio.sleep(1 / self._per_s)
            await asyncio.gather(*tasks)

    async def _ask(self, session: aiohttp.ClientSession, number: int) -> None:
        marker = f"{self._name}-{number:06d}"
        body = {
            "model": "auto",
            "max_tokens": MAX_TOKENS,
            "system": f"marker {marker} please {self._padding}",
            "messages": [{"role": "user", "content": (GREETING, CODE)[number % 2]}],
            "stream": number % 3 == 0,
        }
        said: dict = {"marker": marker, "status": 0, "is_whole": False}
        began_s = time.monotonic()
        try:
            async with session.post(
                self._url, json=body, headers={"x-api-key": self._key}
            ) as response:
                said["status"] = response.status
                said["request_id"] = response.headers.get("x-shadoweval-request-id", "")
                said["tier"] = response.headers.get("x-shadoweval-tier", "")
                raw = await response.read()
            said |= _judged(response.status, raw, body["stream"])
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            said["failure"] = type(exc).__name__
        self.replies.append(Reply(**said, began_s=began_s, ended_s=time.monotonic()))


def _judged(status: int, raw: bytes, is_stream: bool) -> dict:
    """Tell whether a reply that came to its end is an answer."""
    if status != 200:
        return {"failure": f"status {status}", "is_whole": True}
    if not is_stream:
        is_message = json.loads(raw).get("type") == "message"
        return {"failure": "" if is_message else "no message", "is_whole": True}
    if b"event: message_stop" in raw:
        return {"failure": "", "is_whole": True}
    return {"failure": "broken stream", "is_whole": False}


@contextlib.contextmanager
def running(load: Load) -> Iterator[Load]:
    """Ask until the block ends."""
    load.start()
    try:
        yield load
    finally:
        load.stop()
