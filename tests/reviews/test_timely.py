"""A pair of the living sample is settled once, whatever is said of it later."""

from datetime import UTC, datetime

import pytest

from reviews import timely
from reviews.inputs import DAY_S
from reviews.timely import Spoken

LATEST = 15 * DAY_S


def spoken(*days, raters=None, is_last=False):
    raters = raters or range(len(days))
    both = zip(days, raters, strict=True)
    return [Spoken(n, rater, day * DAY_S, is_last) for n, (day, rater) in enumerate(both)]


@pytest.mark.parametrize(
    ("said", "wanted", "day"),
    [
        ([], 1, 15), (spoken(2.5), 1, 3), (spoken(2.0), 1, 3), (spoken(2.5), 2, 15),
        (spoken(2.5, 4.1), 2, 5), (spoken(2.5, 4.1, raters=[7, 7]), 2, 15),
        (spoken(2.5, 9.0), 1, 3), (spoken(15.5), 1, 15), (spoken(2.5, is_last=True), 2, 3),
    ],
    ids=[
        "silence", "one", "at midnight", "one of two", "two", "one of two, put right",
        "another look later", "too late", "nobody could judge it",
    ],
)  # fmt: skip
def test_a_pair_is_settled_at_a_midnight_that_later_words_do_not_move(said, wanted, day):
    assert timely.until(said, wanted, LATEST) == day * DAY_S
    later = [*said, Spoken(99, 99, 14.9 * DAY_S, False)]
    assert timely.until(later, wanted, LATEST) == day * DAY_S


def test_who_is_asked_can_still_be_counted():
    now = datetime(2026, 3, 20, 13, 5, tzinfo=UTC)
    oldest = timely.oldest(now)
    assert oldest == datetime(2026, 3, 6, tzinfo=UTC)
    latest = timely.deadline([oldest.timestamp(), oldest.timestamp() - 1])
    assert (latest > now.timestamp()).tolist() == [True, False]
