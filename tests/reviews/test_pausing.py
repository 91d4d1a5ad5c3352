"""A paused rater gets nothing new; what they said stays."""

import pytest
from django.contrib.auth.models import User

from reviews import estimation, pausing, rating
from reviews.errors import BadInput, Conflict
from tests.reviews.showings import pairs_of, rate, rater, study_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead():
    return User.objects.create_user("lena")


def test_a_paused_rater_gets_no_pair_until_they_are_resumed(project, lead):
    study, ann = study_of(project, [0.1, 0.5]), rater("ann")
    rate(study, ann, pairs_of(study)[0], "a_much")
    pausing.pause(ann, lead, " always left ")
    ann.refresh_from_db()
    assert (ann.paused_by, ann.pause_reason) == (lead, "always left")
    assert rating.hand_out(study, ann) is None
    assert estimation.estimate(study).n_rated + estimation.estimate(study).n_waiting == 1
    pausing.resume(ann)
    ann.refresh_from_db()
    assert (ann.paused_at, ann.paused_by, ann.pause_reason) == (None, None, "")
    assert rating.hand_out(study, ann) is not None


def test_the_pair_in_hand_may_still_be_rated(project, lead):
    study, ann = study_of(project, [0.1]), rater("ann")
    shown = rating.hand_out(study, ann)
    pausing.pause(ann, lead, "a word first")
    said = rating.submit(shown.token, ann, choice="equal", left_adequate=True, right_adequate=True)
    assert said.pk


def test_a_pause_needs_a_reason_and_happens_once(lead):
    ann = rater("ann")
    with pytest.raises(BadInput):
        pausing.pause(ann, lead, "  ")
    with pytest.raises(Conflict):
        pausing.resume(ann)
    pausing.pause(ann, lead, "x" * 300)
    ann.refresh_from_db()
    assert len(ann.pause_reason) == 200
    with pytest.raises(Conflict):
        pausing.pause(ann, lead, "again")
