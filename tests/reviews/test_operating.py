"""What the threshold page says beside its curve: of the whole plan, and never of a part."""

import pytest
from django.db import connection

from reviews import estimation, operating, sampling
from reviews.models import Rater, Verdict
from reviews.parts import Part
from routing import policy
from tests.reviews.rows import add_pair
from tests.reviews.test_parts import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    return make(project, [n / 100 for n in range(100)], tasks=("math", "code"))


def shown(study, part=Part(), kind="", **more):
    return operating.of(study, estimation.estimate(study, kind), part, **more)


def test_a_threshold_is_certified_if_closed_now(study):
    found = shown(study)
    live = policy.live(study.project)
    assert found.certified == found.start(live) > 0
    assert [mark.name for mark in found.marks(live)] == ["live", "certified if closed now"]
    assert [p["threshold"] for p in found.points() if p["certified"]][-1] == found.certified
    assert (found.plan()["is_certifying"], found.plan()["is_final"]) == (True, False)


def test_the_sentence_has_what_is_missing_and_why_no_money(study):
    plan = shown(study).plan()
    assert plan["missing"] == shown(study).needs.sentence
    assert plan["no_money"] == "money a month needs 3 full days of traffic"


def test_without_any_cost_it_says_so(project):
    add_pair(project, 0.1)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE routing_completion SET cost_usd = NULL")
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0)
    assert shown(study).plan()["no_money"] == "costs are unknown"


@pytest.mark.parametrize("part", [Part("math"), Part("", "2000-01-01"), Part("", "", "2100-01-01")])
def test_a_part_has_no_certificate(study, part):
    found = shown(study, part)
    live = policy.live(study.project)
    assert (found.certificate, found.needs, found.certified) == (None, None, None)
    assert not any(point["certified"] for point in found.points())
    assert (found.start(live), found.plan()["is_certifying"]) == (live.threshold, False)


def test_a_judge_alone_certifies_nothing(project):
    pair = add_pair(project, 0.1)
    study = make(project, [0.2])
    judge = Rater.objects.create(kind=Rater.Kind.LLM_JUDGE, name="judge")
    Verdict.objects.create(study=study, pair=pair, rater=judge, preference="tie")
    assert shown(study, kind=Rater.Kind.LLM_JUDGE.value).certificate is None


def test_with_a_judge_there_is_a_curve_or_a_reason(study):
    assert shown(study).with_judge is None
    found = shown(study, with_judge=True)
    assert found.with_judge == "No judge was asked in this study."
    assert {point["judge_degradation"] for point in found.points()} == {None}


def test_task_types_carry_what_is_certified_for_them_alone(study):
    found = shown(study)
    by_task = found.certificate.by_task
    expected = {name: by_task.get(name, {}).get("threshold") for name in ("code", "math")}
    assert {task["name"]: task["certified"] for task in found.tasks()} == expected


def test_guardrails_are_of_the_certified_threshold(study):
    study.guardrails = [{"metric": "thumb", "largest_drop": 0.02}]
    rails = shown(study).outcomes.guardrails
    assert [(rail.metric, rail.level) for rail in rails] == [("thumb", "unknown")]
    assert shown(study, Part("math")).outcomes.guardrails == []
