"""Messages become Chat Completions: what is carried and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.errors import InvalidRequest
from routing.wire import to_chat, to_messages
from tests.routing.wire.shapes_messages import block, text

PNG = "iVBORw0KGgo="
QUICK = settings(max_examples=80)
TOOL = {"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}
ASKED = {"role": "user", "content": "Hi"}


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
        (
            block(
                "image",
                source={"type": "url", "url": "https://x.test/a.png"},
                transformations={"oversized_image": "downsize"},
            ),
            block("image_url", image_url={"url": "https://x.test/a.png"}),
        ),
        (document(PLAIN, citations={}), text("Body.")),
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
        (
            {"tools": [TOOL | {"allowed_callers": ["direct"], "defer_loading": False}]},
            {"tools": [block("function", function=FUNCTION)]},
        ),
        ({"output_config": {"effort": "max"}}, {"reasoning_effort": "max"}),
        ({"speed": "standard", "diagnostics": {"previous_message_id": "m"}}, {}),
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
        ({"output_config": {"effort": "none"}}, "output_config.effort"),
        ({"speed": "fast"}, "speed"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"user_profile_id": "u"}, "user_profile_id"),
        ({"output_config": {"task_budget": 3}}, "output_config.task_budget"),
        ({"output_config": {"format": {"type": "grammar"}}}, "output_config.format"),
        ({"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools.0.type"),
        ({"tools": [TOOL | {"input_examples": [{}]}]}, "tools.0.input_examples"),
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools.0.defer_loading"),
        ({"tools": [TOOL | {"allowed_callers": ["x"]}]}, "tools.0.allowed_callers"),
        ({"tool_choice": {"type": "auto", "name": "add"}}, "tool_choice.name"),
        (
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": "yes"}},
            "tool_choice.disable_parallel_tool_use",
        ),
        ({"thinking": {"type": "between_tools"}}, "thinking"),
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
        (
            "user",
            block("tool_result", tool_use_id="t", is_error="yes"),
            ".content.0.is_error",
        ),
        (
            "user",
            block(
                "image",
                source={"type": "url", "url": "https://x.test/a.png"},
                transformations={"oversized_image": "error"},
            ),
            ".content.0.transformations",
        ),
        (
            "user",
            block("image", source={"type": "url", "url": "https://x.test/a.png", "data": PNG}),
            ".content.0.source.data",
        ),
        ("user", document({"type": "content", "content": None}), ".content.0.source.content"),
        ("user", document({"type": "text", "data": "a", "content": "b"}), ".content.0.source"),
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


def test_turns_without_anything_are_refused():
    with pytest.raises(InvalidRequest, match="messages: at least one"):
        to_chat.request(payload({"role": "user", "content": []}, system="S"))


SECRET = "what the client says"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "text", "tool", SECRET]),
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
    refusal = ""
    try:
        body = to_chat.request(payload({"role": "user", "content": [*blocks]}, ASKED, **fields))
        assert body["max_tokens"] == 9
    except InvalidRequest as exc:
        refusal = str(exc)
    assert SECRET not in refusal


def test_what_the_other_direction_writes_is_carried_back():
    chat = {"messages": [ASKED], "max_tokens": 3, "stop": ["x"], "user": "u", "stream": True}
    back = to_chat.request(to_messages.request(chat))
    assert back == chat | {"stream_options": {"include_usage": True}}
