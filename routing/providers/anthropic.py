"""Anthropic's Messages API: pooled HTTP on the hot path, the SDK in workers, message batches."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from routing.errors import ProviderUnreachable, StrangeReply
from routing.providers.base import STRANGE, Entry, count, key_of, loaded
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
        return self.sdk.AsyncAnthropic(
            base_url=url,
            api_key=key,
            max_retries=0,
            http_client=http,
            # `tracing` traces: the SDK would tell the vendor of our trace, and may tell texts.
            open_telemetry={"traces": False, "propagation": False},
        )

    async def create(self, client: Any, model: str, payload: dict[str, Any], **more: Any) -> Any:
        """Create the message through the SDK."""
        known = {name: payload[name] for name in ("max_tokens", "messages")}
        rest = {name: value for name, value in payload.items() if name not in known}
        return await client.messages.with_raw_response.create(
            model=model, **known, extra_body=rest, **more
        )

    # --- message batches

    async def submit_batch(
        self, spec: TierSpec, payloads: Mapping[str, dict[str, Any]], timeout_s: float
    ) -> str:
        """Create a message batch; see Batches.submit_batch."""
        requests = [
            {"custom_id": name, "params": {"model": spec.model, **payload}}
            for name, payload in payloads.items()
        ]
        async with self._asking(timeout_s):
            made = await self._batches(spec).create(requests=requests, timeout=timeout_s)
        return str(made.id)

    async def is_batch_over(self, spec: TierSpec, batch_id: str, timeout_s: float) -> bool:
        """Return whether processing has ended; see Batches.is_batch_over."""
        async with self._asking(timeout_s):
            found = await self._batches(spec).retrieve(batch_id, timeout=timeout_s)
        return bool(found.processing_status == "ended")

    async def batch_entries(self, spec: TierSpec, batch_id: str, timeout_s: float) -> list[Entry]:
        """Read the results; see Batches.batch_entries."""
        async with self._asking(timeout_s):
            results = await self._batches(spec).results(batch_id, timeout=timeout_s)
            return [self._entry(line) async for line in results]

    async def batches_since(self, spec: TierSpec, since: datetime, timeout_s: float) -> list[str]:
        """List batches, newest first until one is older; see Batches.batches_since."""
        found: list[str] = []
        async with self._asking(timeout_s):
            async for batch in self._batches(spec).list(limit=100, timeout=timeout_s):
                if batch.created_at < since:
                    break
                found.insert(0, batch.id)
        return found

    def _batches(self, spec: TierSpec) -> Any:
        return self._client(spec).messages.batches

    def _entry(self, line: Any) -> Entry:
        result = line.result
        if result.type == "errored":
            return Entry(line.custom_id, "errored", None, str(result.error.error.type))
        if result.type != "succeeded":
            return Entry(line.custom_id, str(result.type))
        try:
            reply = self.read(result.message.to_json().encode(), {}, 0.0)
        except ProviderUnreachable:
            reply = None
        return Entry(line.custom_id, "succeeded", reply)
