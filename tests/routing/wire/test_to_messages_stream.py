"""Streams of Chat Completions become those of the Messages API."""

import itertools
import json

import pytest
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from routing.wire import sse, to_messages
from tests.routing.wire.shapes_chat import COUNTS, FINISHES, INPUT, USAGE, call, completion

QUICK = settings(max_examples=80)
EVENT = TypeAdapter(RawMessageStreamEvent)


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
    finish = draw(st.sampled_from([finish for finish, _ in FINISHES if finish]))
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
        '{"choices": [{"delta": {}, "finish_reason": "error"}]}',
        '{"choices": [{"delta": {"function_call": {"name": "f"}}}]}',
        '{"choices": [{"delta": {"content": [{"type": "image_url"}]}}]}',
        '{"choices": [3]}',
        '{"choices": [{"delta": {"tool_calls": [{"index": 0}]}, "finish_reason": "tool_calls"}]}',
    ],
)
def test_what_is_no_chunk_is_refused(data):
    with pytest.raises(ValueError):
        to_messages.Stream().feed(sse.Event("", data))


def test_a_streamed_call_without_an_id_gets_the_same_one():
    chunks = [chunk(piece(0, "{}", name="add")), chunk({}, "tool_calls")]
    message = accumulated(written(to_messages.Stream(), chunks))
    assert message["content"][0]["id"] == "toolu_msg_c1_0"


def test_strange_counts_are_refused_at_the_end_too():
    stream = to_messages.Stream()
    stream.feed(sse.Event("", json.dumps(chunk({"content": "A"}))))
    stream.feed(sse.Event("", json.dumps(chunk(usage="x"))))
    stream.feed(sse.Event("", json.dumps(chunk({}, "stop"))))
    with pytest.raises(ValueError):
        stream.feed(sse.Event("", "[DONE]"))


def test_calls_that_are_all_numbered_0_are_told_apart_by_their_ids():
    deltas = [opening(0, call(n)) for n in (1, 2)]
    deltas = [deltas[0], piece(0, '{"n": 1}'), deltas[1], piece(0, '{"n"'), piece(0, ": 2}")]
    whole = opening(0, call(3))
    whole["tool_calls"][0]["function"]["arguments"] = '{"n": 3}'
    chunks = [*map(chunk, deltas), chunk(whole), chunk({}, "tool_calls")]
    message = accumulated(written(to_messages.Stream(), chunks))
    said = [(block["id"], block["input"]) for block in message["content"]]
    assert said == [("t1", {"n": 1}), ("t2", {"n": 2}), ("t3", {"n": 3})]


@pytest.mark.parametrize("more", [{"id": "t1", "name": "add"}, {"id": "another"}, {"name": "add"}])
def test_pieces_that_repeat_what_is_known_begin_no_call(more):
    again = piece(0, ": 1}")
    again["tool_calls"][0] |= {"id": more.get("id")}
    again["tool_calls"][0]["function"] |= {"name": more.get("name")}
    chunks = [chunk(opening(0, call(1))), chunk(piece(0, '{"a"')), chunk(again)]
    message = accumulated(written(to_messages.Stream(), [*chunks, chunk({}, "tool_calls")]))
    assert [(b["id"], b["input"]) for b in message["content"]] == [("t1", {"a": 1})]


def test_a_stream_cut_amid_a_call_tells_what_came_and_why_it_ended():
    chunks = [chunk({"content": "A"}), chunk(opening(0, call(1))), chunk(piece(0, '{"a": 1, "b'))]
    message = accumulated(written(to_messages.Stream(), [*chunks, chunk({}, "length")]))
    assert message["stop_reason"] == "max_tokens"
    assert message["content"][0]["text"] == "A"
    assert message["content"][1]["id"] == "t1"


def test_parts_in_a_stream_are_read_as_their_text():
    parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "A"}]
    message = accumulated(
        written(to_messages.Stream(), [chunk({"content": parts}), chunk({}, "stop")])
    )
    assert [block["text"] for block in message["content"]] == ["A"]
