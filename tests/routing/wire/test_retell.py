"""A whole reply told as a stream is the same reply to whoever adds it up."""

import json

import anthropic
import httpx2
import openai
import pytest

from routing.types import ChatRequest, Dialect
from routing.wire import assemble, retell, sse, translation
from tests.routing.conformance.exchanges import ANTHROPIC_REPLIES, OPENAI_REPLIES

#: What one choice of a stream can carry; the assembler reads one, and function calls.
ONE_CHOICE = [name for name in OPENAI_REPLIES if name not in ("two choices", "tool calls")]
CALLS = [
    {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": "Größe"}'}},
    {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}},
]


def told(raw, dialect, **how):
    return list(retell.events(raw, dialect, **how))


def added_up(raw, dialect, **how):
    parts = assemble.assembler(dialect)
    for event in told(raw, dialect, **how):
        parts.feed(sse.read(event))
    assert parts.is_whole
    assert parts.is_understood
    return json.loads(parts.body)


def set_values(value):
    """Return a value without what is null: absent and null mean the same."""
    if isinstance(value, dict):
        return {k: set_values(v) for k, v in value.items() if v is not None}
    return [set_values(one) for one in value] if isinstance(value, list) else value


def calls_reply():
    said = json.loads(OPENAI_REPLIES["tool calls"])
    said["choices"][0]["message"]["tool_calls"] = CALLS
    return json.dumps(said).encode()


@pytest.mark.parametrize("name", ANTHROPIC_REPLIES)
def test_a_message_adds_up_to_itself(name):
    raw = ANTHROPIC_REPLIES[name]
    assert set_values(added_up(raw, Dialect.MESSAGES)) == set_values(json.loads(raw))


@pytest.mark.parametrize("raw", [*(OPENAI_REPLIES[name] for name in ONE_CHOICE), calls_reply()])
def test_a_completion_adds_up_to_itself(raw):
    said = json.loads(raw)
    said["choices"][0].pop("logprobs", None)  # which the assembler does not keep
    assert set_values(added_up(raw, Dialect.CHAT)) == set_values(said)


@pytest.mark.parametrize("size", [0, 1, 1999, 2000, 2001, 100_000])
def test_text_of_any_length_comes_in_pieces_that_join(size):
    said = "".join(chr(0x1F600 + n % 50) for n in range(size))
    content = [{"type": "text", "text": said}, {"type": "thinking", "thinking": said}]
    content.append({"type": "tool_use", "id": "t", "name": "f", "input": {"x": said}})
    raw = json.dumps({"content": content, "usage": {"output_tokens": 1}}).encode()
    assert added_up(raw, Dialect.MESSAGES)["content"] == content


def served(raw, dialect, **how):
    body = b"".join(told(raw, dialect, **how))
    answer = httpx2.Response(200, content=body, headers={"content-type": "text/event-stream"})
    return httpx2.Client(transport=httpx2.MockTransport(lambda request: answer))


@pytest.mark.parametrize(
    "name",
    ["text with citations", "thinking", "tools", "server tools", "a pause", "a refusal",
     "indented and escaped"],
)  # fmt: skip
def test_the_anthropic_client_gets_the_same_message(name):
    raw = ANTHROPIC_REPLIES[name]
    client = anthropic.Anthropic(api_key="k", http_client=served(raw, Dialect.MESSAGES))
    asked = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}]}
    with client.messages.stream(**asked) as stream:
        message = stream.get_final_message()
    got = message.to_dict()
    whole = anthropic.types.Message.construct(**json.loads(raw)).to_dict()
    assert set_values(got) == set_values(whole)


@pytest.mark.parametrize(
    "raw",
    [OPENAI_REPLIES["text"], OPENAI_REPLIES["a refusal"], OPENAI_REPLIES["log probabilities"],
     OPENAI_REPLIES["annotations and audio"], OPENAI_REPLIES["two choices"], calls_reply()],
)  # fmt: skip
def test_the_openai_client_gets_the_same_completion(raw):
    client = openai.OpenAI(api_key="k", http_client=served(raw, Dialect.CHAT))
    asked = {"model": "auto", "messages": [{"role": "user", "content": "q"}]}
    with client.chat.completions.stream(**asked) as stream:
        got = stream.get_final_completion().to_dict()
    said = json.loads(raw)
    for choice, whole in zip(got["choices"], said["choices"], strict=True):
        assert choice["finish_reason"] == whole["finish_reason"]
        for name, value in set_values(whole["message"]).items():
            if name == "tool_calls":
                seen = [set_values(one) for one in choice["message"][name]]
                assert [{k: one[k] for k in ("id", "type")} for one in seen] == [
                    {k: one[k] for k in ("id", "type")} for one in value
                ]
                assert [one["function"]["arguments"] for one in seen] == [
                    one["function"]["arguments"] for one in value
                ]
            elif name != "annotations" or value:
                assert choice["message"][name] == value
    assert got["usage"] == said["usage"]


def test_log_probabilities_are_told_once():
    chunks = [
        json.loads(sse.read(e).data)
        for e in told(OPENAI_REPLIES["log probabilities"], Dialect.CHAT)[:-1]
    ]  # noqa: E501
    logged = [one["logprobs"] for chunk in chunks for one in chunk["choices"] if one["logprobs"]]
    assert logged == [json.loads(OPENAI_REPLIES["log probabilities"])["choices"][0]["logprobs"]]


@pytest.mark.parametrize("include_usage", [False, True])
def test_the_counts_come_in_a_chunk_of_their_own_when_they_were_asked_for(include_usage):
    events = told(OPENAI_REPLIES["text"], Dialect.CHAT, include_usage=include_usage)
    assert events[-1] == b"data: [DONE]\n\n"
    chunks = [json.loads(sse.read(event).data) for event in events[:-1]]
    counted = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert len(counted) == include_usage
    assert all(chunk["choices"] for chunk in chunks) is not include_usage
    assert all(chunk["object"] == "chat.completion.chunk" for chunk in chunks)


def test_the_events_of_a_message_come_in_the_api_s_order():
    events = [sse.read(event) for event in told(ANTHROPIC_REPLIES["thinking"], Dialect.MESSAGES)]
    names = [event.name for event in events]
    assert names[0] == "message_start"
    assert names[-2:] == ["message_delta", "message_stop"]
    assert names.count("content_block_start") == names.count("content_block_stop") == 3
    assert [json.loads(event.data)["type"] for event in events] == names
    start = json.loads(events[0].data)["message"]
    assert (start["content"], start["stop_reason"]) == ([], None)


def test_half_a_character_is_told_as_json_tells_it():
    raw = b'{"content": [{"type": "text", "text": "\\ud83d"}], "usage": {}}'
    assert added_up(raw, Dialect.MESSAGES)["content"][0]["text"] == "\ud83d"


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"{}", b'{"content": [1]}', b'{"choices": [1]}'])
def test_what_is_no_reply_is_refused_before_the_first_event(dialect, raw):
    with pytest.raises(ValueError, match="."):
        retell.events(raw, dialect)


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
def test_clients_that_did_not_ask_for_counts_get_none_from_the_relay(options):
    payload = {"messages": [], "stream": True, **options}
    request = ChatRequest(payload, "q", "auto", dialect=Dialect.CHAT, is_stream=True)
    relay = translation.Relay(request, Dialect.CHAT)
    events = [relay.feed(raw, sse.read(raw)) for raw in told(OPENAI_REPLIES["text"], Dialect.CHAT)]
    assert (b'"usage"' in b"".join(events)) is bool(options)


def test_a_retold_completion_can_be_translated():
    request = ChatRequest({"messages": []}, "q", "auto", is_stream=True)
    relay = translation.Relay(request, Dialect.CHAT)
    parts = assemble.assembler(Dialect.MESSAGES)
    for raw in told(calls_reply(), Dialect.CHAT):
        for event in sse.Splitter().feed(relay.feed(raw, sse.read(raw))):
            parts.feed(sse.read(event))
    body = json.loads(parts.body)
    assert [block["name"] for block in body["content"]] == ["f", "g"]
    assert body["usage"]["output_tokens"] == 10
