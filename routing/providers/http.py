"""Pooled HTTP to providers on the hot path: one whole reply, or a stream of events."""

from __future__ import annotations

import asyncio
import re
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp

from routing.errors import ProviderError, ProviderUnreachable
from routing.providers.base import EventStream
from routing.types import Outgoing, Reply, TierSpec
from routing.wire import sse

_CONNECT_TIMEOUT_S = 10
_LONGEST_RETRY_S = 86_400
#: An event larger than this is no event: nobody keeps a stream of it in memory.
_MOST_EVENT_BYTES = 64_000_000
_LOST = (aiohttp.ClientError, TimeoutError, OSError, ValueError)
#: Of one connection, of the provider's own site, or ours: not part of what it answered.
_KEPT_BACK = re.compile(
    r"connection|keep-alive|transfer-encoding|content-(length|encoding|type)|date|server|trailer"
    r"|te|upgrade|proxy-.*|set-cookie2?|alt-svc|strict-transport-security|via|x-shadoweval-.*"
)


@dataclass(frozen=True)
class Whole:
    """A reply of status 200, read to its end."""

    body: bytes
    headers: dict[str, str]


def passed_back(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the provider's headers that the client gets too, names in lower case."""
    kept: dict[str, str] = {}
    for name, value in ((name.lower(), value) for name, value in headers.items()):
        if not _KEPT_BACK.fullmatch(name):
            kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept


def with_query(url: str, outgoing: Outgoing) -> str:
    """Return the address with what followed the question mark of the client's."""
    return f"{url}?{outgoing.url_query}" if outgoing.url_query else url


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read the header; what is no time within a day is not believed."""
    try:
        seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 <= seconds <= _LONGEST_RETRY_S else None


class Events:
    """The events of a stream that has begun, each as its bytes came.

    Attributes:
        headers: of the reply, those that the client gets too.
    """

    def __init__(self, response: aiohttp.ClientResponse, idle_s: float) -> None:
        self._response = response
        self._idle_s = idle_s
        self._splitter = sse.Splitter()
        self._waiting: list[bytes] = []
        self.headers = passed_back(response.headers)

    @classmethod
    async def begin(cls, response: aiohttp.ClientResponse, idle_s: float) -> Events:
        """Wait for the first whole event: until then another model can still be asked."""
        events = cls(response, idle_s)
        while not events._waiting:
            if not await events._more():
                raise ProviderUnreachable("the stream ended before its first event")
        return events

    def peek(self) -> bytes:
        """Return the first event without taking it."""
        return self._waiting[0]

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
            async with asyncio.timeout(self._idle_s):
                chunk = await self._response.content.readany()
        except _LOST as exc:
            raise ProviderUnreachable(f"the stream broke off: {type(exc).__name__}") from exc
        self._waiting += self._splitter.feed(chunk)
        if len(self._splitter.rest) > _MOST_EVENT_BYTES:
            raise ProviderUnreachable("the stream has no end of event")
        return bool(chunk)

    def hurry(self, idle_s: float) -> None:
        """Wait no longer than this for what still comes."""
        self._idle_s = idle_s

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
                    raw = await response.read()
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
                        _check(response, await response.read())
                    raise ProviderUnreachable("the provider answered with something else")
                return await Events.begin(response, idle_s)
        except BaseException as exc:
            if response is not None:
                response.close()
            if isinstance(exc, _LOST):
                raise ProviderUnreachable(type(exc).__name__) from exc
            raise

    async def _send(self, url: str, body: bytes, headers: dict[str, str]) -> aiohttp.ClientResponse:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S)
        return await self._opened().post(
            url, data=body, headers=headers, timeout=timeout, allow_redirects=False
        )

    async def close(self) -> None:
        """Close what is open."""
        if self._session is not None:
            await self._session.close()


def _check(response: aiohttp.ClientResponse, raw: bytes) -> None:
    if 400 <= response.status <= 599:
        kept = passed_back(response.headers)
        kind = response.headers.get("content-type", "application/json")
        raise ProviderError(response.status, raw, retry_after_s(response.headers), kept, kind)
    if response.status != 200:
        raise ProviderUnreachable(f"the provider answered {response.status}, not a message")


class HttpProvider(ABC):
    """The hot-path half of a provider; the vendor's file says where, with what, and how to read."""

    def __init__(self) -> None:
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

    async def send(self, spec: TierSpec, outgoing: Outgoing, timeout_s: float) -> Reply:
        """Post the body; see Provider.send."""
        url, headers = self.url(spec, outgoing), self.headers(spec, outgoing)
        start = time.perf_counter()
        whole = await self.pool.post(url, outgoing.body, headers, timeout_s)
        return self.read(whole.body, whole.headers, (time.perf_counter() - start) * 1000)

    async def stream(
        self, spec: TierSpec, outgoing: Outgoing, timeout_s: float, idle_s: float
    ) -> EventStream:
        """Post the body of a streaming request; see Provider.stream."""
        url, headers = self.url(spec, outgoing), self.headers(spec, outgoing)
        return await self.pool.open_stream(url, outgoing.body, headers, timeout_s, idle_s)

    async def close(self) -> None:
        """Close the pool."""
        await self.pool.close()
