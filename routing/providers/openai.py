"""OpenAI's Chat Completions API, and every server that speaks it (vLLM, Ollama, ...).

Pooled HTTP on the hot path, the SDK in workers. The base URL ends before `/chat/completions`,
as in OpenAI's own clients.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import openai

from routing.errors import InvalidRequest, ProviderError, ProviderUnreachable
from routing.providers.base import count, key_of
from routing.providers.http import HttpProvider, passed_back, retry_after_s, with_query
from routing.types import Dialect, Outgoing, Reply, TierSpec, Usage
from routing.wire import shape
from routing.wire.body import load

DEFAULT_URL = "https://api.openai.com/v1"


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

    def __init__(self) -> None:
        super().__init__()
        self._clients: dict[tuple[str, str], openai.OpenAI] = {}

    def limit_field(self, spec: TierSpec) -> str:
        """Return the limit's name: OpenAI's newer models know only one, other servers the other."""
        host = urlsplit(spec.base_url or DEFAULT_URL).hostname
        return "max_completion_tokens" if host == "api.openai.com" else "max_tokens"

    def url(self, spec: TierSpec, outgoing: Outgoing) -> str:
        """Return where completions are created."""
        base = (spec.base_url or DEFAULT_URL).rstrip("/")
        return with_query(f"{base}/chat/completions", outgoing)

    def headers(self, spec: TierSpec, outgoing: Outgoing) -> dict[str, str]:
        """Return what is sent beside the body: the client's headers and our key."""
        ours = {"content-type": "application/json", "authorization": f"Bearer {key_of(spec)}"}
        return outgoing.headers | ours

    def read(self, body: bytes, headers: dict[str, str], latency_ms: float) -> Reply:
        """Read usage, text and state out of a chat completion; see Provider.read."""
        try:
            completion = load(body)
            choice = completion["choices"][0]
            message = choice["message"]
            text = message.get("content") or message.get("refusal") or ""
            usage = _usage(completion.get("usage") or {})
            state = shape.state_ids({**message, "role": "assistant"})
        except (InvalidRequest, ValueError, LookupError, TypeError, AttributeError) as exc:
            raise ProviderUnreachable("the provider's reply is not a chat completion") from exc
        if not isinstance(text, str):
            raise ProviderUnreachable("the provider's reply is not a text")
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

    def _client(self, spec: TierSpec) -> openai.OpenAI:
        where = (spec.base_url or DEFAULT_URL, key_of(spec))
        if where not in self._clients:
            self._clients[where] = openai.OpenAI(base_url=where[0], api_key=where[1], max_retries=0)
        return self._clients[where]

    def ask(
        self,
        spec: TierSpec,
        payload: dict[str, Any],
        headers: dict[str, str],
        url_query: str,
        timeout_s: float,
    ) -> Reply:
        """Create the completion through the SDK; see Provider.ask."""
        rest = {key: value for key, value in payload.items() if key != "messages"}
        start = time.perf_counter()
        try:
            response = self._client(spec).chat.completions.with_raw_response.create(
                model=spec.model,
                messages=payload["messages"],
                extra_headers=headers,
                extra_query=dict(parse_qsl(url_query, keep_blank_values=True)),
                extra_body=rest,
                timeout=timeout_s,
            )
        except openai.APIStatusError as exc:
            raise ProviderError(
                exc.status_code, exc.response.content, retry_after_s(exc.response.headers)
            ) from exc
        except openai.APIError as exc:
            raise ProviderUnreachable(type(exc).__name__) from exc
        latency_ms = (time.perf_counter() - start) * 1000
        return self.read(response.http_response.content, passed_back(response.headers), latency_ms)

    async def close(self) -> None:
        """Close the pool and the SDK's clients."""
        await super().close()
        for client in self._clients.values():
            client.close()
