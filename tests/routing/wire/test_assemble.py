"""A stream adds up to the reply that it stands for."""

import json

import pytest

from routing.types import Dialect
from routing.wire import assemble, sse


def fed(dialect, *datas):
    parts = assemble.assembler(dialect)
    for data in datas:
        parts.feed(sse.Event("", data if isinstance(data, str) else json.dumps(data)))
    return parts


START = {
    "type": "message_start",
    "message": {"id": "m1", "role": "assistant", "model": "x", "content": [],
                "usage": {"input_tokens": 9, "output_tokens": 1}},
}  # fmt: skip
TEXT = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
STOP = {"type": "message_stop"}


def delta(index, **fields):
    return {"type": "content_block_delta", "index": index, "delta": fields}


def block(index, **fields):
    return {"type": "content_block_start", "index": index, "content_block": fields}


def test_every_kind_of_delta():
    parts = fed(
        Dialect.MESSAGES,
        START,
        block(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="hm"),
        delta(0, type="signature_delta", signature="sig"),
        block(1, type="text", text=""),
        delta(1, type="text_delta", text="a"),
        delta(1, type="text_delta", text="b"),
        delta(1, type="citations_delta", citation={"cited_text": "c"}),
        block(2, type="tool_use", id="t1", name="f", input={}),
        delta(2, type="input_json_delta", partial_json='{"x":'),
        delta(2, type="input_json_delta", partial_json=" 1}"),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"},
         "usage": {"output_tokens": 7}},
        STOP,
    )  # fmt: skip
    body = json.loads(parts.body)
    assert (parts.is_whole, parts.is_understood, parts.error) == (True, True, "")
    assert body["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "text", "text": "ab", "citations": [{"cited_text": "c"}]},
        {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}},
    ]
    assert body["usage"] == {"input_tokens": 9, "output_tokens": 7}
    assert body["stop_reason"] == "tool_use"


def test_a_message_that_broke_off_has_no_count_of_its_length():
    parts = fed(Dialect.MESSAGES, START, TEXT, delta(0, type="text_delta", text="half"))
    body = json.loads(parts.body)
    assert not parts.is_whole
    assert body["content"][0]["text"] == "half"
    assert body["usage"] == {"input_tokens": 9, "output_tokens": None}


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("data", ["{", "hello", ""])
def test_no_json_is_malformed(dialect, data):
    with pytest.raises(assemble.Malformed):
        fed(dialect, data)


@pytest.mark.parametrize(
    "odd", [5, [1], {"type": "content_block_delta", "index": 4, "delta": {}}, {"type": 7}]
)
def test_what_is_strange_but_json_never_raises(odd):
    parts = fed(Dialect.MESSAGES, START, odd, STOP)
    assert parts.is_whole
    assert parts.is_understood == (odd == {"type": 7})


def test_an_error_amid_the_stream_is_named():
    parts = fed(Dialect.MESSAGES, START, {"type": "error", "error": {"type": "overloaded_error"}})
    assert (parts.error, parts.is_whole) == ("overloaded_error", False)


def chunk(delta=None, finish=None, **more):
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "model": "x", "choices": choices, **more}


def test_chunks_add_up_to_a_completion():
    parts = fed(
        Dialect.CHAT,
        chunk({"role": "assistant", "content": "a"}),
        chunk({"content": "b"}),
        chunk({"tool_calls": [{"index": 0, "id": "t", "type": "function",
                               "function": {"name": "f", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        chunk({}, "tool_calls"),
        chunk(usage={"prompt_tokens": 3, "completion_tokens": 2}),
        "[DONE]",
    )  # fmt: skip
    body = json.loads(parts.body)
    message = body["choices"][0]["message"]
    assert (parts.is_whole, message["content"], body["usage"]["prompt_tokens"]) == (True, "ab", 3)
    assert message["tool_calls"][0] == {
        "id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}
    }  # fmt: skip
    assert (body["object"], body["choices"][0]["finish_reason"]) == (
        "chat.completion",
        "tool_calls",
    )


def test_text_that_comes_as_parts_is_the_answer_too():
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    parts = fed(
        Dialect.CHAT,
        chunk({"role": "assistant", "content": [thought]}),
        chunk({"content": [{"type": "text", "text": "a"}]}),
        chunk({"content": "b"}, "stop"),
        "[DONE]",
    )
    assert json.loads(parts.body)["choices"][0]["message"]["content"] == "ab"
    assert parts.is_understood
    assert not fed(Dialect.CHAT, chunk({"content": [{"type": "image"}]})).is_understood


def test_a_completion_without_a_reason_to_finish_is_not_whole():
    parts = fed(Dialect.CHAT, chunk({"content": "a"}), "[DONE]")
    assert not parts.is_whole
