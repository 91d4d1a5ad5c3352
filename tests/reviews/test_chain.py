"""One spelling of a value, and a chain of rows that shows every change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews import chain

LEAF = st.none() | st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(LEAF, lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner))


def trail(n=4):
    rows, previous = [], chain.START
    for number in range(1, n + 1):
        row = {
            "project": "p", "number": number, "at": f"2026-01-0{number}", "actor": "ann",
            "event": "noted", "subject": f"thing {number}", "detail": {"n": number},
            "previous_sha256": previous,
        }  # fmt: skip
        previous = row["sha256"] = chain.seal(row)
        rows.append(row)
    return rows


def test_the_order_of_keys_changes_nothing():
    assert chain.sha256({"a": 1, "b": 2}) == chain.sha256({"b": 2, "a": 1.0})


@given(VALUES)
def test_what_was_read_back_is_spelled_alike(value):
    import json

    assert chain.canonical(json.loads(chain.canonical(value))) == chain.canonical(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError):
        chain.canonical({"x": value})


def test_a_whole_trail_has_no_fault():
    assert chain.faults(trail()) == []


@pytest.mark.parametrize("field", [*chain.FIELDS[2:]])
def test_a_changed_row_is_named(field):
    rows = trail()
    rows[1][field] = "other"
    assert chain.faults(rows) == ["row 2 was changed: its hash is another"]


def test_a_changed_row_with_a_new_hash_breaks_the_next():
    rows = trail()
    rows[1]["actor"] = "eve"
    rows[1]["sha256"] = chain.seal(rows[1])
    assert chain.faults(rows) == ["row 3 does not follow the row before it"]


def test_a_removed_row_is_named():
    rows = trail()
    del rows[1]
    assert chain.faults(rows) == ["row 2 is missing", "row 3 does not follow the row before it"]


def test_rows_that_changed_places_are_named():
    rows = trail()
    rows[1], rows[2] = rows[2], rows[1]
    assert "row 2 stands after row 3" in chain.faults(rows)


def test_a_row_from_another_trail_is_found():
    rows = trail()
    rows[2] = {**rows[2], "project": "q"}
    assert chain.faults(rows) == ["row 3 was changed: its hash is another"]
