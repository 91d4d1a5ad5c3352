"""Messages become Chat Completions: what is carried, what is refused, and the way back."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from routing.errors import InvalidRequest
from routing.wire import sse, to_chat, to_messages

PNG = "iVBORw0KGgo="
QUICK = settings(deadline=None, max_examples=80)
TOOL = {"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}
ASKED = {"role": "user", "content": "Hi"}


def text(value, **more):
    return {"type": "text", "text": value, **more}


def block(kind, **fields):
    return {"type": kind, **fields}


def payload(*messages, **fields):
    return {"max_tokens": 9, "messages": list(messages) or [ASKED], **fields}


def sent(*content):
    """What one user turn becomes."""
    return to_chat.request(payload({"role": "user", "content": list(content)}))["messages"]


def document(source, **more):
    return block("document", source=source, **more)


PDF = {"type": "base64", "media_type": "application/pdf", "data": PNG}
PLAIN = {"type": "text", "media_type": "text/plain", "data": "Body."}


def test_a_plain_request_keeps_its_text_and_its_limit():
    body = to_chat.request(payload(system="Be brief."))
    assert body == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_tokens": 9,
    }


def test_the_limit_takes_the_name_that_the_provider_knows():
    body = to_chat.request(payload(), limit_field="max_completion_tokens")
    assert body["max_completion_tokens"] == 9
    assert "max_tokens" not in body


def test_system_blocks_are_joined_and_system_turns_stay_in_place():
    turns = [ASKED, {"role": "system", "content": [text("Now rhyme.")]}]
    body = to_chat.request(payload(*turns, system=[text("A"), text("B", cache_control={})]))
    roles = [(message["role"], message["content"]) for message in body["messages"]]
    assert roles == [("system", "A\n\nB"), ("user", "Hi"), ("system", "Now rhyme.")]


@pytest.mark.parametrize(
    ("given_block", "part"),
    [
        (text("Hi", cache_control={"type": "ephemeral"}, citations=None), text("Hi")),
        (
            block("image", source={"type": "base64", "media_type": "image/png", "data": PNG}),
            block("image_url", image_url={"url": f"data:image/png;base64,{PNG}"}),
        ),
        (
            block("image", source={"type": "url", "url": "https://x.test/a.png"}),
            block("image_url", image_url={"url": "https://x.test/a.png"}),
        ),
        (document(PLAIN), text("Body.")),
        (document(PLAIN, title="T", context="C"), text("T\n\nC\n\nBody.")),
        (document({"type": "content", "content": [text("a"), text("b")]}), text("a\n\nb")),
        (document({"type": "content", "content": "a"}, citations={"enabled": False}), text("a")),
        (
            document(PDF, title="q3.pdf"),
            block(
                "file",
                file={"filename": "q3.pdf", "file_data": f"data:application/pdf;base64,{PNG}"},
            ),
        ),
        (
            document(PDF),
            block(
                "file",
                file={
                    "filename": "document.pdf",
                    "file_data": f"data:application/pdf;base64,{PNG}",
                },
            ),
        ),
    ],
)
def test_user_blocks_become_parts(given_block, part):
    assert sent(text("Look:"), given_block) == [{"role": "user", "content": [text("Look:"), part]}]


def test_tool_calls_and_results_become_messages_before_the_rest_of_the_turn():
    call = block("tool_use", id="t1", name="add", input={"ä": 1}, caller={"type": "direct"})
    failed = block("tool_result", tool_use_id="t1", content=[text("a"), text("b")], is_error=True)
    done = block("tool_result", tool_use_id="t2", content="3")
    silent = block("tool_result", tool_use_id="t3")
    body = to_chat.request(
        payload(
            ASKED,
            {"role": "assistant", "content": [text("One "), text("moment."), call]},
            {"role": "user", "content": [failed, text("and?"), done, silent]},
        )
    )
    function = {"name": "add", "arguments": '{"ä": 1}'}
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": "One moment.",
            "tool_calls": [{"id": "t1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "Error: a\nb"},
        {"role": "tool", "tool_call_id": "t2", "content": "3"},
        {"role": "tool", "tool_call_id": "t3", "content": ""},
        {"role": "user", "content": "and?"},
    ]


def test_a_turn_of_calls_alone_has_no_content():
    call = block("tool_use", id="t1", name="add", input={})
    answer = {"role": "user", "content": [block("tool_result", tool_use_id="t1")]}
    turn = {"role": "assistant", "content": [call]}
    assert to_chat.request(payload(ASKED, turn, answer))["messages"][1]["content"] is None


CHOICE = {"type": "function", "function": {"name": "add"}}
SCHEMA = {"type": "object", "properties": {}}
ANSWER = {"name": "answer", "strict": True, "schema": SCHEMA}
FORMAT = {"type": "json_schema", "schema": SCHEMA}
FUNCTION = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"temperature": 0.3, "top_p": 0.9}, {"temperature": 0.3, "top_p": 0.9}),
        ({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"stop_sequences": [], "tools": [], "metadata": None}, {}),
        ({"tools": [TOOL]}, {"tools": [block("function", function=FUNCTION)]}),
        (
            {"tools": [TOOL | {"type": "custom", "strict": True, "eager_input_streaming": True}]},
            {"tools": [block("function", function=FUNCTION | {"strict": True})]},
        ),
        ({"tool_choice": {"type": "auto"}}, {"tool_choice": "auto"}),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
        ({"tool_choice": {"type": "none"}}, {"tool_choice": "none"}),
        ({"tool_choice": {"type": "tool", "name": "add"}}, {"tool_choice": CHOICE}),
        (
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
        ({"metadata": {"user_id": "u"}}, {"user": "u"}),
        ({"output_config": {"effort": "low", "format": None}}, {"reasoning_effort": "low"}),
        (
            {"output_config": {"format": FORMAT}},
            {"response_format": {"type": "json_schema", "json_schema": ANSWER}},
        ),
        ({"thinking": {"type": "disabled"}, "service_tier": "auto", "stream": False}, {}),
        ({"cache_control": {"type": "ephemeral"}, "top_k": None, "system": ""}, {}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    ],
)
def test_options_are_carried(fields, expected):
    body = to_chat.request(payload(**fields))
    assert body == to_chat.request(payload()) | expected


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"top_k": 5}, "top_k"),
        ({"thinking": {"type": "adaptive"}}, "thinking"),
        ({"service_tier": "standard_only"}, "service_tier"),
        ({"container": "c"}, "container"),
        ({"mcp_servers": [{}]}, "mcp_servers"),
        ({"brand_new": 0}, "brand_new"),
        ({"metadata": {"user_id": "u", "team": "x"}}, "metadata.team"),
        ({"stop_sequences": list("abcde")}, "stop_sequences"),
        ({"output_config": {"effort": "max"}}, "output_config.effort"),
        ({"output_config": {"task_budget": 3}}, "output_config.task_budget"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format"),
        ({"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools.0.type"),
        ({"tools": [TOOL | {"input_examples": [{}]}]}, "tools.0.input_examples"),
        ({"tools": [{"name": "add"}]}, "tools.0.input_schema"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"system": [block("image")]}, "system.0"),
    ],
)
def test_options_that_cannot_be_carried_are_refused_by_name(fields, named):
    with pytest.raises(InvalidRequest) as caught:
        to_chat.request(payload(**fields))
    assert str(caught.value).startswith(f"{named}:")


@pytest.mark.parametrize(
    ("role", "content", "named"),
    [
        ("user", block("search_result", source="s"), ".content.0"),
        ("user", text("Hi", citations=[{}]), ".content.0.citations"),
        ("user", text(None), ".content.0.text"),
        ("user", block(7), ".content.0.type"),
        ("user", block("image", source={"type": "file", "file_id": "f"}), ".content.0.source"),
        ("user", document({"type": "file", "file_id": "f"}), ".content.0.source"),
        ("user", document({"type": "url", "url": "https://x.test"}), ".content.0.source"),
        ("user", document(PDF, context="c"), ".content.0.context"),
        ("user", document(PLAIN, citations={"enabled": True}), ".content.0.citations"),
        ("user", document({"type": "content", "content": [block("image")]}), ".content.0.source"),
        (
            "user",
            block("tool_result", tool_use_id="t", content=[block("image")]),
            ".content.0.content.0",
        ),
        ("user", block("tool_result", content="no id"), ".content.0.tool_use_id"),
        ("assistant", block("thinking", thinking="", signature=""), ".content.0"),
        ("assistant", block("redacted_thinking", data=""), ".content.0"),
        ("assistant", block("server_tool_use", id="s", name="n", input={}), ".content.0"),
        (
            "assistant",
            block("tool_use", id="t", name="n", input={}, caller={"type": "code"}),
            ".content.0.caller",
        ),
        ("system", block("image"), ".content.0"),
    ],
)
def test_blocks_that_cannot_be_carried_are_refused_by_place(role, content, named):
    with pytest.raises(InvalidRequest) as caught:
        to_chat.request(payload(ASKED, {"role": role, "content": [content]}, ASKED))
    assert str(caught.value).startswith(f"messages.1{named}")


def test_an_answer_to_be_continued_is_refused():
    with pytest.raises(InvalidRequest, match="last turn to be continued"):
        to_chat.request(payload(ASKED, {"role": "assistant", "content": "{"}))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "text", "auto", "tool"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "name", "source", "text"]), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = ["system", "tools", "tool_choice", "metadata", "output_config", "thinking"]


@QUICK
@given(
    st.dictionaries(st.sampled_from([*FIELDS, "stop_sequences"]), ANYTHING, max_size=2),
    st.lists(st.dictionaries(st.sampled_from(["type", "source", "text"]), ANYTHING), max_size=2),
)
def test_whatever_the_fields_hold_they_are_carried_or_refused(fields, blocks):
    with contextlib.suppress(InvalidRequest):
        body = to_chat.request(payload({"role": "user", "content": blocks}, **fields))
        assert body["max_tokens"] == 9


USAGE = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 20,
    "cache_read_input_tokens": 30,
    "output_tokens": 4,
}


def message(*content, stop="end_turn", usage=USAGE):
    return {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": usage,
    }


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
        "prompt_tokens_details": {"cached_tokens": 30},
    }


FINISHES = [
    ("end_turn", "stop"),
    ("stop_sequence", "stop"),
    ("pause_turn", "stop"),
    ("max_tokens", "length"),
    ("model_context_window_exceeded", "length"),
    ("tool_use", "tool_calls"),
    ("refusal", "content_filter"),
]


@pytest.mark.parametrize(("stop", "finish"), FINISHES)
def test_stop_reasons(stop, finish):
    choice = to_chat.reply(message(stop=stop), 0)["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == (finish, None)


def test_missing_counts_are_zero():
    usage = to_chat.reply(message(usage={"output_tokens": None}), 0)["usage"]
    assert (usage["prompt_tokens"], usage["total_tokens"]) == (0, 0)


@pytest.mark.parametrize(
    "reply", [{}, {"content": [{}]}, {"content": 1}, message(text("x")) | {"content": None}]
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


def events_of(reply, cuts):
    """The events of a Messages stream that says this, texts and arguments cut at random."""
    start = reply | {"content": [], "stop_reason": None, "usage": USAGE | {"output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    yield {"type": "ping"}
    for index, said in enumerate(reply["content"]):
        kind = said["type"]
        name, field = {
            "text": ("text_delta", "text"),
            "thinking": ("thinking_delta", "thinking"),
            "tool_use": ("input_json_delta", "partial_json"),
        }[kind]
        empty = {"text": "", "thinking": "", "input": {}}
        opened = {key: empty.get(key, value) for key, value in said.items()}
        yield {"type": "content_block_start", "index": index, "content_block": opened}
        whole = json.dumps(said["input"]) if kind == "tool_use" else said[field]
        whole = "" if whole == "{}" else whole
        for piece in cuts(whole):
            delta = {"type": name, field: piece}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": reply["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 4}}
    yield {"type": "message_stop"}


def events(stream, stream_events):
    """What the stream writes, read again as a client would."""
    written = [
        raw
        for event in stream_events
        for raw in stream.feed(sse.Event(event["type"], json.dumps(event)))
    ]
    assert sse.Splitter().feed(b"".join(written)) == written
    return [sse.read(raw).data for raw in written]


@st.composite
def cutter(draw):
    def cut(whole):
        places = draw(st.lists(st.integers(0, len(whole)), max_size=3).map(sorted))
        return [whole[a:b] for a, b in zip([0, *places], [*places, len(whole)], strict=True)]

    return cut


BLOCKS = st.lists(
    st.builds(text, st.text(min_size=1, max_size=12))
    | st.builds(lambda t: block("thinking", thinking=t, signature="s"), st.text(max_size=5))
    | st.builds(
        lambda n, value: block("tool_use", id=f"t{n}", name="add", input=value),
        st.integers(0, 99),
        st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=6), max_size=2),
    ),
    max_size=4,
)


@QUICK
@given(BLOCKS, st.sampled_from([stop for stop, _ in FINISHES]), cutter())
def test_a_stream_says_what_the_whole_reply_says(blocks, stop, cut):
    reply = message(*blocks, stop=stop)
    *chunks, done = events(to_chat.Stream(17, True), events_of(reply, cut))
    assert done == "[DONE]"
    state = ChatCompletionStreamState()
    for data in chunks:
        state.handle_chunk(ChatCompletionChunk.model_validate_json(data, strict=True))
    whole = ChatCompletion.model_validate(to_chat.reply(reply, 17)).model_dump()
    streamed = state.current_completion_snapshot.model_dump()
    assert streamed["usage"] == whole["usage"]
    for name in ("id", "model", "created"):
        assert streamed[name] == whole[name]
    streamed, whole = streamed["choices"][0], whole["choices"][0]
    assert streamed["finish_reason"] == whole["finish_reason"]
    assert (streamed["message"]["content"] or None) == whole["message"]["content"]
    assert calls_of(streamed) == calls_of(whole)


def calls_of(choice):
    calls = choice["message"]["tool_calls"] or []
    functions = [(call["id"], call["function"]) for call in calls]
    return [(id_, fn["name"], json.loads(fn["arguments"])) for id_, fn in functions]


def test_the_order_of_chunks_and_the_numbers_of_calls():
    calls = [block("tool_use", id=f"t{n}", name="add", input={"n": n}) for n in (0, 1)]
    reply = message(text("A"), block("thinking", thinking="x"), *calls, stop="tool_use")
    *chunks, done = events(to_chat.Stream(0, False), events_of(reply, lambda whole: [whole]))
    read = [json.loads(data) for data in chunks]
    assert all("usage" not in chunk for chunk in read)
    deltas = [chunk["choices"][0]["delta"] for chunk in read]
    assert deltas[:2] == [{"role": "assistant", "content": ""}, {"content": "A"}]
    pieces = [delta["tool_calls"][0] for delta in deltas[2:-1]]
    assert [piece["index"] for piece in pieces] == [0, 0, 1, 1]
    assert pieces[0] == {
        "index": 0,
        "id": "t0",
        "type": "function",
        "function": {"name": "add", "arguments": ""},
    }
    assert pieces[3] == {"index": 1, "function": {"arguments": '{"n": 1}'}}
    assert read[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert done == "[DONE]"


def test_the_usage_chunk_comes_last_and_has_no_choices():
    chunks = events(to_chat.Stream(0, True), events_of(message(), list))
    last = json.loads(chunks[-2])
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == 64
    assert [json.loads(data)["usage"] for data in chunks[:-2]] == [None, None]


def test_an_error_in_a_stream_is_told_and_a_cut_stream_never_ends():
    stream = to_chat.Stream(0, True)
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}}
    told = events(stream, [*list(events_of(message(), list))[:2], error])
    assert json.loads(told[-1])["error"]["message"] == "Busy"
    assert "[DONE]" not in told
    assert stream.feed(sse.Event("", None)) == []


@pytest.mark.parametrize(
    "data", ["x", "[]", '{"type": "message_start"}', '{"type": "message_stop"}']
)
def test_what_is_no_messages_event_is_refused(data):
    with pytest.raises(ValueError):
        to_chat.Stream(0, True).feed(sse.Event("", data))


def test_what_the_other_direction_writes_is_carried_back():
    chat = {"messages": [ASKED], "max_tokens": 3, "stop": ["x"], "user": "u", "stream": True}
    back = to_chat.request(to_messages.request(chat))
    assert back == chat | {"stream_options": {"include_usage": True}}
