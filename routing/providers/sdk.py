"""Calls from workers: the vendor's own SDK, over aiohttp, many at once on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any, ClassVar
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

import aiohttp

from routing import tracing
from routing.errors import NotConnected, ProviderError, ProviderUnreachable
from routing.providers.base import key_of
from routing.providers.headers import passed_back, retry_after_s
from routing.types import Reply, TierSpec


class SdkCalls(ABC):
    """What the vendors' SDKs have in common; they are made by one generator, and alike.

    Clients are kept, with their connections, for as long as their event loop: they belong to it.
    """

    default_url: str
    sdk_name: ClassVar[str]
    headers_always: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], Any]] = (
            WeakKeyDictionary()
        )

    @property
    def sdk(self) -> Any:
        """The vendor's module, imported when first asked: it takes 50 MB that web can spare."""
        return import_module(self.sdk_name)

    @abstractmethod
    def make_client(self, url: str, key: str) -> Any:
        """Return an async client of the vendor's SDK, which tries once."""

    @abstractmethod
    async def create(self, client: Any, model: str, payload: dict[str, Any], **more: Any) -> Any:
        """Ask through the SDK; return its raw response."""

    @abstractmethod
    def read(self, body: bytes, headers: dict[str, str], latency_ms: float) -> Reply:
        """Return a reply's bytes as a reply; see Provider.read."""

    @tracing.call
    async def ask(
        self,
        spec: TierSpec,
        payload: dict[str, Any],
        headers: dict[str, str],
        url_query: str,
        timeout_s: float,
    ) -> Reply:
        """Ask through the SDK; see Provider.ask."""
        more = {
            "extra_headers": self.headers_always | headers,
            "extra_query": parse_qs(url_query, keep_blank_values=True),
            "timeout": timeout_s,
        }
        start = time.perf_counter()
        async with self._asking(timeout_s):
            response = await self.create(self._client(spec), spec.model, payload, **more)
        latency_ms = (time.perf_counter() - start) * 1000
        return self.read(response.http_response.content, passed_back(response.headers), latency_ms)

    def probe(self, spec: TierSpec, timeout_s: float) -> None:
        """List the models; see Provider.probe."""
        asyncio.run(self._probe(spec, timeout_s))

    async def _probe(self, spec: TierSpec, timeout_s: float) -> None:
        try:
            async with self._asking(timeout_s):
                await self._client(spec).models.list(timeout=timeout_s)
        finally:
            await self.close_clients()

    def _client(self, spec: TierSpec) -> Any:
        mine = self._clients.setdefault(asyncio.get_running_loop(), {})
        where = (spec.base_url or self.default_url, key_of(spec))
        if where not in mine:
            mine[where] = self.make_client(*where)
        return mine[where]

    def _http_client(self) -> Any:
        """Return the SDK's own client over aiohttp; no redirect carries a key elsewhere."""
        return self.sdk.DefaultAioHttpClient(follow_redirects=False)

    @contextlib.asynccontextmanager
    async def _asking(self, timeout_s: float) -> AsyncIterator[None]:
        """Turn the SDK's errors into ours, and bound the whole call: its timeout is per read.

        Raises:
            ProviderError: when the provider answered with an error.
            ProviderUnreachable: when no whole answer came.
        """
        try:
            async with asyncio.timeout(timeout_s):
                yield
        except self.sdk.APIStatusError as exc:
            said = exc.response
            wait_s = retry_after_s(said.headers)
            raise ProviderError(exc.status_code, said.content, wait_s) from exc
        except self.sdk.APIError as exc:
            kind = NotConnected if _is_unconnected(exc) else ProviderUnreachable
            raise kind(type(exc).__name__) from exc
        except TimeoutError as exc:
            raise ProviderUnreachable("APITimeoutError") from exc

    async def close_clients(self) -> None:
        """Close the running event loop's clients."""
        for client in self._clients.pop(asyncio.get_running_loop(), {}).values():
            await client.close()


def _is_unconnected(error: BaseException) -> bool:
    """Return whether an SDK's error comes from a connection that never was."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, aiohttp.ClientConnectorError):
        cause = cause.__cause__
    return cause is not None
