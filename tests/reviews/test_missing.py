"""What has no pair, by score: the requests that fail are rarely a random part."""

import hashlib

import numpy as np
import pytest
from django.utils import timezone

from reviews import frames, missing, sampling
from routing import policy
from routing.models import ShadowJob
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db


def lose(project, score, reason="provider_error: 400", tier="cheap", rate=1.0):
    """Write a request whose shadow failed."""
    pair = add_pair(project, score, shadow_rate=rate)
    ShadowJob.objects.filter(request_id=pair.request_id).update(
        state="failed", reason=reason, finished_at=timezone.now(), tier=tier
    )
    pair.delete()
    return pair.request_id


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


def test_a_lost_request_is_a_row_with_the_answer_that_is_missing(project):
    add_pair(project, 0.5)
    wanted = {
        lose(project, 0.25, tier="cheap", rate=0.5): (0.25, 0.5, True),
        lose(project, 0.75, tier="expensive"): (0.75, 1.0, False),
    }
    study = start(project)
    found = missing.rows(study)
    ids = sorted(wanted)
    assert list(zip(found.score, found.rate, found.cheap, strict=True)) == [wanted[i] for i in ids]
    digests = [hashlib.sha256(f"order|7|{one}".encode()).digest() for one in ids]
    assert found.order.tolist() == [int.from_bytes(one[:8]) for one in digests]
    assert [frames.task_names()[one] for one in found.task] == ["math", "math"]
    lose(project, None)
    assert np.isnan(missing.rows(study).score).sum() == 1


def test_what_is_lost_after_the_end_is_not_of_a_closed_study(project):
    lose(project, 0.5)
    study = start(project)
    study.closed_at = timezone.now()
    lose(project, 0.5)
    assert missing.rows(study).score.size == 1
    study.closed_at = None
    assert missing.rows(study).score.size == 2
