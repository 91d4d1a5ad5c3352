"""Ids are unique, and later ones are larger."""

import time
from uuid import RFC_4122, uuid4

from routing import ids


def test_ids_are_unique_and_of_version_seven():
    made = [ids.new() for _ in range(10_000)]
    assert len(set(made)) == 10_000
    assert {(one.version, one.variant) for one in made} == {(7, RFC_4122)}


def test_ids_follow_time():
    made = []
    for _ in range(5):
        made.append(ids.new())
        time.sleep(0.002)
    assert made == sorted(made)
    assert ids.age_s(made[0]) < 5
    assert ids.age_s(uuid4()) > 1_000_000
