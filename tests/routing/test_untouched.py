"""Requests that routing must not touch, and those that are not shadowed: each says why."""

import json

import anthropic
import pytest

from routing import shifts, sticky
from routing.models import Decision, ShadowJob, ShadowPair
from tests.routing.conftest import ALL_CHEAP, ALL_EXPENSIVE

HI = [{"role": "user", "content": "Why is the sky blue?"}]
TOOL = {"name": "weather", "description": "d", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture(autouse=True)
def forgetful():
    """Nothing is remembered from other tests."""
    sticky.memory = sticky.Memory()


def ask(claude, messages=HI, headers=None, **fields):
    raw = claude.messages.with_raw_response.create(
        model="auto", max_tokens=20, messages=messages, extra_headers=headers or {}, **fields
    )
    names = ("tier", "reason", "shadow", "model")
    return raw.parse(), {name: raw.headers[f"x-shadoweval-{name}"] for name in names}


def reason_of_job(eventually, count=1):
    eventually(lambda: ShadowJob.objects.count() >= count)
    return ShadowJob.objects.order_by("-id").first().reason.split(":")[0]


@pytest.mark.parametrize("tier", ["cheap", "expensive"])
def test_the_client_forces_a_tier(tier, point, claude, eventually):
    point(threshold=ALL_CHEAP if tier == "expensive" else ALL_EXPENSIVE, rate=1.0)
    _, got = ask(claude, headers={"x-shadoweval-tier": tier})
    assert (got["tier"], got["reason"], got["shadow"]) == (tier, "forced", "none")
    assert reason_of_job(eventually) == "forced"
    assert Decision.objects.get().score is None


@pytest.mark.parametrize(
    "header", ["x-shadoweval-tier", "x-shadoweval-shadow", "x-shadoweval-session"]
)
def test_a_header_that_means_nothing_is_refused(header, point, claude):
    point()
    with pytest.raises(anthropic.BadRequestError, match=header):
        ask(claude, headers={header: "x" * 130})


def tool_turns(reply):
    call = next(block for block in reply.content if block.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees"}
    said = [block.model_dump(exclude_none=True) for block in reply.content]
    return [*HI, {"role": "assistant", "content": said}, {"role": "user", "content": [result]}]


@pytest.mark.parametrize("first", ["cheap", "expensive"])
def test_a_tool_call_goes_back_to_its_maker(first, point, claude, eventually, provider):
    point(threshold=ALL_CHEAP if first == "cheap" else ALL_EXPENSIVE, rate=1.0)
    reply, got = ask(claude, tools=[TOOL])
    assert got["tier"] == first
    assert reason_of_job(eventually) == ""  # the first turn is shadowed
    point(threshold=ALL_EXPENSIVE if first == "cheap" else ALL_CHEAP, rate=1.0)
    _, got = ask(claude, tool_turns(reply), tools=[TOOL])
    assert (got["tier"], got["reason"], got["shadow"]) == (first, "sticky", "none")
    assert reason_of_job(eventually, 2) == "sticky"


def test_another_process_remembers_too(point, claude, eventually):
    point(threshold=ALL_CHEAP)
    reply, _ = ask(claude, tools=[TOOL])
    eventually(lambda: Decision.objects.exists())
    sticky.memory = sticky.Memory()  # as a process that never saw the first turn
    point(threshold=ALL_EXPENSIVE)
    _, got = ask(claude, tool_turns(reply), tools=[TOOL])
    assert (got["tier"], got["reason"]) == ("cheap", "sticky")


def test_state_that_nobody_remembers_goes_to_expensive(point, claude):
    point(threshold=ALL_CHEAP)
    thinking = {"type": "thinking", "thinking": "hm", "signature": "from elsewhere"}
    turns = [*HI, {"role": "assistant", "content": [thinking, {"type": "text", "text": "a"}]}, *HI]
    _, got = ask(claude, turns)
    assert (got["tier"], got["reason"]) == ("expensive", "sticky")


def test_a_maker_that_plays_no_tier_any_more_is_replaced_by_expensive(point, claude):
    point(threshold=ALL_CHEAP)
    reply, _ = ask(claude, tools=[TOOL])
    point(cheap="anthropic:another", threshold=ALL_CHEAP)
    _, got = ask(claude, tool_turns(reply), tools=[TOOL])
    assert (got["tier"], got["reason"]) == ("expensive", "sticky")


def test_a_named_session_stays_with_its_first_model(point, claude):
    named = {"x-shadoweval-session": "chat-7"}
    point(threshold=ALL_CHEAP)
    assert ask(claude, headers=named)[1]["reason"] != "sticky"
    point(threshold=ALL_EXPENSIVE)
    assert ask(claude, headers=named)[1]["tier"] == "cheap"
    assert ask(claude, headers={"x-shadoweval-session": "chat-8"})[1]["tier"] == "expensive"


def test_a_forced_turn_does_not_move_its_session(point, claude):
    named = {"x-shadoweval-session": "chat-9"}
    point(threshold=ALL_CHEAP)
    ask(claude, headers=named | {"x-shadoweval-tier": "expensive"})
    assert ask(claude, headers=named)[1]["tier"] == "cheap"


IMAGE = {"type": "base64", "media_type": "image/png", "data": "QUJD" * 100}
SKIPPED = {
    "client_off": {"headers": {"x-shadoweval-shadow": "off"}},
    "media": {"messages": [{"role": "user", "content": [{"type": "image", "source": IMAGE}]}]},
    "side_effects": {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
}


@pytest.mark.parametrize("reason", SKIPPED)
def test_what_is_not_shadowed_says_why(reason, point, claude, eventually, settings):
    settings.SHADOWEVAL_SHADOW_MEDIA_BYTES = 399
    point(rate=1.0)
    _, got = ask(claude, **SKIPPED[reason])
    assert got["shadow"] == "none"
    assert reason_of_job(eventually) == reason


def test_media_up_to_the_limit_are_shadowed(point, claude, eventually, settings):
    settings.SHADOWEVAL_SHADOW_MEDIA_BYTES = 400
    point(rate=1.0)
    assert ask(claude, **SKIPPED["media"])[1]["shadow"] == "cheap"


def test_a_tool_answer_without_state_is_a_later_turn(point, gpt, eventually):
    point("openai:small", "openai:large", rate=1.0)
    turns = [*HI, {"role": "tool", "tool_call_id": "x", "content": "1"}]
    gpt.chat.completions.create(model="auto", messages=turns)
    assert reason_of_job(eventually) == "tools"


def test_what_the_cheap_api_cannot_be_asked_goes_to_expensive(point, claude, eventually, provider):
    point("openai:small", "anthropic:large", threshold=ALL_CHEAP, rate=1.0)
    _, got = ask(claude, extra_body={"top_k": 5})
    assert (got["tier"], got["reason"]) == ("expensive", "untranslatable")
    assert reason_of_job(eventually) == "untranslatable"


def test_what_no_tier_can_be_asked_is_refused(point, claude):
    point("openai:small", "openai:large", threshold=ALL_CHEAP)
    with pytest.raises(anthropic.BadRequestError, match="top_k"):
        ask(claude, extra_body={"top_k": 5})


def test_a_shadow_tier_that_cannot_be_asked_is_skipped(point, claude, eventually):
    point("openai:small", "anthropic:large", rate=1.0)
    ask(claude, extra_body={"top_k": 5})
    eventually(lambda: ShadowJob.objects.exists())
    assert shifts.run() == 1
    job = ShadowJob.objects.get()
    assert (job.state, job.reason.split(":")[:2]) == ("skipped", ["untranslatable", " top_k"])


@pytest.mark.parametrize("client", ["claude", "gpt"])
def test_a_pair_across_two_apis(client, claude, gpt, point, eventually, provider):
    point("openai:small", "anthropic:large", rate=1.0)
    create = claude.messages.create if client == "claude" else gpt.chat.completions.create
    create(model="auto", max_tokens=20, messages=HI)
    eventually(lambda: ShadowJob.objects.exists())
    assert shifts.run() == 1
    pair = ShadowPair.objects.get()
    assert pair.cheap.text == pair.expensive.text != ""
    assert [seen.path for seen in provider.seen] == ["/v1/messages", "/v1/chat/completions"]
    assert json.loads(provider.last.body)["messages"][-1]["content"] == HI[0]["content"]


@pytest.mark.parametrize("named", [{"id": "functions.weather:0"}, {}])
def test_a_translated_tool_call_goes_back_to_its_maker(named, point, claude, provider):
    point("openai:small", "openai:large", threshold=ALL_CHEAP)
    call = {**named, "function": {"name": "weather", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [{"type": "function", **call}]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    provider.play(json.dumps({"id": "x", "model": "m", "choices": [choice]}).encode())
    reply, _ = ask(claude, tools=[TOOL])
    point("openai:small", "openai:large", threshold=ALL_EXPENSIVE)
    _, got = ask(claude, tool_turns(reply), tools=[TOOL])
    assert (got["tier"], got["reason"]) == ("cheap", "sticky")


def test_a_cheap_answer_that_cannot_be_translated_is_replaced(point, claude, provider):
    point("openai:small", "openai:large", threshold=ALL_CHEAP)
    call = {"id": "c", "function": {"name": "weather", "arguments": "no json"}, "type": "function"}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    provider.play(json.dumps({"id": "x", "model": "m", "choices": [choice]}).encode())
    _, got = ask(claude, tools=[TOOL])
    assert (got["tier"], got["reason"]) == ("expensive", "fallback")
