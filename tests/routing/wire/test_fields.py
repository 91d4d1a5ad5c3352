"""Sentences that refuse a field show names only."""

import pytest

from routing.errors import InvalidRequest
from routing.wire import fields


@pytest.mark.parametrize("name", ["web_search_20250305", "a.b", "x" * 60])
def test_short_names_are_shown(name):
    assert fields.brief(name) == name


@pytest.mark.parametrize("value", ["two words", "x" * 61, "", "line\nbreak", "ä", None, 3, ["a"]])
def test_nothing_else_is_shown(value):
    assert fields.brief(value) == "this value"


def test_an_unknown_name_is_shown_but_not_all_of_a_long_one():
    with pytest.raises(InvalidRequest) as caught:
        fields.fields("a", {"n" * 900: 1}, (), cannot="cannot")
    assert str(caught.value) == f"a.{'n' * 60}: cannot"


def test_nulls_empty_lists_and_hints_are_absent():
    said = {"a": 1, "b": None, "c": [], "hint": 3}
    assert fields.fields("", said, ("a",), cannot="no", hints=("hint",)) == {"a": 1}


def test_a_field_with_a_harmless_value_passes_and_another_is_refused():
    fields.harmless("t", {}, "f", False, cannot="no")
    fields.harmless("t", {"f": False}, "f", False, cannot="no")
    with pytest.raises(InvalidRequest, match="t.f: no"):
        fields.harmless("t", {"f": True}, "f", False, cannot="no")
