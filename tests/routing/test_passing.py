"""Small things of HTTP that clients and providers rely on pass as they are."""

import json

import httpx2 as httpx
import pytest

from routing.models import Completion, Request
from routing.wire import sse

ASKED = {"model": "auto", "max_tokens": 20, "messages": [{"role": "user", "content": "Why?"}]}


@pytest.fixture
def send(service, api_key):
    """Return a function that posts as a client does."""

    def post(path="/v1/messages", **body):
        headers = {"x-api-key": api_key}
        return httpx.post(service + path, json={**ASKED, **body}, headers=headers, timeout=20)

    return post


@pytest.mark.parametrize("query", ["?a=%7e%2F+b%20c", "?x=1&x=2", "?a=[1]|;%ff", "?beta=true"])
def test_the_query_is_the_clients(query, point, send, provider):
    point()
    send("/v1/messages" + query)
    assert provider.last.path == "/v1/messages" + query


def test_cookies_of_one_call_are_not_sent_with_another(point, send, provider):
    point()
    provider.play(_message(), headers={"set-cookie": "sid=first"})
    assert "set-cookie" not in send().headers
    send()
    assert "cookie" not in provider.last.headers


def _message(**more):
    usage = {"input_tokens": 1, "output_tokens": 1}
    return json.dumps(
        {"content": [{"type": "text", "text": "hi"}], "usage": usage, **more}
    ).encode()


def test_a_wait_given_as_a_date_passes(point, send, provider):
    point()
    date = "Wed, 21 Oct 2026 07:28:00 GMT"
    provider.play(b"{}", headers={"retry-after": date}, status=429)
    assert send().headers["retry-after"] == date


@pytest.mark.parametrize(
    "body", [{"error": {"message": "odd"}}, {"choices": []}, {"id": 1, "choices": "x"}]
)
def test_a_reply_of_an_unknown_shape_passes_and_is_no_evidence(
    body, point, send, provider, eventually
):
    point("openai:small", "openai:large", rate=1.0)
    provider.play(json.dumps(body).encode())
    got = send("/v1/chat/completions")
    assert (got.status_code, got.json()) == (200, body)
    row = eventually(lambda: Request.objects.first())
    assert row.error.startswith("not_understood")
    assert row.shadow_job.state == "skipped"
    assert not Completion.objects.exists()


def test_a_chat_answer_in_parts_is_read(point, send, provider, eventually):
    point("openai:small", "openai:large")
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    choice = {"index": 0, "message": {"role": "assistant", "content": parts}}
    provider.play(json.dumps({"choices": [{**choice, "finish_reason": "stop"}]}).encode())
    assert send("/v1/chat/completions").status_code == 200
    assert eventually(lambda: Completion.objects.first()).text == "a\nb"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_last_event_without_its_empty_line_is_whole(path, point, send, provider, eventually):
    from tests.routing.conformance.provider import ANTHROPIC, OPENAI

    kind, wire = ("anthropic", ANTHROPIC) if "messages" in path else ("openai", OPENAI)
    point(f"{kind}:small", f"{kind}:large")
    events = wire.events({**ASKED, "model": "large", "stream_options": {"include_usage": True}})
    events[-1] = events[-1][:-1]
    provider.play(events, "text/event-stream")
    got = send(path, stream=True, stream_options={"include_usage": True})
    assert got.content == b"".join(events)
    assert not eventually(lambda: Completion.objects.first()).is_partial


def test_a_comment_first_does_not_hide_an_error(point, send, provider):
    point(threshold=1.01)
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    events = [b": PROCESSING\n\n", sse.write(json.dumps(error), "error")]
    provider.play(events, "text/event-stream")
    assert send(stream=True).headers["x-shadoweval-reason"] == "fallback"
