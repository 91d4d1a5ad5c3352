"""Anthropic's Messages API: pooled HTTP on the hot path, the SDK in workers."""

from __future__ import annotations

from typing import Any

from routing.errors import StrangeReply
from routing.providers.base import STRANGE, count, key_of, loaded
from routing.providers.http import HttpProvider, Whole, with_query
from routing.types import Dialect, Outgoing, Reply, TierSpec, Usage
from routing.wire import shape


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
    default_url = "https://api.anthropic.com"
    sdk_name = "anthropic"
    #: For clients that name none; the SDK would put another one into the shadow call.
    headers_always = {"anthropic-version": "2023-06-01"}

    def limit_field(self, spec: TierSpec) -> str:
        """Return `max_tokens`."""
        return "max_tokens"

    def url(self, spec: TierSpec, outgoing: Outgoing) -> str:
        """Return where messages are created."""
        return self._at(spec, outgoing, "/v1/messages")

    def _at(self, spec: TierSpec, outgoing: Outgoing, path: str) -> str:
        return with_query((spec.base_url or self.default_url).rstrip("/") + path, outgoing)

    def headers(self, spec: TierSpec, outgoing: Outgoing) -> dict[str, str]:
        """Return what is sent beside the body: the client's headers and our key."""
        ours = {"content-type": "application/json", "x-api-key": key_of(spec)}
        return self.headers_always | outgoing.headers | ours

    async def count_tokens(self, spec: TierSpec, outgoing: Outgoing, timeout_s: float) -> Whole:
        """Return what the provider says of a prompt's length; raises as `send`."""
        url = self._at(spec, outgoing, "/v1/messages/count_tokens")
        return await self.pool.post(url, outgoing.body, self.headers(spec, outgoing), timeout_s)

    def read(self, body: bytes, headers: dict[str, str], latency_ms: float) -> Reply:
        """Read usage, text and state out of a Messages response; see Provider.read."""
        message = loaded(body)
        try:
            blocks = message["content"]
            text = "".join(block["text"] for block in blocks if block.get("type") == "text")
            usage = _usage(message.get("usage") or {})
        except STRANGE as exc:
            raise StrangeReply("the provider's reply is not a message", body, headers) from exc
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

    def make_client(self, url: str, key: str) -> Any:
        """Return the SDK's client, which tries once: the shadow job counts the attempts."""
        http = self._http_client()
        return self.sdk.AsyncAnthropic(base_url=url, api_key=key, max_retries=0, http_client=http)

    async def create(self, client: Any, model: str, payload: dict[str, Any], **more: Any) -> Any:
        """Create the message through the SDK."""
        known = {name: payload[name] for name in ("max_tokens", "messages")}
        rest = {name: value for name, value in payload.items() if name not in known}
        return await client.messages.with_raw_response.create(
            model=model, **known, extra_body=rest, **more
        )
