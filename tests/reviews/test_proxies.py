"""Heuristics speak where they are sure, and are silent everywhere else."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews import proxies, sources
from reviews.proxies import UNKNOWN, Answer

FINE = Answer("Open the menu and press Save.", "end_turn")
REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I am unable to open attachments.",
    "Unfortunately, I cannot see your screen.",
    "I do not have access to your account.",
]
NO_REFUSALS = [
    "I can help: press Save.",
    "I'm sorry to hear that! Press Save.",
    "You can't merge invoices; I would cancel both.",
    "Sorry for the delay. Press Save.",
]


def name(cheap, expensive):
    told = proxies.of_answers(cheap, expensive)
    return told and told.name


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_is_seen(text):
    assert proxies.of_answers(Answer(text), FINE) == ("refusal", 0.0, 1.0)


@pytest.mark.parametrize("text", NO_REFUSALS)
def test_what_only_sounds_like_one_is_none(text):
    assert name(Answer(text), FINE) is None


@pytest.mark.parametrize(
    ("cheap", "expected"),
    [
        (Answer(" \n", "end_turn"), "empty"),
        (Answer("", "tool_use"), None),
        (Answer("", "tool_calls"), None),
        (Answer("Open the", "length"), "truncated"),
        (Answer("Open the", "max_tokens"), "truncated"),
        (Answer("", "content_filter"), "empty"),
        (Answer("No.", "refusal"), "refusal"),
    ],
)
def test_how_an_answer_ended_counts(cheap, expected):
    assert name(cheap, FINE) == expected


@pytest.mark.parametrize("failed", [Answer("", "stop"), Answer("x", "length"), Answer(REFUSALS[0])])
def test_where_the_expensive_answer_fails_nothing_is_said(failed):
    assert name(FINE, failed) is None
    assert name(failed, failed) is None


def test_broken_json_fails_where_the_other_is_whole():
    whole, broken = Answer('{"total": 3}'), Answer('{"total": 3')
    assert (name(broken, whole), name(whole, broken), name(broken, FINE)) == (
        "broken_json", None, None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("**Press Save.**", "press save", "same_answer"),
        ("The answer is (B).", "Therefore it must be (B). The answer is B", "same_result"),
        ("So #### 1,200", r"Hence \boxed{1200.0}", "same_result"),
        ('{"reasoning": "2+1", "answer": "3"}', 'I get {"answer": 3}', "same_result"),
        ("The answer is $18.", "The answer is 19", "other_result"),
        ("The answer is (B).", "The answer is 12", None),
        ("The answer is complicated.", "The answer is 12", None),
        ("I have 3 pens", "I have 4 pens", None),
    ],
)
def test_results_are_compared_when_both_are_named(one, other, expected):
    assert name(Answer(one), Answer(other)) == expected
    assert name(Answer(other), Answer(one)) == expected


def test_of_other_results_nobody_knows_whether_the_expensive_one_is_right():
    told = proxies.of_answers(Answer("#### 1"), Answer("#### 2"))
    assert (told.cheap_ok, told.expensive_ok) == (0.0, UNKNOWN)


@pytest.mark.parametrize(
    ("is_cheap", "thumb", "task_completed", "expected"),
    [
        (True, "down", None, ("feedback", 0.0, UNKNOWN)),
        (True, "", False, ("feedback", 0.0, UNKNOWN)),
        (True, "up", True, ("feedback", 1.0, 1.0)),
        (True, "up", False, None),
        (True, "", None, None),
        (False, "down", False, None),
    ],
)
def test_an_application_speaks_of_the_cheap_answer_it_got(
    is_cheap, thumb, task_completed, expected
):
    told = proxies.of_feedback(is_cheap=is_cheap, thumb=thumb, task_completed=task_completed)
    assert told == expected


texts = st.text(max_size=200) | st.sampled_from([*REFUSALS, "#### ½", "answer: -", "{[", "= 1/0"])
ends = st.sampled_from(["", "stop", "end_turn", "length", "tool_use", "new_word"])
answers = st.builds(Answer, texts, ends)


@given(answers, answers)
def test_any_two_answers_get_one_of_the_names_or_none(one, other):
    told = proxies.of_answers(one, other)
    if told is not None:
        assert told.name in proxies.SENTENCES
        assert told.cheap_ok in (0.0, 1.0)
        assert told.expensive_ok in (UNKNOWN, 1.0)


@given(answers)
def test_an_answer_beside_itself_never_fails(one):
    told = proxies.of_answers(one, one)
    assert told is None or (told.cheap_ok, told.expensive_ok) == (1.0, 1.0)


@pytest.mark.parametrize("module", [proxies, sources])
def test_examples_of_the_docstrings_hold(module):
    done = doctest.testmod(module)
    assert (done.failed, done.attempted > 0) == (0, True)
