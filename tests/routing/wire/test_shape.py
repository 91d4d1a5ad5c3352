"""What a conversation carries decides whether it may move and be shadowed."""

import json

import pytest

from routing.types import ChatRequest, Dialect
from routing.wire import shape


def of(messages, dialect=Dialect.MESSAGES, **fields):
    return shape.of(ChatRequest({"messages": messages, **fields}, "", "auto", dialect=dialect))


def said(role, *blocks, **fields):
    return {"role": role, "content": list(blocks), **fields}


PLAIN = said("user", {"type": "text", "text": "hi"})


def test_the_state_is_of_the_last_turn_that_has_any():
    messages = [
        PLAIN,
        said("assistant", {"type": "thinking", "thinking": "", "signature": "s1"},
             {"type": "tool_use", "id": "t1", "name": "f", "input": {}}),
        said("user", {"type": "tool_result", "tool_use_id": "t1", "content": "1"}),
        said("assistant", {"type": "redacted_thinking", "data": "d2"}),
        PLAIN,
        said("assistant", {"type": "text", "text": "no state"}),
    ]  # fmt: skip
    assert of(messages).state_ids == ("d2",)
    assert of(messages[:3]).state_ids == ("s1", "t1")
    assert of(messages[:3]).after_tools


def test_chat_tool_calls_are_state():
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
    ]
    got = of(messages, Dialect.CHAT)
    assert (got.state_ids, got.after_tools) == (("c1",), True)


def test_tools_on_offer_are_the_first_turn():
    got = of([PLAIN], tools=[{"name": "f", "input_schema": {}}])
    assert (got.after_tools, got.provider_acts, got.state_ids) == (False, False, ())


@pytest.mark.parametrize(
    ("dialect", "fields", "acts"),
    [
        ("messages", {"tools": [{"type": "bash_20250124", "name": "bash"}]}, False),
        ("messages", {"tools": [{"type": "web_search_20250305", "name": "s"}]}, True),
        ("messages", {"tools": [{"type": "code_execution_20250825", "name": "c"}]}, True),
        ("messages", {"tools": [{"type": "of_a_later_year", "name": "c"}]}, True),
        ("messages", {"mcp_servers": [{"url": "x"}]}, True),
        ("chat", {"tools": [{"type": "function", "function": {"name": "f"}}]}, False),
        ("chat", {"tools": [{"type": "custom", "custom": {"name": "f"}}]}, False),
        ("chat", {"web_search_options": {"x": 1}}, True),
        ("chat", {"store": True}, True),
        ("chat", {"store": False}, False),
    ],
)
def test_who_runs_the_tools(dialect, fields, acts):
    assert of([PLAIN], Dialect(dialect), **fields).provider_acts is acts


@pytest.mark.parametrize(
    "block",
    [
        {"type": "image", "source": {"type": "base64", "data": "x" * 50}},
        {"type": "document", "source": {"type": "text", "data": "x" * 50}},
        {"type": "tool_result", "content": [{"type": "image", "source": {"data": "x" * 50}}]},
        {"type": "image_url", "image_url": {"url": "data:" + "x" * 45}},
        {"type": "file", "file": {"file_data": "x" * 50}},
        {"type": "input_audio", "input_audio": {"data": "x" * 50}},
    ],
)
def test_media_are_weighed(block):
    assert of([said("user", block)]).media_bytes == 50


def test_a_link_weighs_nothing():
    assert of([said("user", {"type": "image", "source": {"url": "https://x"}})]).media_bytes == 0


def test_both_apis_calls_of_tools_are_told_alike():
    block = {"type": "tool_use", "id": "t1", "name": "look", "input": {"city": "Paris"}}
    message = {"content": [{"type": "text", "text": "I look."}, block]}
    function = {"name": "look", "arguments": '{ "city":"Paris" }'}
    chat = {"choices": [{"message": {"content": None, "tool_calls": [{"function": function}]}}]}
    told = [
        shape.calls(json.dumps(body).encode(), dialect)
        for body, dialect in ((message, Dialect.MESSAGES), (chat, Dialect.CHAT))
    ]
    assert told == ['[{"look": {"city": "Paris"}}]'] * 2


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"choices": [{"message": {"content": "no call"}}]}, ""),
        (
            {"choices": [{"message": {"tool_calls": [{"function": {"name": "f"}}]}}]},
            '[{"f": null}]',
        ),
        (
            {"choices": [{"message": {"tool_calls": [{"function": {"arguments": "{"}}]}}]},
            '[{"None": "{"}]',
        ),
    ],
)
def test_calls_that_are_strange_or_none(body, told):
    assert shape.calls(json.dumps(body).encode(), Dialect.CHAT) == told
