"""OpenAI's Chat Completions API, and every server that speaks it (vLLM, Ollama, ...).

Pooled HTTP on the hot path, the SDK in workers. The base URL ends before `/chat/completions`,
as in OpenAI's own clients.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from routing.errors import StrangeReply
from routing.providers.base import STRANGE, count, key_of, loaded
from routing.providers.http import HttpProvider, with_query
from routing.types import Dialect, Outgoing, Reply, TierSpec, Usage
from routing.wire import shape
from routing.wire.body import text_of


def _usage(said: dict[str, Any]) -> Usage:
    """Read the token counts; what came out of a cache is counted apart.

    Raises:
        ValueError: when one is no count.
    """
    prompt = count(said.get("prompt_tokens"))
    cached = count((said.get("prompt_tokens_details") or {}).get("cached_tokens")) or 0
    return Usage(
        input_tokens=None if prompt is None else max(prompt - cached, 0),
        output_tokens=count(said.get("completion_tokens")),
        cache_read_tokens=cached,
    )


class OpenAIProvider(HttpProvider):
    """OpenAI, or another server at `base_url`."""

    dialect = Dialect.CHAT
    default_url = "https://api.openai.com/v1"
    sdk_name = "openai"

    def limit_field(self, spec: TierSpec) -> str:
        """Return the limit's name: OpenAI's newer models know only one, other servers the other."""
        host = urlsplit(spec.base_url or self.default_url).hostname
        return "max_completion_tokens" if host == "api.openai.com" else "max_tokens"

    def url(self, spec: TierSpec, outgoing: Outgoing) -> str:
        """Return where completions are created."""
        base = (spec.base_url or self.default_url).rstrip("/")
        return with_query(f"{base}/chat/completions", outgoing)

    def headers(self, spec: TierSpec, outgoing: Outgoing) -> dict[str, str]:
        """Return what is sent beside the body: the client's headers and our key."""
        ours = {"content-type": "application/json", "authorization": f"Bearer {key_of(spec)}"}
        return outgoing.headers | ours

    def read(self, body: bytes, headers: dict[str, str], latency_ms: float) -> Reply:
        """Read usage, text and state out of a chat completion; see Provider.read."""
        completion = loaded(body)
        try:
            choice = completion["choices"][0]
            message = choice["message"]
            text = text_of(message.get("content") or message.get("refusal") or "")
            usage = _usage(completion.get("usage") or {})
            state = shape.state_ids({**message, "role": "assistant"})
        except STRANGE as exc:
            what = "the provider's reply is not a chat completion"
            raise StrangeReply(what, body, headers) from exc
        return Reply(
            body=body,
            text=text,
            model=str(completion.get("model", "")),
            stop_reason=str(choice.get("finish_reason") or ""),
            usage=usage,
            latency_ms=latency_ms,
            headers=headers,
            dialect=Dialect.CHAT,
            state_ids=state,
        )

    def make_client(self, url: str, key: str) -> Any:
        """Return the SDK's client, which tries once: the shadow job counts the attempts."""
        http = self._http_client()
        return self.sdk.AsyncOpenAI(base_url=url, api_key=key, max_retries=0, http_client=http)

    async def create(self, client: Any, model: str, payload: dict[str, Any], **more: Any) -> Any:
        """Create the completion through the SDK."""
        known = {"messages": payload["messages"]}
        rest = {name: value for name, value in payload.items() if name not in known}
        return await client.chat.completions.with_raw_response.create(
            model=model, **known, extra_body=rest, **more
        )
