"""Pooled HTTP to providers on the hot path: one whole reply, or a stream of events."""

from __future__ import annotations

import asyncio
import math
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import lru_cache

import aiohttp
from yarl import URL

from routing import tracing
from routing.errors import ProviderError, ProviderUnreachable
from routing.providers.base import EventStream
from routing.providers.headers import passed_back, retry_after_s
from routing.providers.sdk import SdkCalls
from routing.types import Outgoing, Reply, TierSpec
from routing.wire import sse

#: Only of connecting: how long the rest may take is the caller's to say.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10)
#: An answer or an event larger than this is none: nobody keeps it in memory.
_MOST_BYTES = 64_000_000
_LOST = (aiohttp.ClientError, TimeoutError, OSError, ValueError)


@dataclass(frozen=True)
class Whole:
    """A reply of status 200, read to its end."""

    body: bytes
    headers: dict[str, str]


def with_query(url: str, outgoing: Outgoing) -> str:
    """Return the address with what followed the question mark of the client's."""
    return f"{url}?{outgoing.url_query}" if outgoing.url_query else url


class Events:
    """The events of a stream that has begun, each as its bytes came.

    Attributes:
        headers: of the reply, those that the client gets too.
    """

    def __init__(self, response: aiohttp.ClientResponse, idle_s: float) -> None:
        self._response = response
        self._idle_s = idle_s
        self._deadline = math.inf
        self._splitter = sse.Splitter()
        self._waiting: list[bytes] = []
        self.headers = passed_back(response.headers)

    @classmethod
    async def begin(cls, response: aiohttp.ClientResponse, idle_s: float) -> Events:
        """Wait for the first event that says something: until then another model can be asked."""
        events = cls(response, idle_s)
        while events.peek() is None:
            if not await events._more():
                raise ProviderUnreachable("the stream ended before its first event")
        return events

    def peek(self) -> bytes | None:
        """Return the first event with data without taking it; None when there is none yet."""
        return next((raw for raw in self._waiting if b"data" in raw), None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Give each event as soon as it is whole.

        Raises:
            ProviderUnreachable: when the connection breaks, ends amid an event or falls silent.
        """
        while True:
            waiting, self._waiting = self._waiting, []
            for event in waiting:
                yield event
            if not await self._more():
                break
        rest = self._splitter.rest
        if rest.endswith((b"\n", b"\r")) and rest.strip():
            yield rest  # an event without its empty line: what it says is there
        elif rest.strip():
            raise ProviderUnreachable("the stream ended in the middle of an event")

    async def _more(self) -> bool:
        """Read one chunk; return False at the end of the stream."""
        try:
            async with asyncio.timeout(min(self._idle_s, self._deadline - time.monotonic())):
                chunk = await self._response.content.readany()
        except _LOST as exc:
            raise ProviderUnreachable(f"the stream broke off: {type(exc).__name__}") from exc
        self._waiting += self._splitter.feed(chunk)
        if len(self._splitter) > _MOST_BYTES:
            raise ProviderUnreachable("the stream has no end of event")
        return bool(chunk)

    def hurry(self, within_s: float) -> None:
        """Take what still comes within this time, and no more."""
        self._deadline = min(self._deadline, time.monotonic() + within_s)

    def close(self) -> None:
        """Cut the connection: a provider that still generates learns that nobody listens."""
        self._response.close()


class Pool:
    """Connections that are kept alive; made inside the running event loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),  # one client's cookies are not another's
                max_field_size=65_536,
                max_line_size=65_536,
            )
        return self._session

    async def post(self, url: str, body: bytes, headers: dict[str, str], timeout_s: float) -> Whole:
        """Post and read the reply to its end.

        Raises:
            ProviderError: when the status is 400 or above.
            ProviderUnreachable: when no whole reply of status 200 came.
        """
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._send(url, body, headers)
                async with response:
                    raw = await _read(response)
        except _LOST as exc:
            raise ProviderUnreachable(type(exc).__name__) from exc
        _check(response, raw)
        return Whole(raw, passed_back(response.headers))

    async def open_stream(
        self, url: str, body: bytes, headers: dict[str, str], timeout_s: float, idle_s: float
    ) -> Events:
        """Post and return the stream when its first event is there; raises as `post`.

        `timeout_s` is until the first event, `idle_s` between two chunks after it.
        """
        headers = {**headers, "accept": "text/event-stream", "accept-encoding": "identity"}
        response = None
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._send(url, body, headers)
                if response.status != 200 or response.content_type != "text/event-stream":
                    async with response:
                        _check(response, await _read(response))
                    raise ProviderUnreachable("the provider answered with something else")
                return await Events.begin(response, idle_s)
        except BaseException as exc:
            if response is not None:
                response.close()
            if isinstance(exc, _LOST):
                raise ProviderUnreachable(type(exc).__name__) from exc
            raise

    async def _send(self, url: str, body: bytes, headers: dict[str, str]) -> aiohttp.ClientResponse:
        return await self._opened().post(
            _url(url),
            data=body,
            headers=headers,
            timeout=_TIMEOUT,
            allow_redirects=False,
        )

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()


@lru_cache(maxsize=1000)
def _url(url: str) -> URL:
    """Read an address, the same few all the time."""
    return URL(url, encoded=True)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the body; one that unpacks to more than any answer has is given up."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_BYTES:
            raise ProviderUnreachable("the provider's reply has no end")
    return b"".join(pieces)


def _check(response: aiohttp.ClientResponse, raw: bytes) -> None:
    if 400 <= response.status <= 599:
        kept = passed_back(response.headers)
        kind = response.headers.get("content-type", "application/json")
        raise ProviderError(response.status, raw, retry_after_s(response.headers), kept, kind)
    if response.status != 200:
        raise ProviderUnreachable(f"the provider answered {response.status}, not a message")


class HttpProvider(SdkCalls):
    """What all providers behind HTTP share: pooled calls on the hot path, the SDK in workers.

    The vendor's file says where, with what, and how a reply is read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool()

    @abstractmethod
    def url(self, spec: TierSpec, outgoing: Outgoing) -> str:
        """Return where to post."""

    @abstractmethod
    def headers(self, spec: TierSpec, outgoing: Outgoing) -> dict[str, str]:
        """Return what is sent beside the body, the key included."""

    @abstractmethod
    def read(self, body: bytes, headers: dict[str, str], latency_ms: float) -> Reply:
        """Return a reply's bytes as a reply; see Provider.read."""

    @tracing.call
    async def send(self, spec: TierSpec, outgoing: Outgoing, timeout_s: float) -> Reply:
        """Post the body; see Provider.send."""
        url, headers = self.url(spec, outgoing), self.headers(spec, outgoing)
        start = time.perf_counter()
        whole = await self.pool.post(url, outgoing.body, headers, timeout_s)
        return self.read(whole.body, whole.headers, (time.perf_counter() - start) * 1000)

    @tracing.call
    async def stream(
        self, spec: TierSpec, outgoing: Outgoing, timeout_s: float, idle_s: float
    ) -> EventStream:
        """Post the body of a streaming request; see Provider.stream."""
        url, headers = self.url(spec, outgoing), self.headers(spec, outgoing)
        return await self.pool.open_stream(url, outgoing.body, headers, timeout_s, idle_s)

    async def close(self) -> None:
        """Close the running event loop's connections."""
        await self.pool.close()
        await self.close_clients()
