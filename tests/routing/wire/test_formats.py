"""Which form of answer a client asks for is read from either API's fields."""

import pytest

from routing.types import Dialect
from routing.wire.formats import Wanted, wanted

SCHEMA = {"type": "object"}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({}, Wanted()),
        ({"output_config": {"effort": "low"}}, Wanted()),
        ({"output_config": None}, Wanted()),
        ({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
         Wanted(SCHEMA, True)),
        ({"output_format": {"type": "json_schema", "schema": SCHEMA}}, Wanted(SCHEMA, True)),
        ({"response_format": {"type": "json_object"}}, Wanted()),
    ],
)  # fmt: skip
def test_messages(payload, expected):
    assert wanted(payload, Dialect.MESSAGES) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, Wanted()),
        ({"type": "text"}, Wanted()),
        ({"type": "json_object"}, Wanted(None, True)),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
         Wanted(SCHEMA, True)),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, Wanted(None, True)),
        ({"type": "json_schema", "json_schema": 5}, Wanted(None, True)),
        ("json", Wanted()),
    ],
)  # fmt: skip
def test_chat_completions(said, expected):
    assert wanted({"response_format": said}, Dialect.CHAT) == expected
