"""Anthropic's Messages API: pooled HTTP on the hot path, the SDK in workers."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import aiohttp
import anthropic

from routing.errors import InvalidRequest, ProviderError, ProviderUnreachable
from routing.types import Reply, TierSpec, Usage
from routing.wire.body import load

DEFAULT_URL = "https://api.anthropic.com"
#: For clients that name none; the SDK would put another one into the shadow call.
_VERSION = {"anthropic-version": "2023-06-01"}
#: The SDK insists on a key; servers that need none ignore it.
_NO_KEY = "no-key"
_CONNECT_TIMEOUT_S = 10
_LONGEST_RETRY_S = 86_400
_MOST_TOKENS = 1_000_000_000


def _key(spec: TierSpec) -> str:
    return os.environ.get(spec.key_name) or _NO_KEY if spec.key_name else _NO_KEY


def _retry_after_s(headers: Any) -> float | None:
    """Read the header; what is no time within a day is not believed."""
    try:
        seconds = float(headers.get("retry-after"))
    except (TypeError, ValueError):
        return None
    return seconds if 0 <= seconds <= _LONGEST_RETRY_S else None


def _reply(body: bytes, headers: Any, latency_ms: float) -> Reply:
    """Read the usage and the text out of a Messages response.

    Raises:
        ProviderUnreachable: when a 200 carries something else than a message that can be stored.
    """
    try:
        message = load(body)
        blocks = message["content"]
        text = "".join(block["text"] for block in blocks if block.get("type") == "text")
        usage = _usage(message.get("usage") or {})
    except (InvalidRequest, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ProviderUnreachable("the provider's reply is not a message") from exc
    return Reply(
        body=body,
        text=text,
        model=str(message.get("model", "")),
        stop_reason=str(message.get("stop_reason") or ""),
        usage=usage,
        latency_ms=latency_ms,
        headers={"request-id": headers["request-id"]} if "request-id" in headers else {},
    )


def _usage(said: dict[str, Any]) -> Usage:
    """Read the token counts; cache writes are split by how long the entries live.

    Raises:
        ValueError: when one is no count.
    """
    written = _count(said.get("cache_creation_input_tokens")) or 0
    for_an_hour = _count((said.get("cache_creation") or {}).get("ephemeral_1h_input_tokens")) or 0
    return Usage(
        input_tokens=_count(said.get("input_tokens")),
        output_tokens=_count(said.get("output_tokens")),
        cache_write_tokens=max(written - for_an_hour, 0),
        cache_write_1h_tokens=for_an_hour,
        cache_read_tokens=_count(said.get("cache_read_input_tokens")) or 0,
    )


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_TOKENS:
        raise ValueError("not a token count")
    return value


class AnthropicProvider:
    """Any server that speaks the Messages API; `base_url` names another than Anthropic's."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._clients: dict[tuple[str, str], anthropic.Anthropic] = {}

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session

    async def send(
        self, spec: TierSpec, payload: dict[str, Any], headers: dict[str, str], timeout_s: float
    ) -> Reply:
        """Post the body with the tier's model; see Provider.send."""
        url = f"{(spec.base_url or DEFAULT_URL).rstrip('/')}/v1/messages"
        body = json.dumps({"model": spec.model, **payload}, ensure_ascii=False).encode()
        sent = _VERSION | headers
        sent |= {"content-type": "application/json", "x-api-key": _key(spec)}
        timeout = aiohttp.ClientTimeout(total=timeout_s, connect=_CONNECT_TIMEOUT_S)
        start = time.perf_counter()
        try:
            async with self._pool().post(
                url, data=body, headers=sent, timeout=timeout, allow_redirects=False
            ) as response:
                raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            raise ProviderUnreachable(type(exc).__name__) from exc
        if 400 <= response.status <= 599:
            raise ProviderError(response.status, raw, _retry_after_s(response.headers))
        if response.status != 200:
            raise ProviderUnreachable(f"the provider answered {response.status}, not a message")
        return _reply(raw, response.headers, (time.perf_counter() - start) * 1000)

    def _client(self, spec: TierSpec) -> anthropic.Anthropic:
        where = (spec.base_url or DEFAULT_URL, _key(spec))
        if where not in self._clients:
            self._clients[where] = anthropic.Anthropic(
                base_url=where[0], api_key=where[1], max_retries=0
            )
        return self._clients[where]

    def ask(
        self, spec: TierSpec, payload: dict[str, Any], headers: dict[str, str], timeout_s: float
    ) -> Reply:
        """Create the message through the SDK; see Provider.ask."""
        known = {"max_tokens": payload["max_tokens"], "messages": payload["messages"]}
        rest = {key: value for key, value in payload.items() if key not in known}
        start = time.perf_counter()
        try:
            response = self._client(spec).messages.with_raw_response.create(
                model=spec.model,
                **known,
                extra_headers=_VERSION | headers,
                extra_body=rest,
                timeout=timeout_s,
            )
        except anthropic.APIStatusError as exc:
            raw = exc.response.content
            raise ProviderError(exc.status_code, raw, _retry_after_s(exc.response.headers)) from exc
        except anthropic.APIError as exc:
            raise ProviderUnreachable(type(exc).__name__) from exc
        latency_ms = (time.perf_counter() - start) * 1000
        return _reply(response.http_response.content, response.headers, latency_ms)

    async def close(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()
        for client in self._clients.values():
            client.close()
