"""Asking for the last turn by itself: what is asked, and what is taken of the reply."""

import json

import pytest

from routing.wire import standalone

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "When are invoices due in France?"},
    {"role": "assistant", "content": [{"type": "text", "text": "After 30 days."}]},
    {"role": "assistant", "content": None},
    {"role": "user", "content": "And in Germany?"},
]


def test_the_conversation_is_data_beside_the_last_turn():
    asked = standalone.asking(TURNS)
    said = json.loads(asked["messages"][0]["content"])
    assert [turn["text"] for turn in said["conversation"]] == [
        "When are invoices due in France?", "After 30 days.",
    ]  # fmt: skip
    assert said["last_message"] == "And in Germany?"
    assert set(asked) == {"system", "messages", "max_tokens"}


def test_its_length_is_bounded():
    long = [{"role": role, "content": "x" * 9_000} for role in ("user", "assistant") * 50]
    asked = standalone.asking([*long, {"role": "user", "content": "y" * 9_000}])
    assert len(asked["messages"][0]["content"]) < 9_000


@pytest.mark.parametrize(("turns", "is_multi"), [(TURNS, True), (TURNS[-1:], False), ([], False)])
def test_only_conversations_are_asked_about(turns, is_multi):
    assert standalone.is_multi_turn(turns) is is_multi
    assert not standalone.is_multi_turn([TURNS[0], TURNS[-1]])


@pytest.mark.parametrize(
    ("reply", "query"),
    [
        ("When are invoices due in Germany?", "When are invoices due in Germany?"),
        ("\n“invoices due Germany”\n\n", "invoices due Germany"),
        ("x" * 900, "x" * 500),
        ("Sure! Here it is:\nWhen?", ""),
        ("  \n", ""),
    ],
)
def test_a_reply_is_one_line_or_none(reply, query):
    assert standalone.read(reply) == query


def test_without_a_provider_the_turns_before_stand_in():
    said = standalone.simulated(standalone.asking(TURNS))
    assert said == "And in Germany? (When are invoices due in France?)"


@pytest.mark.parametrize("content", ["no json", "[]", '{"conversation": []}', [{"type": "text"}]])
def test_a_client_that_says_the_same_breaks_nothing(content):
    body = {"system": standalone.INSTRUCTION, "messages": [{"role": "user", "content": content}]}
    assert standalone.simulated(body) is None
    assert standalone.simulated({"messages": []}) is None
