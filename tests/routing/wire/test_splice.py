"""One value changes, every other byte stays."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.wire import splice

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text() | st.sampled_from(['"model"', 'a"model":"b', "\\", "{", "}"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("model"), inner),
    max_leaves=12,
)  # fmt: skip


@given(
    st.dictionaries(st.text().filter(lambda name: name != "model"), JSON),
    st.integers(0, 5),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_only_the_top_level_model_changes(others, place, ascii_only, indent):
    members = list(others.items())
    members.insert(min(place, len(members)), ("model", "auto"))
    raw = json.dumps(dict(members), ensure_ascii=ascii_only, indent=indent)
    raw = raw.encode("utf-8", "surrogatepass")
    marked = json.dumps(dict(members) | {"model": "new\u00e9"}, ensure_ascii=ascii_only,
                        indent=indent)  # fmt: skip
    changed = splice.with_model(raw, "new\u00e9")
    assert json.loads(changed.decode("utf-8", "surrogatepass")) == json.loads(marked)
    head, _, tail = changed.rpartition(b'"new\\u00e9"')
    assert raw.startswith(head)
    assert raw.endswith(tail)
    assert len(head) + len(b'"auto"') + len(tail) == len(raw)


@pytest.mark.parametrize(
    ("raw", "changed"),
    [
        (b'{"model":"a","model" : "b"}', b'{"model":"m","model" : "m"}'),
        (b'{"mod\\u0065l":"a"}', b'{"mod\\u0065l":"m"}'),
        (b'{"x":"model","model":"a"}', b'{"x":"model","model":"m"}'),
        (b'{"x":{"model":"k"},\n"model":\t"a\\"b"}', b'{"x":{"model":"k"},\n"model":\t"m"}'),
        (b'{"x":["model",":","a"],"model":"a"}', b'{"x":["model",":","a"],"model":"m"}'),
    ],
)
def test_odd_spellings(raw, changed):
    assert splice.with_model(raw, "m") == changed


def test_the_usage_is_asked_for_at_the_end():
    asked = splice.with_usage_asked(b'{"model": "m", "stream": true }\n')
    assert json.loads(asked)["stream_options"] == {"include_usage": True}
    assert asked.startswith(b'{"model": "m", "stream": true ')
