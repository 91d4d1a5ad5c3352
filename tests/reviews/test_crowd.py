"""Twenty people at once on one study: exactly as many ratings as planned, whoever leaves."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from reviews import rating, sampling
from reviews.models import Rating, Slot, Verdict
from routing import policy
from tests.reviews.rated import rater, say
from tests.reviews.rows import add_pair

PAIRS, PEOPLE, LEAVERS = 500, 20, 5


@pytest.fixture
def study(transactional_db, project):
    for n in range(PAIRS):
        add_pair(project, n / PAIRS)
    plan = {"ratings_per_pair": 2, "second_share": 0, "check_every": 0}
    return sampling.start(policy.live(project), name="Crowd", seed="7", rate=1.0, **plan)


def turn(study, who):
    """Rate the next pair; return whether there was one. The connection goes back, as a page's."""
    try:
        shown = rating.hand_out(study, who)
        if shown is not None:
            say(shown, who)
        return shown is not None
    finally:
        connection.close()


def work(study, who, start, most):
    """Rate what comes until nothing does; whoever stops early leaves a pair in hand."""
    start.wait(60)
    for _ in range(most):
        if not turn(study, who):
            return
    rating.hand_out(study, who)
    connection.close()


def together(study, people, most):
    start = Barrier(len(people))
    with ThreadPoolExecutor(len(people)) as pool:
        list(pool.map(lambda who: work(study, who, start, most.get(who, 2 * PAIRS)), people))


@pytest.mark.slow
@pytest.mark.parametrize("leavers", [0, LEAVERS])
def test_every_pair_is_rated_twice_by_two_people_whoever_vanishes(study, leavers):
    people = [rater(f"r{n}") for n in range(PEOPLE)]
    gone = people[:leavers]
    together(study, people, dict.fromkeys(gone, 7))
    held = study.slots.filter(state=Slot.State.LEASED)
    assert {slot.rater for slot in held} <= set(gone)
    assert Verdict.objects.count() == 2 * PAIRS - held.count()
    held.update(lease_until=timezone.now() - timedelta(seconds=1))
    stayed = [who for who in people if who not in gone]
    together(study, stayed, {})

    kept = Rating.objects.values_list("presentation__slot__pair_id", "presentation__rater_id")
    assert len(kept) == Verdict.objects.count() == 2 * PAIRS
    assert len(set(kept)) == 2 * PAIRS
    assert set(Counter(pair for pair, _ in kept).values()) == {2}
    assert set(study.slots.values_list("state", flat=True)) == {Slot.State.DONE}
