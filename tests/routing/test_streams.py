"""Streams: passed on as they come, recorded as what they add up to, never half of a pair."""

import contextlib
import json

import httpx2 as httpx
import pytest

from routing import shifts
from routing.models import Completion, Request, ShadowJob, ShadowPair
from routing.wire import sse
from tests.routing.conftest import ALL_CHEAP

ASKED = {"model": "auto", "max_tokens": 20, "messages": [{"role": "user", "content": "Why?"}]}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}


def job():
    return ShadowJob.objects.select_related("request").first()


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
def test_a_streamed_answer_becomes_half_of_a_pair(kind, point, claude, eventually, provider):
    point(f"{kind}:small", f"{kind}:large", rate=1.0)
    with claude.messages.stream(**ASKED) as stream:
        text = stream.get_final_text()
    eventually(lambda: job() is not None)
    assert (job().state, job().tier) == ("pending", "cheap")
    assert shifts.run() == 1
    pair = ShadowPair.objects.get()
    assert (pair.expensive.text, pair.request.is_stream) == (text, True)
    assert pair.expensive.output_tokens == pair.cheap.output_tokens > 0
    assert "stream" not in provider.last.json


def test_a_client_that_leaves_takes_the_providers_call_with_it(
    point, service, api_key, provider, eventually
):
    point(rate=1.0)
    provider.gap_s = 0.2
    headers = {"x-api-key": api_key}
    with httpx.stream(
        "POST", service + "/v1/messages", json={**ASKED, "stream": True}, headers=headers
    ) as response:
        for line in response.iter_lines():
            if "text_delta" in line:
                break
    eventually(lambda: provider.cancelled == 1)
    row = eventually(lambda: Request.objects.first())
    assert row.error.startswith("client_left")
    assert (job().state, job().reason.split(":")[0]) == ("skipped", "partial")
    completion = Completion.objects.get()
    assert (completion.is_partial, completion.output_tokens, completion.cost_usd) == (
        True,
        None,
        None,
    )
    assert completion.text
    assert not ShadowPair.objects.exists()


def test_a_client_that_leaves_before_the_answer_is_recorded(
    point, service, api_key, provider, eventually
):
    point("anthropic:slow-first-byte", "anthropic:slow-first-byte", rate=1.0)
    provider.first_byte_s = 10
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            service + "/v1/messages", json=ASKED, headers={"x-api-key": api_key}, timeout=0.5
        )
    eventually(lambda: provider.cancelled == 1)
    row = eventually(lambda: Request.objects.first())
    assert (row.status, row.error.split(":")[0]) == (499, "client_left")
    assert job().reason.startswith("no_reply")


@pytest.mark.parametrize("fault", ["cut", "stall", "malformed"])
def test_an_answer_that_breaks_off_is_kept_as_partial(
    fault, point, service, api_key, eventually, settings
):
    settings.SHADOWEVAL_STREAM_IDLE_TIMEOUT_S = 0.3
    point(expensive=f"anthropic:{fault}", rate=1.0)
    headers = {"x-api-key": api_key}
    got = httpx.post(
        service + "/v1/messages", json={**ASKED, "stream": True}, headers=headers, timeout=20
    )
    splitter = sse.Splitter()
    events = [sse.read(raw) for raw in splitter.feed(got.content)]
    assert (splitter.rest, events[-1].name) == (b"", "error")
    assert json.loads(events[-1].data)["error"]["type"] == "api_error"
    row = eventually(lambda: Request.objects.first())
    assert row.error.startswith(("provider_cut", "provider_malformed"))
    assert job().reason.startswith("partial")
    assert Completion.objects.get().is_partial


def test_a_cheap_stream_that_begins_with_an_error_is_replaced(point, claude, provider):
    point(threshold=ALL_CHEAP)
    provider.play([sse.write(json.dumps(OVERLOADED), "error")], "text/event-stream")
    with claude.messages.stream(**ASKED) as stream:
        assert stream.get_final_text()
        headers = stream.response.headers
    assert headers["x-shadoweval-reason"] == "fallback"
    assert [seen.json["model"] for seen in provider.seen] == ["small", "large"]


def test_a_whole_answer_to_a_stream_is_no_stream(point, claude, provider):
    point(threshold=ALL_CHEAP)
    provider.play(b"{}", "application/json")
    with claude.messages.stream(**ASKED) as stream:
        assert stream.get_final_text()
    assert [seen.json["model"] for seen in provider.seen] == ["small", "large"]


def test_a_stream_that_stays_open_after_its_end_holds_nobody(point, claude, provider, eventually):
    point()
    with claude.messages.stream(**ASKED) as stream:
        stream.get_final_text()
    whole = [*_events_of(provider, claude), b": still here\n\n"]
    provider.gap_s = 0.0
    provider.play(whole, "text/event-stream")
    with claude.messages.stream(**ASKED) as stream:
        assert stream.get_final_text()
    eventually(lambda: Request.objects.count() >= 2)
    assert not Completion.objects.filter(is_partial=True).exists()


def _events_of(provider, claude):
    from tests.routing.conformance.provider import ANTHROPIC

    return ANTHROPIC.events({**ASKED, "model": "large"})


@pytest.mark.parametrize("asks", [True, False])
def test_usage_is_known_to_us_and_shown_to_who_asked(asks, point, gpt, provider, eventually):
    point("openai:small", "openai:large")
    options = {"stream_options": {"include_usage": True}} if asks else {}
    chunks = list(
        gpt.chat.completions.create(
            model="auto", messages=ASKED["messages"], stream=True, **options
        )
    )
    assert provider.last.json["stream_options"] == {"include_usage": True}
    assert any(chunk.usage for chunk in chunks) is asks
    assert all(chunk.choices for chunk in chunks) is not asks
    assert eventually(lambda: Completion.objects.first()).output_tokens > 0


@pytest.mark.parametrize("value", [1, 1.0, "true", []])
def test_a_stream_flag_that_is_no_boolean_is_refused(value, point, service, api_key, provider):
    point()
    headers = {"x-api-key": api_key}
    for path in ("/v1/messages", "/v1/chat/completions"):
        got = httpx.post(service + path, json={**ASKED, "stream": value}, headers=headers)
        assert (got.status_code, "stream" in got.text) == (400, True)
    assert provider.seen == []


@pytest.mark.parametrize(
    "strange",
    [
        {"type": "message_start", "message": {"content": [5]}},
        {"type": "message_start", "message": {"content": "x"}},
        {"type": "message_delta", "delta": {}, "usage": {}},
    ],
)
def test_strange_events_reach_the_client_and_are_no_evidence(
    strange, point, service, api_key, provider, eventually
):
    point(rate=1.0)
    events = [sse.write(json.dumps(data)) for data in (strange, {"type": "message_stop"})]
    provider.play(events, "text/event-stream")
    headers = {"x-api-key": api_key}
    got = httpx.post(service + "/v1/messages", json={**ASKED, "stream": True}, headers=headers)
    assert got.content == b"".join(events)
    eventually(lambda: job() is not None)
    assert job().state == "skipped"


def test_a_chat_stream_without_its_last_mark_is_whole_for_the_other_client(
    point, claude, provider, eventually
):
    point("openai:small", "openai:large", rate=1.0)
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    said = [({"role": "assistant", "content": "hi"}, None), ({}, "stop")]
    events = [
        sse.write(json.dumps({**chunk, "choices": [{"index": 0, "delta": d, "finish_reason": f}]}))
        for d, f in said
    ]
    provider.play(events, "text/event-stream")
    with claude.messages.stream(**ASKED) as stream:
        message = stream.get_final_message()
    assert (message.content[0].text, message.stop_reason) == ("hi", "end_turn")
    assert eventually(lambda: job()).state == "pending"


def test_a_stream_that_the_end_of_the_process_cuts_says_so(
    point, server, service, api_key, provider, eventually
):
    point(rate=1.0)
    provider.gap_s = 0.3
    asked, headers = {**ASKED, "stream": True}, {"x-api-key": api_key}
    with (
        contextlib.suppress(httpx.HTTPError),
        httpx.stream("POST", service + "/v1/messages", json=asked, headers=headers) as got,
    ):
        for line in got.iter_lines():
            if "text_delta" in line:
                for task in list(server.server_state.tasks):  # as when its time to stop is over
                    task.get_loop().call_soon_threadsafe(task.cancel)
    row = eventually(lambda: Request.objects.first())
    assert row.error.startswith("stopping")
    assert Completion.objects.get().is_partial
