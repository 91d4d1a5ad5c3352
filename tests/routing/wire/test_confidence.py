"""The line is asked for where that does no harm, and taken out of a reply that stays as it is."""

import copy
import json

import anthropic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.types import Dialect
from routing.wire import confidence, splice
from routing.wire.confidence import INSTRUCTION, asking, can_ask, strip
from tests.routing.conformance.exchanges import ANTHROPIC_REPLIES, OPENAI_REPLIES

USER = {"role": "user", "content": "Which river flows through Paris?"}
TOOL = {"name": "w", "input_schema": {"type": "object"}}
SCHEMA = {"type": "object"}


def messages(**more):
    return {"messages": [USER], "max_tokens": 500, **more}


def chat(**more):
    return {"messages": [USER], **more}


@pytest.mark.parametrize(
    "payload",
    [
        messages(),
        messages(system="Be brief."),
        messages(stop_sequences=["###", "\n\nHuman:"]),
        messages(thinking={"type": "enabled", "budget_tokens": 400}),
        messages(thinking={"type": "adaptive"}, temperature=1.0),
        messages(tools=[], output_config={"effort": "low"}),
        messages(messages=[{"role": "user", "content": [
            {"type": "image", "source": {"type": "url", "url": "https://example.com"}},
            {"type": "text", "text": "What is this?"}]}]),
        messages(messages=[USER, {"role": "assistant", "content": "The Seine."}, USER]),
    ],
)  # fmt: skip
def test_plain_questions_of_the_messages_api_can_be_asked(payload):
    assert can_ask(payload, Dialect.MESSAGES)


@pytest.mark.parametrize(
    "payload",
    [
        messages(tools=[TOOL]),
        messages(output_config={"format": {"type": "json_schema", "schema": SCHEMA}}),
        messages(output_format={"type": "json_schema", "schema": SCHEMA}),
        messages(messages=[USER, {"role": "assistant", "content": "The river is the"}]),
        messages(stop_sequences=["\n"]),
        messages(stop_sequences=["END", "\n\n"]),
        messages(stop_sequences=["CONFIDENCE"]),
        messages(stop_sequences=["%"]),
        messages(max_tokens=5),
        messages(thinking={"type": "enabled", "budget_tokens": 460}),
        messages(mcp_servers=[{"name": "x"}]),
        messages(container="c_1"),
        messages(system="End with your confidence as a number."),
        messages(system=[{"type": "text", "text": "Give CONFIDENCE from 0 to 1."}]),
        messages(messages=[{"role": "user", "content": "How confident are you that it rains?"}]),
        messages(messages=[{"role": "user", "content": "Ende mit 'Vertrauen: <Zahl>'."}]),
        messages(messages=[{"role": "user", "content": [{"type": "text", "text": "信頼度: 9"}]}]),
    ],
)  # fmt: skip
def test_where_the_line_would_do_harm_it_is_not_asked_for(payload):
    assert not can_ask(payload, Dialect.MESSAGES)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, True),
        ({"n": 1, "stop": "###", "response_format": {"type": "text"}}, True),
        ({"max_completion_tokens": 500}, True),
        ({"n": 2}, False),
        ({"response_format": {"type": "json_object"}}, False),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}, False),
        ({"tools": [{"type": "function"}]}, False),
        ({"functions": [{"name": "f"}]}, False),
        ({"logprobs": True}, False),
        ({"modalities": ["text", "audio"]}, False),
        ({"audio": {"voice": "x"}}, False),
        ({"web_search_options": {"search_context_size": "low"}}, False),
        ({"stop": "\n"}, False),
        ({"stop": [":"]}, False),
        ({"max_tokens": 10}, False),
        ({"max_completion_tokens": 10}, False),
    ],
)
def test_what_chat_completions_may_be_asked(more, expected):
    assert can_ask(chat(**more), Dialect.CHAT) is expected


def test_the_instruction_follows_the_clients_system_text():
    assert asking(messages(), Dialect.MESSAGES)["system"] == INSTRUCTION
    assert asking(messages(system="Be brief."), Dialect.MESSAGES)["system"] == (
        f"Be brief.\n\n{INSTRUCTION}"
    )


def test_blocks_and_what_is_cached_of_them_stay_as_they_are():
    cached = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}
    asked = asking(messages(system=[cached]), Dialect.MESSAGES)
    assert asked["system"] == [cached, {"type": "text", "text": INSTRUCTION}]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_chat_gets_it_in_its_system_message(role):
    said = chat(messages=[{"role": role, "content": "Be brief.", "name": "s"}, USER])
    first, second = asking(said, Dialect.CHAT)["messages"]
    assert first == {"role": role, "content": f"Be brief.\n\n{INSTRUCTION}", "name": "s"}
    assert second == USER


def test_chat_gets_it_in_the_last_of_several_and_as_a_part_of_parts():
    part = {"type": "text", "text": "Be kind."}
    said = [{"role": "developer", "content": "x"}, {"role": "system", "content": [part]}, USER]
    asked = asking(chat(messages=said), Dialect.CHAT)["messages"]
    assert asked[0] == said[0]
    assert asked[1]["content"] == [part, {"type": "text", "text": INSTRUCTION}]


def test_chat_without_a_system_message_gets_one():
    asked = asking(chat(), Dialect.CHAT)["messages"]
    assert asked == [{"role": "system", "content": INSTRUCTION}, USER]


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("system", [None, "Be brief.", [{"type": "text", "text": "x"}]])
def test_the_clients_payload_is_not_changed(dialect, system):
    head = [{"role": "system", "content": system}] if system else []
    said = {"messages": [*head, USER], "max_tokens": 500, "system": system, "top_p": 0.5}
    before = copy.deepcopy(said)
    asked = asking(said, dialect)
    assert said == before
    assert {**asked, "system": 0, "messages": 0} == {**said, "system": 0, "messages": 0}


def test_the_instruction_is_a_line_that_would_be_found():
    assert confidence.split(f"x\n{INSTRUCTION.splitlines()[1]}".replace("<number>", "85")) == (
        "x",
        0.85,
    )


# --- taking it out of replies

ODD = (
    b' {"usage" : {"output_tokens":1},"x":[1.0,1e2,-0,' + b"9" * 300 + b'],"model":"m",'
    b'"content":[{"text":"\\u0061\\/\xc3\x9f\\n\\nCONFIDENCE: 85\\n","type":"text"}],'
    b'"type":"message","content_":[{"text":"CONFIDENCE: 1"}]}\n'
)


def test_all_other_bytes_of_a_message_stay():
    body, said = strip(ODD, Dialect.MESSAGES)
    assert said == 0.85
    expected = ODD.replace(b'"\\u0061\\/\xc3\x9f\\n\\nCONFIDENCE: 85\\n"', b'"a/\\u00df"')
    assert body == expected


def test_all_other_bytes_of_a_completion_stay():
    raw = (
        b'{"choices":[ {"message":{"role":"assistant","content": "Paris\\n\\nCONFIDENCE: 1.0"},'
        b'"index":0}],"z":{"content":"CONFIDENCE: 1"},"x":1.00}'
    )
    body, said = strip(raw, Dialect.CHAT)
    assert (body, said) == (raw.replace(b"Paris\\n\\nCONFIDENCE: 1.0", b"Paris"), 1.0)


@pytest.mark.parametrize(
    ("dialect", "name"),
    [(Dialect.MESSAGES, name) for name in ANTHROPIC_REPLIES]
    + [(Dialect.CHAT, name) for name in OPENAI_REPLIES],
)
def test_a_reply_without_the_line_is_the_same_bytes(dialect, name):
    raw = (ANTHROPIC_REPLIES if dialect is Dialect.MESSAGES else OPENAI_REPLIES)[name]
    assert strip(raw, dialect) == (raw, None)


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"3", b"null", b'{"content": 5}', b'{"choices": []}', b"\xff",
            b'{"choices":[{"message":{"content":null}}]}', b'{"content":[{"type":"text"}]}',
            b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_reply_comes_back_as_it_is(dialect, raw):
    assert strip(raw, dialect) == (raw, None)


def blocks_of(*blocks):
    body, said = strip(json.dumps({"content": list(blocks)}).encode(), Dialect.MESSAGES)
    return json.loads(body)["content"], said


def text(said, **more):
    return {"type": "text", "text": said, **more}


def test_only_the_last_text_is_looked_at():
    thinking = {"type": "thinking", "thinking": "CONFIDENCE: 10", "signature": "s"}
    first = text("Confidence: 20%", citations=None)
    assert blocks_of(thinking, first, text("Paris\nCONFIDENCE: 85")) == (
        [thinking, first, text("Paris")],
        0.85,
    )


def test_a_block_that_was_the_line_alone_goes_where_another_text_stays():
    assert blocks_of(text("Paris"), text("\n\nCONFIDENCE: 85")) == ([text("Paris")], 0.85)
    assert blocks_of(text("CONFIDENCE: 85")) == ([text("")], 0.85)


def test_a_blank_text_after_the_line_hides_nothing():
    assert blocks_of(text("Paris\nCONFIDENCE: 85"), text("\n")) == (
        [text("Paris"), text("\n")],
        0.85,
    )


def test_parts_of_a_chat_message_are_read_too():
    message = {"content": [text("Paris\nCONFIDENCE: 85")]}
    body, said = strip(json.dumps({"choices": [{"message": message}]}).encode(), Dialect.CHAT)
    assert (json.loads(body)["choices"][0]["message"]["content"], said) == ([text("Paris")], 0.85)


def test_the_client_of_the_api_reads_what_is_left():
    body, _ = strip(
        ANTHROPIC_REPLIES["text with citations"].replace(b"\xf0\x9f\x98\x80", b"\\nCONFIDENCE: 85"),
        Dialect.MESSAGES,
    )
    message = anthropic.types.Message.model_validate_json(body)
    assert message.content[0].text == "Why is the sky blue? \u2713 "
    assert len(message.content[0].citations) == 5


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=3) | st.sampled_from(["text", "content"]), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=4), JSON), st.lists(JSON, max_size=2), st.booleans())
def test_every_other_value_of_any_reply_stays(more, extras, is_ascii):
    content = [*extras, text("Größe\n\nCONFIDENCE: 85", x=extras)]
    said = {**more, "content": content, "y": more}
    raw = json.dumps(said, ensure_ascii=is_ascii).encode(errors="surrogatepass")
    body, confidence_ = strip(raw, Dialect.MESSAGES)
    expected = {**said, "content": [*extras, text("Größe", x=extras)]}
    assert (json.loads(body), confidence_) == (expected, 0.85)


@given(JSON, st.text())
def test_a_text_at_any_place_is_replaced_alone(value, new):
    raw = json.dumps({"a": value, "b": [value, {"c": "old"}], "c": "old"}).encode()
    spliced = json.loads(splice.with_text(raw, ("b", 1, "c"), new))
    assert spliced == {"a": value, "b": [value, {"c": new}], "c": "old"}


@pytest.mark.parametrize("place", [("a",), ("b", 0), ("c", 0), ("d",), ("c",)])
def test_a_place_without_a_text_is_an_error(place):
    with pytest.raises(LookupError):
        splice.with_text(b'{"a": 1, "b": {"0": "x"}, "c": []}', place, "y")
