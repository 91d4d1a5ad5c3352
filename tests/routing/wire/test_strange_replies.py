"""Whatever a provider sends is translated, or refused with a ValueError: never anything else."""

import contextlib
import copy
import json

import pytest

from routing.wire import sse, to_chat, to_messages
from tests.routing.wire.shapes_chat import USAGE, call, completion
from tests.routing.wire.shapes_messages import block, message, text

JUNK = [None, 0, -1, 1.5, True, "", "x", "\ud83d", [], {}, [1], {"a": 1}, [text("a")]]
USED = block("tool_use", id="t", name="n", input={"a": 1})
MESSAGE = message(text("A"), USED, stop="tool_use")
EVENTS = [
    {"type": "message_start", "message": message()},
    {"type": "content_block_start", "index": 0, "content_block": text("")},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "A"}},
    {"type": "content_block_start", "index": 1, "content_block": USED},
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": "{}"},
    },
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
]
COMPLETION = completion("length", content="A", refusal=None, tool_calls=[call(1), call(2, "{")])
CHUNKS = [
    {"id": "c", "model": "g", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    for delta, finish in (
        ({"content": "A"}, None),
        ({"tool_calls": [call(1) | {"index": 0}]}, None),
        ({"tool_calls": [call(2) | {"index": 1}]}, None),
        ({"content": "B"}, None),
        ({}, "tool_calls"),
    )
] + [{"id": "c", "choices": [], "usage": USAGE}]


def places(value, path=()):
    """The way to every value within."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in inner:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


def spoiled(value):
    """The value with each place in it replaced by each piece of junk, or taken out."""
    for *way, last in places(value):
        for junk in [*JUNK, ...]:
            whole = copy.deepcopy(value)
            parent = whole
            for key in way:
                parent = parent[key]
            if junk is ...:
                del parent[last]
            else:
                parent[last] = copy.deepcopy(junk)
            yield whole


def streamed(stream, said):
    for data in said:
        stream.feed(sse.Event("", json.dumps(data)))
    with contextlib.suppress(json.JSONDecodeError):  # one API's streams have no such end
        stream.feed(sse.Event("", "[DONE]"))


@pytest.mark.parametrize(
    ("said", "translate"),
    [
        (MESSAGE, lambda said: to_chat.reply(said, 0)),
        (COMPLETION, to_messages.reply),
        (EVENTS, lambda said: streamed(to_chat.Stream(0, True), said)),
        (CHUNKS, lambda said: streamed(to_messages.Stream(), said)),
    ],
    ids=["message", "completion", "events", "chunks"],
)
def test_junk_anywhere_is_carried_or_refused(said, translate):
    translate(said)
    for strange in spoiled(said):
        with contextlib.suppress(ValueError):
            translate(strange)
