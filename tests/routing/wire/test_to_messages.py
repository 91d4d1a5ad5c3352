"""Chat Completions become Messages: what is carried and what is refused."""

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidRequest
from routing.wire import to_chat, to_messages
from tests.routing.wire.shapes_chat import INPUT, WORD, call, text

PNG = "iVBORw0KGgo="
QUICK = settings(max_examples=80)
ASKED = {"role": "user", "content": "Hi"}


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
        ({"reasoning_effort": "xhigh"}, {"output_config": {"effort": "xhigh"}}),
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
        {"verbosity": "medium"},
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
        ({"stop": {"a": 1}}, "stop"),
        ({"stop": [1]}, "stop"),
        ({"response_format": {"type": "text", "json_schema": {}}}, "response_format.json_schema"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": ""}}]},
            "tools.0.function.parameters",
        ),
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


def test_ids_take_the_letters_that_the_api_takes_and_still_agree():
    said = assistant(tool_calls=[call(1) | {"id": "functions.add:0"}])
    answer = {"role": "tool", "tool_call_id": "functions.add:0", "content": "2"}
    turns = to_messages.request(payload(ASKED, said, answer))["messages"]
    assert turns[1]["content"][0]["id"] == "functions_add_0"
    assert turns[2]["content"][0]["tool_use_id"] == "functions_add_0"


NAMES = ["type", "function", "role", "content", "text", "image_url", "file", "tool_calls", "id"]
SECRET = "what the client says"
WORDS = [SECRET, "", "text", "user", "assistant", "tool", "function", "image_url", "file"]
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
    refusal = ""
    try:
        body = to_messages.request(payload(ASKED, *messages, ASKED, **fields))
        assert body["messages"][0]["content"][0] == text("Hi")
    except InvalidRequest as exc:
        refusal = str(exc)
    assert SECRET not in refusal


PART = st.builds(text, WORD) | st.sampled_from(
    [
        image("https://x.test/a.png"),
        image(f"data:image/gif;base64,{PNG}"),
        file(filename="a.pdf", file_data=f"data:application/pdf;base64,{PNG}"),
    ]
)
USER = st.builds(lambda c: {"role": "user", "content": c}, WORD | st.lists(PART, min_size=2))


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
