"""What is said of a rater in words, and what is not."""

from datetime import UTC, datetime

import pytest

from reviews import flags
from reviews.models import Rater
from reviews.quality import Quality, Share

NONE = Share.of(0, 0)


def found(**figures):
    plain = {
        "rater": Rater(name="ann"), "n": 60, "agreement": NONE, "gold": NONE, "repeats": NONE,
        "flips": NONE, "identical": NONE, "left": NONE, "left_p": None, "median_seconds": 20.0,
        "is_hasty": False, "unread": NONE, "fast": NONE, "skips": 0,
        "last_seen": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return Quality(**plain | figures)


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"left": Share.of(47, 60), "left_p": 0.001}, "left 78 % of 60: too often"),
        ({"left": Share.of(13, 60), "left_p": 0.001}, "right 78 % of 60: too often"),
        ({"unread": Share.of(12, 60)}, "12 of 60 faster than reading allows"),
        ({"gold": Share.of(2, 9)}, "2 of 9 gold pairs right: too few"),
        ({"repeats": Share.of(2, 9)}, "said the same again on 2 of 9 repeats"),
        ({"flips": Share.of(3, 6)}, "3 of 6 repeats went with the side"),
        (
            {"identical": Share.of(1, 4)},
            "preferred one of two identical answers 3 of 4 times",
        ),
        (
            {"is_hasty": True, "unread": Share.of(0, 9), "median_seconds": 3.4},
            "median 3 s, below a quarter of everybody’s",
        ),
    ],
)
def test_what_is_striking_is_said_with_its_counts(figures, words):
    assert flags.of(found(**figures)) == [words]


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"left": Share.of(47, 60), "left_p": 0.06},
        {"gold": Share.of(1, 3)},  # may be luck
        {"repeats": Share.of(5, 9)},
        {"identical": Share.of(3, 4)},
        {"unread": Share.of(1, 60)},
        {"unread": Share.of(1, 2)},
        {"flips": Share.of(1, 2)},
        {"is_hasty": True, "unread": Share.of(0, 2)},
    ],
)
def test_what_may_be_luck_is_not_said(figures):
    assert flags.of(found(**figures)) == []
