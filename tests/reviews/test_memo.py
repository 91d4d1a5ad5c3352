"""What a process remembers: once outside a transaction, never inside, and not for ever."""

import itertools

import pytest
from django.db import transaction

from reviews.memo import Memo


@pytest.mark.django_db(transaction=True)
def test_an_answer_is_made_once_for_its_name():
    count, memo = itertools.count(), Memo()
    assert [memo.get(name, lambda: next(count)) for name in ("a", "a", "b", "a")] == [0, 0, 1, 0]


@pytest.mark.django_db(transaction=True)
def test_what_was_not_asked_for_longest_is_forgotten():
    count, memo = itertools.count(), Memo(most=2)
    names = ("a", "b", "a", "c", "a", "b")
    assert [memo.get(name, lambda: next(count)) for name in names] == [0, 1, 0, 2, 0, 3]


@pytest.mark.django_db(transaction=True)
def test_inside_a_transaction_nothing_is_remembered():
    count, memo = itertools.count(), Memo()
    with transaction.atomic():
        assert [memo.get("a", lambda: next(count)) for _ in range(2)] == [0, 1]
    assert memo.get("a", lambda: next(count)) == 2
