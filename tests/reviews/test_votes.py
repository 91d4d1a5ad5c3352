"""One vote per rater, pair and kind: the newest, unblinded, with what was shown."""

import math

import pytest

from reviews import votes
from reviews.models import Rater
from tests.reviews.showings import again, pairs_of, rate, rater, study_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    return study_of(project, [0.1, 0.5, 0.9])


@pytest.mark.parametrize(
    ("choice", "left", "preference", "step", "side"),
    [
        ("a_much", "cheap", "cheap", -2, "left"),
        ("a_much", "expensive", "expensive", 2, "left"),
        ("b_slightly", "cheap", "expensive", 1, "right"),
        ("b_slightly", "expensive", "cheap", -1, "right"),
        ("equal", "expensive", "tie", 0, None),
        ("both_bad", "cheap", "both_bad", None, None),
    ],
)
def test_a_vote_is_by_tier_and_keeps_its_side(study, choice, left, preference, step, side):
    rate(study, rater("ann"), pairs_of(study)[0], choice, left=left)
    (vote,) = votes.of(study)
    assert (vote.preference, vote.step, vote.side) == (preference, step, side)


def test_a_correction_replaces_and_a_repeat_stands_beside(study):
    ann, pair = rater("ann"), pairs_of(study)[0]
    first = rate(study, ann, pair, "a_much")
    again(first.presentation, "b_much")
    rate(study, ann, pair, "equal", kind="repeat")
    assert [(vote.kind, vote.preference) for vote in votes.of(study)] == [
        ("sample", "expensive"),
        ("repeat", "tie"),
    ]


def test_practice_adjudication_and_judges_do_not_count(study):
    ann, pair = rater("ann"), pairs_of(study)[0]
    rate(study, ann, pair, "equal", kind="practice")
    rate(study, ann, pair, "equal", kind="adjudication")
    rate(study, rater("judge", Rater.Kind.LLM_JUDGE), pair, "equal")
    assert votes.of(study) == []


def test_what_there_was_to_read(study):
    ann, (first, second, _) = rater("ann"), pairs_of(study)
    rate(study, ann, first, "equal")
    rate(study, ann, second, "equal", kind="identical", left="expensive")
    sample, identical = votes.of(study)
    # "q", "from cheap" and "from expensive"; then the latter twice.
    assert (sample.characters, identical.characters) == (1 + 10 + 14, 1 + 14 + 14)
    assert sample.log_length_ratio == pytest.approx(math.log(1.4))


def test_a_vote_weighs_what_its_pair_stands_for(project):
    study = study_of(project, [0.0, 0.99], rate=0.3, tilt=3.0, train_rate=0.1)
    ann = rater("ann")
    for row in study.sample.filter(selected=True):
        rate(study, ann, row.pair, "equal")
        row_weight = 1 / (row.inclusion_probability + 0.1)
        weight = next(v.weight for v in votes.of(study) if v.pair_id == row.pair_id)
        assert weight == pytest.approx(row_weight)
    assert study.sample.filter(selected=True).exists()
