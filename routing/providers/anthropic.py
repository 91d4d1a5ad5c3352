"""Anthropic's Messages API: pooled HTTP on the hot path, the SDK in workers."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qsl

import anthropic

from routing.errors import InvalidRequest, ProviderError, ProviderUnreachable
from routing.providers.base import count, key_of
from routing.providers.http import HttpProvider, Whole, passed_back, retry_after_s, with_query
from routing.types import Dialect, Outgoing, Reply, TierSpec, Usage
from routing.wire import shape
from routing.wire.body import load

DEFAULT_URL = "https://api.anthropic.com"
#: For clients that name none; the SDK would put another one into the shadow call.
_VERSION = {"anthropic-version": "2023-06-01"}


def _usage(said: dict[str, Any]) -> Usage:
    """Read the token counts; cache writes are split by how long the entries live.

    Raises:
        ValueError: when one is no count.
    """
    written = count(said.get("cache_creation_input_tokens")) or 0
    for_an_hour = count((said.get("cache_creation") or {}).get("ephemeral_1h_input_tokens")) or 0
    return Usage(
        input_tokens=count(said.get("input_tokens")),
        output_tokens=count(said.get("output_tokens")),
        cache_write_tokens=max(written - for_an_hour, 0),
        cache_write_1h_tokens=for_an_hour,
        cache_read_tokens=count(said.get("cache_read_input_tokens")) or 0,
    )


class AnthropicProvider(HttpProvider):
    """Any server that speaks the Messages API; `base_url` names another than Anthropic's."""

    dialect = Dialect.MESSAGES

    def __init__(self) -> None:
        super().__init__()
        self._clients: dict[tuple[str, str], anthropic.Anthropic] = {}

    def limit_field(self, spec: TierSpec) -> str:
        """Return `max_tokens`."""
        return "max_tokens"

    def url(self, spec: TierSpec, outgoing: Outgoing) -> str:
        """Return where messages are created."""
        return self._at(spec, outgoing, "/v1/messages")

    def _at(self, spec: TierSpec, outgoing: Outgoing, path: str) -> str:
        return with_query((spec.base_url or DEFAULT_URL).rstrip("/") + path, outgoing)

    def headers(self, spec: TierSpec, outgoing: Outgoing) -> dict[str, str]:
        """Return what is sent beside the body: the client's headers and our key."""
        ours = {"content-type": "application/json", "x-api-key": key_of(spec)}
        return _VERSION | outgoing.headers | ours

    async def count_tokens(self, spec: TierSpec, outgoing: Outgoing, timeout_s: float) -> Whole:
        """Return what the provider says of a prompt's length; raises as `send`."""
        url = self._at(spec, outgoing, "/v1/messages/count_tokens")
        return await self.pool.post(url, outgoing.body, self.headers(spec, outgoing), timeout_s)

    def read(self, body: bytes, headers: dict[str, str], latency_ms: float) -> Reply:
        """Read usage, text and state out of a Messages response; see Provider.read."""
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
            headers=headers,
            state_ids=shape.state_ids({"role": "assistant", "content": blocks}),
        )

    def _client(self, spec: TierSpec) -> anthropic.Anthropic:
        where = (spec.base_url or DEFAULT_URL, key_of(spec))
        if where not in self._clients:
            self._clients[where] = anthropic.Anthropic(
                base_url=where[0], api_key=where[1], max_retries=0
            )
        return self._clients[where]

    def ask(
        self,
        spec: TierSpec,
        payload: dict[str, Any],
        headers: dict[str, str],
        url_query: str,
        timeout_s: float,
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
                extra_query=dict(parse_qsl(url_query, keep_blank_values=True)),
                extra_body=rest,
                timeout=timeout_s,
            )
        except anthropic.APIStatusError as exc:
            raise ProviderError(
                exc.status_code, exc.response.content, retry_after_s(exc.response.headers)
            ) from exc
        except anthropic.APIError as exc:
            raise ProviderUnreachable(type(exc).__name__) from exc
        latency_ms = (time.perf_counter() - start) * 1000
        return self.read(response.http_response.content, passed_back(response.headers), latency_ms)

    async def close(self) -> None:
        """Close the pool and the SDK's clients."""
        await super().close()
        for client in self._clients.values():
            client.close()
