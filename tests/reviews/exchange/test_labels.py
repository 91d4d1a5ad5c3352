"""Files of other tools: what they really look like, and what hostile ones do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews.errors import BadInput
from reviews.exchange import argilla, labels, labelstudio
from reviews.exchange.labels import Names

NAMES = Names()
BASE = {"left": "L", "right": "R", "request_id": "r1"}


def annotation(*result, by=10, **more):
    return {
        "id": 1001, "completed_by": by, "result": list(result), "was_cancelled": False,
        "ground_truth": False, "lead_time": 4.2, "updated_at": "2026-01-01T00:00:00Z", **more,
    }  # fmt: skip


def pairwise(selected, name="pw"):
    return {
        "id": "x", "type": "pairwise", "from_name": name, "to_name": "left,right",
        "value": {"selected": selected}, "origin": "manual",
    }  # fmt: skip


def choice(name, value):
    return {"type": "choices", "from_name": name, "to_name": "q", "value": {"choices": [value]}}


def stars(name, value):
    return {"type": "rating", "from_name": name, "to_name": "q", "value": {"rating": value}}


def studio(*annotations, names=NAMES, **task):
    item = {"id": 1, "data": BASE, "annotations": list(annotations), "predictions": [], **task}
    return labelstudio.read([item], names)


def one(read):
    assert read.refused == []
    (label,) = read.labels
    return label


# --- Label Studio -----------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_pairwise_tag_of_any_name_prefers_a_side(side):
    label = one(studio(annotation(pairwise(side))))
    assert (label.preference, label.left, label.right) == (side, "L", "R")
    assert (label.rater, label.where, label.row) == ("label-studio/10", ("r1",), 1)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("A", "left"), ("B is better", "right"), ("About equal", "tie"), ("both-bad", "both_bad")],
)
def test_a_choice_prefers_in_several_spellings(word, meant):
    assert one(studio(annotation(choice("preference", word)))).preference == meant


def test_adequacy_comes_from_choices_and_from_ratings_when_it_is_said_from_where_on():
    said = (stars("left_adequate", 4), stars("right_adequate", 3), pairwise("left"))
    label = one(studio(annotation(*said), names=Names(adequate_from=4)))
    assert (label.left_adequate, label.right_adequate) == (True, False)
    (refused,) = studio(annotation(*said)).refused
    assert "no rating was named" in refused.reason
    yes = one(studio(annotation(choice("left_adequate", "yes"))))
    assert (yes.preference, yes.left_adequate, yes.right_adequate) == ("", True, None)


def test_skipped_and_settled_answers_are_counted_and_left_out():
    read = studio(
        annotation(was_cancelled=True), annotation(pairwise("left"), ground_truth=True),
        annotation(pairwise("right"), by={"id": 3, "email": "ann@example.org"}),
    )  # fmt: skip
    assert read.skipped == 2
    assert one(read).rater == "label-studio/ann@example.org"


def test_fields_and_controls_may_have_other_names():
    names = Names(left="text1", right="text2", preference="best", left_adequate="ok1")
    said = annotation(choice("best", "right"), choice("ok1", "no"))
    data = {"text1": "one", "text2": "two", "pair_id": 7}
    label = one(studio(said, names=names, data=data))
    assert (label.left, label.right, label.where) == ("one", "two", ("pair 7",))
    assert (label.preference, label.left_adequate) == ("right", False)


# --- Argilla ----------------------------------------------------------------------------------

ME, YOU = "0000-1", "0000-2"
FIELDS = {"query": "q", "left": "L", "right": "R"}
V2 = {
    "id": "r1", "fields": FIELDS, "metadata": {"request_id": "r1"}, "suggestions": {},
    "responses": {
        "preference": [{"value": "left", "user_id": ME}, {"value": "tie", "user_id": YOU}],
        "left_adequate": [{"value": "yes", "user_id": ME}],
    },
    "vectors": {}, "_server_id": "s",
}  # fmt: skip
V2_FLAT = {
    "id": "r1", **FIELDS, "request_id": "r1", "status": "completed", "_server_id": "s",
    "preference.responses": ["left", "tie", "right"],
    "preference.responses.users": [ME, YOU, "0000-3"],
    "preference.responses.status": ["submitted", "submitted", "draft"],
    "left_adequate.responses": ["yes"], "left_adequate.responses.users": [ME],
    "left_adequate.responses.status": ["submitted"],
    "right_adequate.responses": None, "preference.suggestion": None,
}  # fmt: skip
V1 = {
    "external_id": "r1", "fields": FIELDS, "metadata": {},
    "responses": [
        {
            "user_id": ME, "status": "submitted",
            "values": {"preference": {"value": "left"}, "left_adequate": {"value": "yes"}},
        },
        {"user_id": YOU, "status": "submitted", "values": {"preference": {"value": "tie"}}},
        {"user_id": "0000-3", "status": "discarded", "values": None},
    ],
}  # fmt: skip
V1_SET = {
    **FIELDS, "metadata": '{"request_id": "r1"}', "external_id": None,
    "preference": [
        {"user_id": ME, "value": "left", "status": "submitted"},
        {"user_id": YOU, "value": "tie", "status": "submitted"},
        {"user_id": "0000-3", "value": "right", "status": "discarded"},
    ],
    "left_adequate": [{"user_id": ME, "value": "yes", "status": "submitted"}],
    "preference-suggestion": None,
}  # fmt: skip


@pytest.mark.parametrize("record", [V2, V2_FLAT, V1, V1_SET])
def test_four_shapes_say_the_same(record):
    read = argilla.read([record], NAMES)
    assert read.refused == []
    said = [(x.rater, x.preference, x.left_adequate, x.right_adequate) for x in read.labels]
    assert said == [(f"argilla/{ME}", "left", True, None), (f"argilla/{YOU}", "tie", None, None)]
    assert all("r1" in label.where for label in read.labels)
    assert {(x.left, x.right) for x in read.labels} == {("L", "R")}


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (["right", "left"], "right"),
        ([{"rank": 2, "value": "left"}, {"rank": 1, "value": "right"}], "right"),
        ([{"rank": 1, "value": "left"}, {"rank": 1, "value": "right"}], "tie"),
    ],
)
def test_a_ranking_prefers_its_first(value, meant):
    responses = {"preference": [{"value": value, "user_id": ME}]}
    assert one(argilla.read([{**V2, "responses": responses}], NAMES)).preference == meant


# --- what is no such file -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds nothing"),
        (b"[]", "holds nothing"),
        (b"\xff\xfe[\x00", "not UTF-8"),
        ('[{"left": "é"}]'.encode("latin-1"), "not UTF-8"),
        (b'{\n  "a": 1\n}', "Line 1 is not JSON"),
        (b"[1", "not JSON"),
        (b"[", "not JSON"),
        (b"[1,", "not JSON"),
        (b"[1,]", "not JSON"),
        (b"[1 2]", "not JSON"),
        (b"[1]x", "not JSON"),
        (b"[[1]", "not JSON"),
        (b"[,1]", "not JSON"),
        (b'{"a": 1}\n{"a": 2} 3', "Line 2 is not JSON"),
        (b"[NaN]", "not JSON"),
        (b"[" + b"9" * 5000 + b"]", "not JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b" " * (labels.MOST_BYTES + 1), "larger than 50 MB"),
        (b"\x00\x00", "not JSON"),
    ],
)
def test_a_file_that_is_none_is_refused_in_words(content, said):
    with pytest.raises(BadInput, match=said):
        list(labels.items(content))


def test_arrays_lines_and_marks_are_read():
    assert list(labels.items(b"\xef\xbb\xbf[ 1 ,\n2 ]")) == [1, 2]
    assert list(labels.items(b'{"a": 1}\r\n\n{"a": 2}\n')) == [{"a": 1}, {"a": 2}]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["left", "submitted", "pairwise", "choices", "r1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from([
            "data", "annotations", "result", "value", "type", "from_name", "completed_by", "fields",
            "responses", "values", "user_id", "rank", "left", "right", "request_id", "pair_id",
            "preference", "metadata", "status", "preference.responses", "selected", "choices",
        ]), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(_JSON, _JSON)
def test_whatever_an_item_holds_it_is_read_or_refused(item, inner):
    for tool, whole in (
        (labelstudio, {"data": BASE, "annotations": [inner]}),
        (labelstudio, {"data": BASE, "annotations": [annotation(inner)]}),
        (argilla, {**V2, "responses": inner}),
        (argilla, {**V2, "responses": {"preference": [{"value": inner, "user_id": ME}]}}),
    ):
        for one_item in (item, whole):
            read = tool.read([one_item], Names(adequate_from=3))
            assert all(
                label.preference in {*labels.PREFERENCES.values(), ""} for label in read.labels
            )
            assert all(refused.row == 1 and refused.reason for refused in read.refused)


@pytest.mark.parametrize("by", [None, "", "None", True, "a\0b", "x" * 121, "\ud800", [], {}])
def test_nobody_is_no_rater(by):
    (refused,) = studio(annotation(pairwise("left"), by=by)).refused
    assert refused.reason == "it does not say who answered."


def test_tasks_are_valid_and_tell_no_tier():
    for tool in (labelstudio, argilla):
        task = json.dumps(tool.task("r1", "q", "L", "R")).lower()
        assert "cheap" not in task
        assert "expensive" not in task


@given(st.lists(st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=5)))
def test_an_array_is_read_as_json_reads_it(found):
    content = json.dumps(found, indent=1).encode()
    if found:
        assert list(labels.items(content)) == found
