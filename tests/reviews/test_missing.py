"""What has no pair, by score: the requests that fail are rarely a random part."""

import numpy as np
import pytest
from django.utils import timezone

from reviews import missing, sampling
from routing import policy
from routing.models import ShadowJob
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db


def lose(project, score, reason="provider_error: 400"):
    """Write a request whose shadow failed."""
    pair = add_pair(project, score)
    ShadowJob.objects.filter(request_id=pair.request_id).update(
        state="failed", reason=reason, finished_at=timezone.now()
    )
    pair.delete()


def start(project):
    return sampling.start(policy.live(project), name="s", seed="7", rate=1.0, check_every=0)


def test_pairs_and_lost_requests_by_tenths_of_their_scores(project):
    for nth in range(18):
        add_pair(project, nth / 20)
    for score in (0.9, 0.95, None):
        lose(project, score)
    groups = missing.by_decile(start(project))
    assert len(groups) == 11
    assert [(row.total, row.missing) for row in groups[:9]] == [(2, 0)] * 9
    assert groups[9] == (0.9, 0.95, 2, 2, groups[9].differs)
    assert groups[9].share == 1.0
    assert groups[10][:4] == (None, None, 1, 1)


def test_nothing_at_all_is_no_group(project):
    assert missing.by_decile(start(project)) == []


def test_a_new_loss_shows_and_what_is_under_way_does_not(project):
    add_pair(project, 0.5)
    study = start(project)
    assert missing.by_decile(study)[0][2:4] == (1, 0)
    lose(project, 0.5)
    assert missing.by_decile(study)[0][2:4] == (2, 1)
    pair = add_pair(project, 0.5)
    jobs = ShadowJob.objects.filter(request_id=pair.request_id)
    jobs.update(state="pending", reason="", finished_at=None)
    assert missing.by_decile(study)[0][2:4] == (2, 1)


def test_scores_that_many_share_make_one_group():
    there = np.array([0.5] * 90 + [0.9] * 10)
    groups = missing._deciles(there, np.array([0.5] * 10))
    assert [(row.low, row.high, row.total, row.missing) for row in groups] == [
        (0.5, 0.5, 100, 10),
        (0.9, 0.9, 10, 0),
    ]


def test_a_tenth_that_loses_more_is_marked_and_chance_is_not():
    draw = np.random.default_rng(5)
    scores = draw.random(2000)
    at_random = draw.random(2000) < 0.05
    groups = missing._deciles(scores[~at_random], scores[at_random])
    assert not any(row.differs for row in groups)
    mostly_hard = draw.random(2000) < np.where(scores > 0.9, 0.25, 0.05)
    groups = missing._deciles(scores[~mostly_hard], scores[mostly_hard])
    assert [row.differs for row in groups] == [False] * 9 + [True]


def test_the_groups_are_asked_for_in_few_queries(project, django_assert_max_num_queries):
    for nth in range(5):
        add_pair(project, nth / 5)
        lose(project, nth / 5)
    study = start(project)
    with django_assert_max_num_queries(6):
        missing.by_decile(study)
