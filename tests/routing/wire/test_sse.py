"""Streams of events: cut into the same events wherever the chunks end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.wire import sse

ENDS = ["\n\n", "\r\n\r\n", "\r\r"]
LINES = st.lists(st.sampled_from(["data: a", "event: x", ": c", "data:b", "id: 1"]), min_size=1)


@given(
    st.lists(st.tuples(LINES, st.sampled_from(ENDS)), min_size=1, max_size=6),
    st.lists(st.integers(1, 7), min_size=1),
)
def test_chunks_may_end_anywhere(events, sizes):
    raw = [(end[: len(end) // 2].join(lines) + end).encode() for lines, end in events]
    stream, splitter, got, at, turn = b"".join(raw), sse.Splitter(), [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        got += splitter.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert b"".join(got) + splitter.rest == stream
    assert [sse.read(event).data for event in got] == [sse.read(event).data for event in raw]


def test_an_unfinished_event_waits():
    splitter = sse.Splitter()
    assert splitter.feed(b"data: 1\n\ndata: 2\n") == [b"data: 1\n\n"]
    assert splitter.rest == b"data: 2\n"


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        (b"event: ping\ndata: {}\n\n", sse.Event("ping", "{}")),
        (b"data: a\ndata: b\n\n", sse.Event("", "a\nb")),
        (b": keep-alive\n\n", sse.Event("", None)),
        (b"data\n\n", sse.Event("", "")),
        (b"data:  two\n\n", sse.Event("", " two")),
    ],
)
def test_reading_follows_the_standard(raw, event):
    assert sse.read(raw) == event


def test_what_is_written_is_read_back():
    assert sse.read(sse.write('{"a": "\u00e9"}', "x")) == sse.Event("x", '{"a": "\u00e9"}')
