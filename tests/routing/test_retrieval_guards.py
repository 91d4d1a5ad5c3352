"""What looking up must not cost others: time of the event loop, memory, money of who left."""

import asyncio
import threading
from types import SimpleNamespace

import httpx2 as httpx
import pytest

from routing import retrieving
from routing.types import ChatRequest, Dialect, Source
from routing.wire import sources
from routing.wire.body import LARGE_BYTES
from tests.routing import libraries

TURNS = [
    {"role": "user", "content": "When are invoices due in France?"},
    {"role": "assistant", "content": "Within 30 days."},
    {"role": "user", "content": "And in Germany?"},
]


def test_a_client_that_leaves_amid_a_rewrite_takes_the_cheap_call_with_it(
    project, point, service, api_key, provider, eventually, settings
):
    settings.SHADOWEVAL_REWRITE_TIMEOUT_S = 20
    provider.first_byte_s = 10
    libraries.put(project)
    point("anthropic:slow-first-byte")
    body = {"messages": TURNS, "collection": "terms"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            service + "/api/v1/route", json=body, headers={"x-api-key": api_key}, timeout=0.3
        )
    eventually(lambda: provider.cancelled == 1)


@pytest.mark.parametrize(("length", "on_loop"), [(LARGE_BYTES, False), (100, True)])
def test_large_contexts_are_put_into_prompts_off_the_loop(length, on_loop, monkeypatch):
    """A plain one is not worth a thread."""
    threads, put = [], sources.with_sources

    def noted(*args):
        threads.append(threading.current_thread())
        return put(*args)

    monkeypatch.setattr(sources, "with_sources", noted)
    payload = {"messages": [{"role": "user", "content": "When?"}]}
    request = ChatRequest(
        payload, "When?", "auto", length=length, context=(Source(1, "Now."),),
        dialect=Dialect.MESSAGES,
    )  # fmt: skip
    asyncio.run(retrieving.prepare(request, 1, SimpleNamespace()))
    assert [one is threading.main_thread() for one in threads] == [on_loop]


def test_who_gives_up_on_a_search_leaves_no_body_in_the_queue(monkeypatch):
    kept = []

    async def run(within_s, work, *args):
        kept.extend(args)
        raise TimeoutError

    monkeypatch.setattr(retrieving, "_searchers", SimpleNamespace(run=run))
    opened = SimpleNamespace(strategy="bm25", k=3)
    monkeypatch.setattr(retrieving, "shelf", SimpleNamespace(get=lambda *_: opened))
    payload = {"messages": [{"role": "user", "content": "When?"}], "tools": ["x" * 1000]}
    request = ChatRequest(payload, "When?", "auto", collection="terms")
    with pytest.raises(retrieving.ServiceUnavailable):
        asyncio.run(retrieving.prepare(request, 1, SimpleNamespace()))
    assert kept
    assert not any(isinstance(one, ChatRequest) for one in kept)
