"""Replies and errors of the Messages API become those of Chat Completions."""

import json

import pytest
from openai.types.chat import ChatCompletion

from routing.wire import to_chat
from tests.routing.wire.shapes_messages import FINISHES, block, message, text


def test_a_reply_becomes_a_completion_that_the_sdk_accepts():
    call = block("tool_use", id="t1", name="add", input={"a": 1})
    thought = block("thinking", thinking="Hm.", signature="s")
    given_message = message(thought, text("A"), text("B"), call, stop="tool_use")
    completion = to_chat.reply(given_message, 17)
    read = ChatCompletion.model_validate(completion, strict=True)
    assert (read.id, read.created, read.model) == ("chatcmpl-m1", 17, "claude")
    choice = read.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "AB"
    assert choice.message.tool_calls[0].id == "t1"
    assert choice.message.tool_calls[0].function.arguments == '{"a": 1}'
    assert completion["usage"] == {
        "prompt_tokens": 60,
        "completion_tokens": 4,
        "total_tokens": 64,
        "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20},
    }


@pytest.mark.parametrize(("stop", "finish"), FINISHES)
def test_stop_reasons(stop, finish):
    choice = to_chat.reply(message(stop=stop), 0)["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == (finish, None)


def test_missing_counts_are_zero():
    usage = to_chat.reply(message(usage={"output_tokens": None}), 0)["usage"]
    assert (usage["prompt_tokens"], usage["total_tokens"]) == (0, 0)


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"content": [{}]},
        {"content": 1},
        message(text("x")) | {"content": None},
        message(block("tool_use", id="t", name="n", input=None)),
        message(block("tool_use", id="t", name="n", input="{}")),
    ],
)
def test_what_is_no_message_is_refused(reply):
    with pytest.raises(ValueError, match="not of the Messages API"):
        to_chat.reply(reply, 0)


def test_an_error_keeps_what_the_provider_said():
    body = json.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "Wait"}})
    told = {"message": "Wait", "type": "rate_limit_error", "param": None, "code": None}
    assert json.loads(to_chat.error(body.encode(), 429)) == {"error": told}


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b'{"error": "x"}', b"<html>", b"[" * 9999])
def test_any_bytes_become_an_error(body):
    told = json.loads(to_chat.error(body, 502))["error"]
    assert told["message"] == "The provider answered with status 502."
    assert told["type"] == "api_error"
