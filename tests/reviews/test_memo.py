"""What a process remembers: once outside a transaction, never inside, and not for ever."""

import itertools

import pytest
from django.db import transaction

from reviews import memo
from reviews.memo import Memo


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_made_once_for_its_name():
    count, kept = itertools.count(), Memo()
    assert [kept.get(name, lambda: next(count)) for name in ("a", "a", "b", "a")] == [0, 0, 1, 0]


@pytest.mark.django_db(transaction=True)
def test_what_was_not_asked_for_longest_is_forgotten():
    count, kept = itertools.count(), Memo(most=2)
    names = ("a", "b", "a", "c", "a", "b")
    assert [kept.get(name, lambda: next(count)) for name in names] == [0, 1, 0, 2, 0, 3]


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_nothing_is_remembered():
    count, kept = itertools.count(), Memo()
    with transaction.atomic():
        assert [kept.get("a", lambda: next(count)) for _ in range(2)] == [0, 1]
    assert kept.get("a", lambda: next(count)) == 2


def test_a_look_reads_once_and_ends_with_what_it_read():
    count = itertools.count()

    @memo.once
    def read(of):
        return of, next(count)

    with memo.look():
        assert [read("a"), read("a"), read("b")] == [("a", 0), ("a", 0), ("b", 1)]
        with memo.look():
            assert read("a") == ("a", 0)
        assert read("b") == ("b", 1)
    assert [read("a"), read("a")] == [("a", 2), ("a", 3)]
    with memo.look():
        assert read("a") == ("a", 4)


def test_other_arguments_are_another_question():
    @memo.once
    def read(of, by=""):
        return of + by

    with memo.look():
        assert [read("a"), read("a", "b"), read("a", by="c")] == ["a", "ab", "ac"]
