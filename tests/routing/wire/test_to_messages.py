"""Chat Completions become Messages: what is carried, what is refused, and the way back."""

import contextlib
import itertools
import json

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from routing.errors import InvalidRequest
from routing.wire import sse, to_chat, to_messages

PNG = "iVBORw0KGgo="
QUICK = settings(deadline=None, max_examples=80)
EVENT = TypeAdapter(RawMessageStreamEvent)
ASKED = {"role": "user", "content": "Hi"}


def text(value):
    return {"type": "text", "text": value}


def call(n=1, arguments='{"a": 1}', **more):
    function = {"name": "add", "arguments": arguments}
    return {"id": f"t{n}", "type": "function", "function": function, **more}


def image(url, **more):
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(**fields):
    return {"type": "file", "file": fields}


def result(n, content):
    return {"role": "tool", "tool_call_id": f"t{n}", "content": content}


def payload(*messages, **fields):
    return {"messages": list(messages) or [ASKED], **fields}


def test_a_plain_request_gets_a_limit():
    assert to_messages.request(payload()) == {
        "messages": [{"role": "user", "content": [text("Hi")]}],
        "max_tokens": to_messages.DEFAULT_MAX_TOKENS,
    }


def test_instructions_move_to_the_front():
    turns = [
        {"role": "system", "content": "A"},
        ASKED,
        {"role": "developer", "content": [text("B"), text("")]},
    ]
    body = to_messages.request(payload(*turns))
    assert body["system"] == "A\n\nB"
    assert [turn["role"] for turn in body["messages"]] == ["user"]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (text("x"), text("x")),
        (text("x") | {"prompt_cache_breakpoint": {"mode": "explicit"}}, text("x")),
        (
            image(f"data:image/png;base64,{PNG}", detail="high"),
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": PNG},
            },
        ),
        (
            image("https://x.test/a.png"),
            {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
        ),
        (
            file(file_data=f"data:application/pdf;base64,{PNG}", filename="q3.pdf"),
            {
                "type": "document",
                "title": "q3.pdf",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PNG},
            },
        ),
    ],
)
def test_parts_become_blocks_and_empty_texts_go(part, block):
    asked = {"role": "user", "content": [text("Look:"), text(""), part]}
    turns = to_messages.request(payload(asked))["messages"]
    assert turns == [{"role": "user", "content": [text("Look:"), block]}]


def test_results_join_one_user_turn_with_what_the_user_says_next():
    turns = [
        ASKED,
        {"role": "assistant", "content": None, "tool_calls": [call(1), call(2, "")]},
        result(1, "one") | {"name": "add"},
        {"role": "system", "content": "S"},
        result(2, [text("two"), text("")]),
        {"role": "user", "content": "and?"},
        {"role": "user", "content": "well?"},
    ]
    body = to_messages.request(payload(*turns))
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "t1", "name": "add", "input": {"a": 1}},
                {"type": "tool_use", "id": "t2", "name": "add", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [text("one")]},
                {"type": "tool_result", "tool_use_id": "t2", "content": [text("two")]},
                text("and?"),
            ],
        },
        {"role": "user", "content": [text("well?")]},
    ]


def test_an_earlier_answer_is_carried_as_clients_send_it_back():
    empty = {"annotations": [], "audio": None, "function_call": None, "tool_calls": None}
    turns = [
        ASKED,
        {"role": "assistant", "content": "A", "refusal": "No.", **empty},
        {"role": "assistant", "content": [text("B"), {"type": "refusal", "refusal": "C"}]},
        {"role": "assistant", "content": "", **empty},
        ASKED,
    ]
    said = to_messages.request(payload(*turns))["messages"][1:-1]
    contents = [[block["text"] for block in turn["content"]] for turn in said]
    assert contents == [["A", "No."], ["B", "C"]]


SCHEMA = {"type": "object", "properties": {}}
FUNCTION = {"name": "add", "description": "Adds.", "parameters": SCHEMA, "strict": True}
TOOLS = {"tools": [{"type": "function", "function": FUNCTION}]}
CUSTOM = {"name": "add", "description": "Adds.", "input_schema": SCHEMA, "strict": True}
FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
SINGLE = {"disable_parallel_tool_use": True}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
        ({"temperature": 1, "top_p": 0.5}, {"temperature": 1, "top_p": 0.5}),
        ({"stop": "x"}, {"stop_sequences": ["x"]}),
        ({"stop": ["x", "y"]}, {"stop_sequences": ["x", "y"]}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"safety_identifier": "s", "user": "u"}, {"metadata": {"user_id": "s"}}),
        ({"reasoning_effort": "high"}, {"output_config": {"effort": "high"}}),
        (
            {"reasoning_effort": "low", "response_format": FORMAT},
            {
                "output_config": {
                    "effort": "low",
                    "format": {"type": "json_schema", "schema": SCHEMA},
                }
            },
        ),
        (TOOLS, {"tools": [CUSTOM]}),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            {"tools": [{"name": "f", "input_schema": SCHEMA}]},
        ),
        ({"tool_choice": "none"}, {"tool_choice": {"type": "none"}}),
        ({"tool_choice": "auto"}, {"tool_choice": {"type": "auto"}}),
        ({"tool_choice": "required"}, {"tool_choice": {"type": "any"}}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "add"}}},
            {"tool_choice": {"type": "tool", "name": "add"}},
        ),
        (
            TOOLS | {"parallel_tool_calls": False},
            {"tools": [CUSTOM], "tool_choice": {"type": "auto"} | SINGLE},
        ),
        (
            TOOLS | {"parallel_tool_calls": False, "tool_choice": "required"},
            {"tools": [CUSTOM], "tool_choice": {"type": "any"} | SINGLE},
        ),
        (
            TOOLS | {"parallel_tool_calls": False, "tool_choice": "none"},
            {"tools": [CUSTOM], "tool_choice": {"type": "none"}},
        ),
        ({"parallel_tool_calls": False}, {}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
    ],
)
def test_options_are_carried(fields, expected):
    assert to_messages.request(payload(**fields)) == to_messages.request(payload()) | expected


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1, "seed": 3, "store": False, "logprobs": False, "top_logprobs": 0},
        {"frequency_penalty": 0, "presence_penalty": 0.0, "logit_bias": {}},
        {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "metadata": {"a": "b"}},
        {"prompt_cache_options": {"ttl": "30m"}, "parallel_tool_calls": True},
        {"service_tier": "auto", "modalities": ["text"], "stream": False, "tools": [], "stop": []},
        {"service_tier": "default", "response_format": {"type": "text"}},
        {"n": None, "temperature": None, "audio": None, "functions": None, "verbosity": None},
    ],
)
def test_what_changes_no_answer_is_dropped(fields):
    assert to_messages.request(payload(**fields)) == to_messages.request(payload())


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"n": 2}, "n"),
        ({"temperature": 1.2}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": True}, "max_completion_tokens"),
        ({"store": True}, "store"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"presence_penalty": -1}, "presence_penalty"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
            "response_format.json_schema.schema",
        ),
        ({"reasoning_effort": "minimal"}, "reasoning_effort"),
        ({"reasoning_effort": "none"}, "reasoning_effort"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools.0.type"),
        ({"tools": [{"type": "function"}]}, "tools.0.function"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.type"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        ({"audio": {"voice": "v"}}, "audio"),
        ({"prediction": {"type": "content"}}, "prediction"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"verbosity": "low"}, "verbosity"),
        ({"moderation": {"model": "m"}}, "moderation"),
        ({"brand_new": 0}, "brand_new"),
    ],
)
def test_options_that_cannot_be_carried_are_refused_by_name(fields, named):
    with pytest.raises(InvalidRequest) as caught:
        to_messages.request(payload(**fields))
    assert str(caught.value).startswith(f"{named}:")


def user(*parts):
    return {"role": "user", "content": list(parts)}


def assistant(**fields):
    return {"role": "assistant", "content": None, **fields}


@pytest.mark.parametrize(
    ("message", "named"),
    [
        (user({"type": "input_audio", "input_audio": {}}), ".content.0"),
        (user(image("data:image/png;base64,???")), ".content.0.image_url.url"),
        (user(image("data:image/tiff;base64,AAAA")), ".content.0.image_url.url"),
        (user(image("file:///etc/passwd")), ".content.0.image_url.url"),
        (user(file(file_id="f")), ".content.0.file.file_id"),
        (user(file(file_data="data:text/csv;base64,AAAA")), ".content.0.file.file_data"),
        (user(file(filename="a.pdf")), ".content.0.file.file_data"),
        (user(text(None)), ".content.0.text"),
        (user({"type": "text", "text": "x", "tone": "y"}), ".content.0.tone"),
        (ASKED | {"name": "Ann"}, ".name"),
        ({"role": "system", "content": [image("https://x.test")]}, ".content.0"),
        ({"role": "function", "name": "f", "content": "x"}, ".role"),
        ({"role": "tool", "content": "x"}, ".tool_call_id"),
        (result(1, [image("https://x.test")]), ".content.0"),
        (assistant(tool_calls=[call(arguments="[1]")]), ".tool_calls.0.function.arguments"),
        (assistant(tool_calls=[call(arguments='{"a":')]), ".tool_calls.0.function.arguments"),
        (assistant(tool_calls=[call(arguments='{"a": NaN}')]), ".tool_calls.0.function.arguments"),
        (assistant(tool_calls=[call(type="custom")]), ".tool_calls.0.type"),
        (assistant(tool_calls=[{"type": "function"}]), ".tool_calls.0.function"),
        (assistant(audio={"id": "a"}), ".audio"),
        (assistant(function_call={"name": "f", "arguments": ""}), ".function_call"),
        (assistant(reasoning_content="Hm."), ".reasoning_content"),
        (assistant(annotations=[{"type": "url_citation"}]), ".annotations"),
    ],
)
def test_messages_that_cannot_be_carried_are_refused_by_place(message, named):
    with pytest.raises(InvalidRequest) as caught:
        to_messages.request(payload(ASKED, message, ASKED))
    assert str(caught.value).startswith(f"messages.1{named}:")


@pytest.mark.parametrize(
    "messages",
    [None, [], [3], [{"role": "user", "content": ""}], [{"role": "system", "content": "S"}]],
)
def test_nothing_asked_is_refused(messages):
    with pytest.raises(InvalidRequest, match="messages"):
        to_messages.request({"messages": messages})


def test_an_answer_to_be_continued_is_refused():
    with pytest.raises(InvalidRequest, match="last turn to be continued"):
        to_messages.request(payload(ASKED, assistant(content="{")))


NAMES = ["type", "function", "role", "content", "text", "image_url", "file", "tool_calls", "id"]
WORDS = ["", "text", "user", "assistant", "tool", "function", "image_url", "file"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=8,
)


@QUICK
@given(
    st.lists(st.dictionaries(st.sampled_from(NAMES), ANYTHING), max_size=2),
    st.dictionaries(st.sampled_from(sorted(to_messages._WRITERS)), ANYTHING, max_size=3),
)
def test_whatever_the_fields_hold_they_are_carried_or_refused(messages, fields):
    with contextlib.suppress(InvalidRequest):
        body = to_messages.request(payload(ASKED, *messages, ASKED, **fields))
        assert body["messages"][0]["content"][0] == text("Hi")


WORD = st.text(min_size=1, max_size=8)
PART = st.builds(text, WORD) | st.sampled_from(
    [
        image("https://x.test/a.png"),
        image(f"data:image/gif;base64,{PNG}"),
        file(filename="a.pdf", file_data=f"data:application/pdf;base64,{PNG}"),
    ]
)
USER = st.builds(lambda c: {"role": "user", "content": c}, WORD | st.lists(PART, min_size=2))
INPUT = st.dictionaries(WORD, st.integers() | WORD | st.lists(st.booleans()), max_size=2)


@st.composite
def exchanges(draw):
    """An answer, its calls with their results, and the next question."""
    inputs = draw(st.lists(INPUT, max_size=2))
    content = draw(WORD if not inputs else st.none() | WORD)
    calls = [call(n, json.dumps(value, ensure_ascii=False)) for n, value in enumerate(inputs)]
    said = {"role": "assistant", "content": content} | ({"tool_calls": calls} if calls else {})
    return [said, *(result(n, draw(st.text(max_size=5))) for n in range(len(calls))), draw(USER)]


OPTIONS = st.fixed_dictionaries(
    {"max_tokens": st.integers(1, 99)},
    optional={
        "temperature": st.floats(0, 1),
        "top_p": st.floats(0, 1),
        "stop": st.lists(WORD, min_size=1, max_size=4),
        "user": WORD,
        "reasoning_effort": st.sampled_from(["low", "medium", "high"]),
        "response_format": st.just(
            {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
            }
        ),
        "tools": st.just(TOOLS["tools"]),
        "tool_choice": st.sampled_from(
            ["auto", "none", "required", {"type": "function", "function": {"name": "add"}}]
        ),
    },
)


@QUICK
@given(st.none() | WORD, USER, st.lists(exchanges(), max_size=2), OPTIONS)
def test_what_is_carried_comes_back_the_same(system, asked, turns, options):
    head = [{"role": "system", "content": system}] if system else []
    chat = payload(*head, asked, *itertools.chain(*turns), **options)
    assert to_chat.request(to_messages.request(chat)) == chat


USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 4,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 3},
}
COUNTS = {
    "input_tokens": 7,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 3,
    "output_tokens": 4,
}


def completion(finish="stop", usage=USAGE, **message):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "c1", "model": "gpt", "created": 1, "choices": [choice], "usage": usage}


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


FINISHES = [
    ("stop", "end_turn"),
    ("length", "max_tokens"),
    ("tool_calls", "tool_use"),
    ("function_call", "tool_use"),
    ("content_filter", "refusal"),
]


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
        completion(tool_calls=[{"id": "t", "type": "custom"}]),
    ],
)
def test_what_no_message_can_say_is_refused(reply):
    with pytest.raises(ValueError):
        to_messages.reply(reply)


def test_a_call_without_an_id_gets_one():
    reply = to_messages.reply(completion(tool_calls=[call(id=""), call(id=None)]))
    ids = [block["id"] for block in reply["content"]]
    assert ids == ["toolu_msg_c1_0", "toolu_msg_c1_1"]


def test_a_streamed_call_without_an_id_gets_the_same_one():
    chunks = [chunk(piece(0, "{}", name="add")), chunk({}, "tool_calls")]
    message = accumulated(written(to_messages.Stream(), chunks))
    assert message["content"][0]["id"] == "toolu_msg_c1_0"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
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


def chunk(delta=None, finish=None, **more):
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {
        "id": "c1",
        "object": "chat.completion.chunk",
        "model": "gpt",
        "choices": choices,
    } | more


def piece(index, arguments, **more):
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments, **more}}]}


def opening(index, said):
    name = said["function"]["name"]
    delta = piece(index, "", name=name)
    delta["tool_calls"][0] |= {"id": said["id"], "type": "function"}
    return delta


def written(stream, chunks, end="[DONE]"):
    """The events that the stream writes, checked one by one as the API's types."""
    raws = [raw for said in chunks for raw in stream.feed(sse.Event("", json.dumps(said)))]
    raws += stream.feed(sse.Event("", end)) if end else []
    events = [sse.read(raw) for raw in raws]
    read = [json.loads(event.data) for event in events]
    assert [event.name for event in events] == [data["type"] for data in read]
    return read


def accumulated(events):
    """The message that the SDK makes of the events; blocks must not overlap."""
    snapshot, buffers, is_open = None, {}, None
    for data in events:
        if data["type"].startswith("content_block"):
            starts = data["type"] == "content_block_start"
            assert is_open == (None if starts else data["index"])
            is_open = None if data["type"] == "content_block_stop" else data["index"]
        event = EVENT.validate_python(data, strict=True)
        snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return json.loads(snapshot.to_json())


@st.composite
def chunked(draw):
    """A completion and the chunks of a stream that says it, calls interleaved at random."""
    said = draw(st.text(max_size=12))
    values = draw(st.lists(INPUT, max_size=3))
    calls = [call(n, json.dumps(value) if value else "") for n, value in enumerate(values)]
    cut = st.lists(st.integers(0, 40), max_size=3).map(sorted)

    def pieces(whole):
        places = [0, *(min(place, len(whole)) for place in draw(cut)), len(whole)]
        return [whole[a:b] for a, b in itertools.pairwise(places)]

    queues = [[opening(n, c)] for n, c in enumerate(calls)]
    for n, queue in enumerate(queues):
        queue += [piece(n, cut_off) for cut_off in pieces(calls[n]["function"]["arguments"])]
    deltas = [{"content": cut_off} for cut_off in pieces(said)]
    while any(queues):
        deltas.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    finish = draw(st.sampled_from([finish for finish, _ in FINISHES]))
    usage = draw(st.sampled_from([USAGE, None]))
    chunks = [chunk({"role": "assistant", "content": ""}), *map(chunk, deltas)]
    chunks += [chunk({}, finish), *([chunk(usage=usage)] if usage else [])]
    return completion(finish, usage, content=said, tool_calls=calls), chunks


@QUICK
@given(chunked())
def test_a_stream_says_what_the_whole_reply_says(case):
    reply, chunks = case
    events = written(to_messages.Stream(), chunks)
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    streamed, whole = accumulated(events), to_messages.reply(reply)
    for name in ("id", "model", "role", "content", "stop_reason"):
        assert streamed[name] == whole[name]
    for name, count in whole["usage"].items():
        assert streamed["usage"][name] == count


def test_calls_that_come_mixed_are_written_one_after_the_other():
    deltas = [
        opening(0, call(0)),
        opening(1, call(1)),
        piece(0, "{"),
        piece(1, '{"b'),
        piece(0, "}"),
    ]
    chunks = [*map(chunk, deltas), chunk(piece(1, '": 2}')), chunk({}, "tool_calls")]
    message = accumulated(written(to_messages.Stream(), chunks))
    assert [(b["id"], b["input"]) for b in message["content"]] == [("t0", {}), ("t1", {"b": 2})]


def test_the_first_call_is_written_as_it_comes():
    stream = to_messages.Stream()
    written(stream, [chunk(opening(0, call(0)))], end=None)
    (event,) = written(stream, [chunk(piece(0, '{"a'))], end=None)
    assert event["delta"] == {"type": "input_json_delta", "partial_json": '{"a'}


def test_text_after_a_call_comes_last():
    chunks = [chunk(opening(0, call(0))), chunk({"content": "B"}), chunk(piece(0, "{}"))]
    message = accumulated(written(to_messages.Stream(), [*chunks, chunk({}, "tool_calls")]))
    assert [block["type"] for block in message["content"]] == ["tool_use", "text"]
    assert message["content"][1]["text"] == "B"


def test_a_streamed_refusal_is_a_refusal():
    chunks = [chunk({"refusal": "No."}), chunk({}, "stop")]
    message = accumulated(written(to_messages.Stream(), chunks))
    assert (message["stop_reason"], message["content"][0]["text"]) == ("refusal", "No.")


def test_usage_in_the_last_chunk_or_after_it_is_told_once():
    last = chunk({}, "stop", usage=USAGE)
    for chunks in ([last], [last, chunk(usage=USAGE)], [chunk({}, "stop"), chunk(usage=USAGE)]):
        events = written(to_messages.Stream(), chunks)
        told = [event["usage"] for event in events if event["type"] == "message_delta"]
        assert told == [COUNTS]


def test_the_stop_reason_waits_for_the_usage():
    stream = to_messages.Stream()
    kinds = [event["type"] for event in written(stream, [chunk({}, "stop")], end=None)]
    assert kinds == ["message_start"]
    kinds = [event["type"] for event in written(stream, [chunk(usage=USAGE)], end=None)]
    assert kinds == ["message_delta"]


@pytest.mark.parametrize("end", ["[DONE]", None])
def test_a_stream_cut_before_its_finish_never_stops(end):
    events = written(to_messages.Stream(), [chunk({"content": "A"})], end)
    assert "message_stop" not in [event["type"] for event in events]
    assert "message_delta" not in [event["type"] for event in events]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "Oh.", "code": 429}, "rate_limit_error"),
        ({"message": "Oh.", "code": "x"}, "api_error"),
        ("Oh.", "api_error"),
    ],
)
def test_an_error_in_a_stream_ends_it(error, kind):
    events = written(to_messages.Stream(), [chunk({}, "stop"), {"error": error}])
    assert events[-1] == {"type": "error", "error": {"type": kind, "message": "Oh."}}


def test_chunks_before_the_answer_and_comments_write_nothing():
    stream = to_messages.Stream()
    assert written(stream, [chunk(id="", prompt_filter_results=[])], end=None) == []
    assert stream.feed(sse.Event("", None)) == []
    assert written(stream, [chunk({"content": "A"})], end=None)[0]["message"]["id"] == "msg_c1"


@pytest.mark.parametrize(
    "data",
    [
        "x",
        "[]",
        '{"choices": [3]}',
        '{"choices": [{"delta": {"tool_calls": [{"index": 0}]}, "finish_reason": "tool_calls"}]}',
    ],
)
def test_what_is_no_chunk_is_refused(data):
    with pytest.raises(ValueError):
        to_messages.Stream().feed(sse.Event("", data))
