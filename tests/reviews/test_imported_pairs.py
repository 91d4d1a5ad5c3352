"""Pairs that were made elsewhere count as evidence about the models they are of."""

import json

import pytest
from django.test import Client

from reviews import sampling
from routing import access, policy
from routing.models import ShadowPair

pytestmark = pytest.mark.django_db


def import_pairs(key, *scores):
    pairs = [
        {
            "id": f"log-{score}",
            "query": "What is 2 + 2?",
            "score": score,
            "cheap": {"model": "claude-haiku-5-5", "text": "4"},
            "expensive": {"model": "claude-sonnet-5-5", "text": "Four."},
        }
        for score in scores
    ]
    reply = Client().post(
        "/api/v1/pairs",
        json.dumps({"pairs": pairs}),
        content_type="application/json",
        headers={"x-api-key": key},
    )
    assert reply.status_code == 200, reply.content


def test_an_imported_pair_is_in_the_frame_of_a_study_and_can_be_drawn(project, api_key):
    import_pairs(api_key, 0.125)
    study = sampling.start(policy.live(project), name="Imported", seed="7", rate=1.0)
    assert list(sampling.frame(study)) == [ShadowPair.objects.get()]
    drawn = study.sample.get()
    assert drawn.selected
    assert drawn.slots.exists()


def test_pairs_imported_later_are_brought_in(project, api_key):
    study = sampling.start(policy.live(project), name="Imported", seed="7", rate=1.0)
    import_pairs(api_key, 0.125, 0.25)
    assert sampling.extend(study) == 2


def test_pairs_of_another_project_stay_out(project, starter, api_key):
    from routing import bootstrap

    other = bootstrap.ensure_project("other", "Other", starter)
    import_pairs(access.create_key(other, "other")[0], 0.125)
    study = sampling.start(policy.live(project), name="Imported", seed="7", rate=1.0)
    assert not sampling.frame(study).exists()
