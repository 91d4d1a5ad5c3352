"""Programs read what the Threshold page shows."""

import pytest

from reviews import sampling
from reviews.models import Rater, Study, Verdict
from routing import access

pytestmark = pytest.mark.django_db


def curve_of(client, number, key):
    return client.get(f"/api/v1/studies/{number}/curve", headers={"x-api-key": key})


def test_a_curve_comes_with_its_certificate(client, rated, api_key):
    answer = curve_of(client, rated.pk, api_key).json()
    assert (answer["study"], answer["raters"]) == (rated.pk, "human")
    assert answer["status"] == "collecting"
    assert answer["points"][0]["cheap_share"] == 0
    certificate = answer["certificate"]
    assert (certificate["is_final"], certificate["floor"]) == (False, rated.floor)
    assert [point["threshold"] for point in certificate["grid"]] == [
        point["threshold"] for point in answer["points"]
    ]


def test_a_judge_alone_has_no_certificate(client, rated, api_key):
    judge = Rater.objects.create(kind="llm_judge", name="judge")
    judged = sampling.start(rated.policy, name="Judged", seed="j", rate=1.0)
    pair = judged.sample.first().pair
    Verdict.objects.create(study=judged, pair=pair, rater=judge, preference="tie")
    answer = curve_of(client, judged.pk, api_key).json()
    assert (answer["raters"], answer["certificate"]) == ("llm_judge", None)


def test_another_projects_study_is_not_there(client, rated, project):
    other = access.create_key(type(project).objects.create(slug="b", name="B"), "b")[0]
    answer = curve_of(client, rated.pk, other)
    assert (answer.status_code, Study.objects.count()) == (404, 1)
