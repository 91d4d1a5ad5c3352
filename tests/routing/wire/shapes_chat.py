"""What the Chat Completions API says: texts, calls, and whole completions."""

from hypothesis import strategies as st

WORD = st.text(min_size=1, max_size=8)
INPUT = st.dictionaries(WORD, st.integers() | WORD | st.lists(st.booleans()), max_size=2)


def text(value):
    return {"type": "text", "text": value}


def call(n=1, arguments='{"a": 1}', **more):
    function = {"name": "add", "arguments": arguments}
    return {"id": f"t{n}", "type": "function", "function": function, **more}


USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 4,
    "total_tokens": 14,
    "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2},
}
COUNTS = {
    "input_tokens": 5,
    "cache_creation_input_tokens": 2,
    "cache_read_input_tokens": 3,
    "output_tokens": 4,
}


def completion(finish="stop", usage=USAGE, **message):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "c1", "model": "gpt", "created": 1, "choices": [choice], "usage": usage}


FINISHES = [
    ("stop", "end_turn"),
    ("length", "max_tokens"),
    ("model_length", "max_tokens"),
    ("tool_calls", "end_turn"),
    ("eos", "end_turn"),
    (None, "end_turn"),
    ("content_filter", "refusal"),
]
