"""Replies and errors of Chat Completions become those of the Messages API."""

import json

import pytest
from anthropic.types import Message

from routing.wire import to_messages
from tests.routing.wire.shapes_chat import COUNTS, FINISHES, call, completion, text


def test_a_reply_becomes_a_message_that_the_sdk_accepts():
    given_completion = completion("tool_calls", content="A", tool_calls=[call(1), call(2, "")])
    message = to_messages.reply(given_completion)
    Message.model_validate(message, strict=True)
    assert message == {
        "id": "msg_c1",
        "type": "message",
        "role": "assistant",
        "model": "gpt",
        "content": [
            text("A"),
            {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
            {"type": "tool_use", "id": "t2", "name": "add", "input": {}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": COUNTS,
    }


@pytest.mark.parametrize(("finish", "stop"), FINISHES)
def test_finish_reasons(finish, stop):
    assert to_messages.reply(completion(finish, content="A"))["stop_reason"] == stop


def test_a_forced_call_ends_with_stop_and_is_a_tool_use_all_the_same():
    reply = to_messages.reply(completion("stop", content=None, tool_calls=[call()]))
    assert reply["stop_reason"] == "tool_use"


def test_a_refusal_is_told_and_reasoning_left_out():
    message = to_messages.reply(completion(content=None, refusal="No.", reasoning_content="Hm."))
    assert (message["content"], message["stop_reason"]) == ([text("No.")], "refusal")


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": None, "completion_tokens": None}])
def test_missing_counts_are_zero(usage):
    counts = to_messages.reply(completion(content="A", usage=usage))["usage"]
    assert set(counts.values()) == {0}


@pytest.mark.parametrize(
    "reply",
    [
        {},
        {"choices": []},
        {"choices": [{}]},
        completion(tool_calls=[call(arguments="[]")]),
        completion(tool_calls=[call(arguments="{")]),
        completion("tool_calls", tool_calls=[call(arguments='{"a": "\ud83d')]),
        completion("error", content="A"),
        completion("insufficient_system_resource", content="A"),
        completion("function_call", content=None, function_call={"name": "f", "arguments": ""}),
        completion(content=[{"type": "image_url"}]),
        completion(tool_calls=[{"id": "t", "function": {"name": None, "arguments": ""}}]),
        completion(tool_calls=[{"id": "t", "type": "custom"}]),
    ],
)
def test_what_no_message_can_say_is_refused(reply):
    with pytest.raises(ValueError):
        to_messages.reply(reply)


@pytest.mark.parametrize(
    ("finish", "stop"), [("length", "max_tokens"), ("content_filter", "refusal")]
)
@pytest.mark.parametrize("arguments", ["{", '{"a": "x', "[", '{"a": "\ud83d'])
def test_a_call_that_was_cut_off_has_no_input_and_the_text_is_kept(arguments, finish, stop):
    cut = completion(finish, content="A", tool_calls=[call(1), call(2, arguments)])
    reply = to_messages.reply(cut)
    assert reply["stop_reason"] == stop
    assert reply["content"][0] == text("A")
    assert [block["input"] for block in reply["content"][1:]] == [{"a": 1}, {}]


def test_calls_make_a_tool_use_whatever_the_server_calls_the_end():
    for finish in ("stop", "tool_calls", "eos", None):
        reply = to_messages.reply(completion(finish, tool_calls=[call()]))
        assert reply["stop_reason"] == "tool_use"


def test_a_list_of_parts_is_read_as_its_text():
    parts = [{"type": "thinking", "thinking": [text("Hm.")]}, text("A"), text("B")]
    assert to_messages.reply(completion(content=parts))["content"] == [text("AB")]


def test_ids_take_the_letters_that_the_api_takes_back():
    reply = to_messages.reply(completion(tool_calls=[call(id="functions.add:0")]))
    assert reply["content"][0]["id"] == "functions_add_0"


def test_a_made_up_id_is_short_enough_for_both_apis():
    said = completion(tool_calls=[call(id="")]) | {"id": "chatcmpl-" + "x" * 60}
    assert len(to_messages.reply(said)["content"][0]["id"]) <= 40


def test_a_call_without_an_id_gets_one():
    reply = to_messages.reply(completion(tool_calls=[call(id=""), call(id=None)]))
    ids = [block["id"] for block in reply["content"]]
    assert ids == ["toolu_msg_c1_0", "toolu_msg_c1_1"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (422, "invalid_request_error"),
        (402, "billing_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (413, "request_too_large"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (502, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_errors_take_their_type_from_the_status(status, kind):
    said = to_messages.error(b'{"error": {"message": "Oh.", "type": "x"}}', status)
    assert json.loads(said) == {"type": "error", "error": {"type": kind, "message": "Oh."}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": "Oh."}', "Oh."),
        (b'{"detail": "Oh."}', "Oh."),
        (b'{"object": "error", "message": "Oh."}', "Oh."),
        (b"", "The provider answered with status 502."),
        (b"\xff", "The provider answered with status 502."),
        (b"[1]", "The provider answered with status 502."),
        (b'{"detail": [1]}', "The provider answered with status 502."),
        (b"[" * 9999, "The provider answered with status 502."),
    ],
)
def test_any_bytes_become_an_error(body, message):
    told = json.loads(to_messages.error(body, 502))["error"]
    assert told == {"type": "api_error", "message": message}
