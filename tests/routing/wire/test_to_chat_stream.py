"""Streams of the Messages API become those of Chat Completions."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from routing.wire import sse, to_chat
from tests.routing.wire.shapes_messages import FINISHES, USAGE, block, message, text

QUICK = settings(max_examples=80)


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


def test_an_input_told_at_once_is_not_lost():
    call = block("tool_use", id="t1", name="add", input={"a": 1})
    *told, delta, stop = events_of(message(call, stop="tool_use"), list)
    at_once = [event for event in told if event["type"] != "content_block_delta"]
    at_once[2] |= {"content_block": call}
    *chunks, _ = events(to_chat.Stream(0, False), [*at_once, delta, stop])
    deltas = [json.loads(data)["choices"][0]["delta"] for data in chunks]
    pieces = [delta["tool_calls"][0]["function"]["arguments"] for delta in deltas[1:-1]]
    assert "".join(pieces) == '{"a": 1}'


def test_nothing_is_written_after_the_end():
    stream = to_chat.Stream(0, True)
    told = list(events_of(message(text("A")), lambda whole: [whole]))
    assert events(stream, [*told, told[-1]]).count("[DONE]") == 1
    assert stream.feed(sse.Event("", "[DONE]")) == []
