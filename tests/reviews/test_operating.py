"""What the threshold page says beside its curve: of the whole plan, and never of a part."""

import pytest
from django.db import connection
from django.utils import timezone

from reviews import estimation, operating, sampling
from reviews.models import Rater, Verdict
from reviews.parts import Part
from routing import policy
from routing.models import ShadowJob
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
    assert [mark.name for mark in found.marks(live)] == ["live", "certified if it ended so"]
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


def test_guardrails_of_a_plan_by_task_type_are_of_its_certified_thresholds(project):
    scores = [n / 140 for n in range(140)]
    rails = [{"metric": "thumb", "largest_drop": 0.02}]
    study = make(project, scores, tasks=("math", "code"), floor=0.2, by_task=True, guardrails=rails)
    assert [rail.metric for rail in shown(study).outcomes.guardrails] == ["thumb"]


def test_where_no_task_type_is_certified_no_guardrail_is_told(project):
    rails = [{"metric": "thumb", "largest_drop": 0.02}]
    study = make(project, [0.1, 0.2], by_task=True, guardrails=rails)
    assert shown(study).outcomes.guardrails == []


def test_every_point_has_its_sentence(study):
    points = shown(study).points()
    assert [p["sentence"][:8] for p in points[:2]] == ["At 0.00,", "At 0.01,"]
    certified = [p for p in points if p["certified"] and not p["trivially_safe"]]
    assert all("we would be 95 % sure" in p["sentence"] for p in certified)


def test_a_plan_by_task_type_has_a_sentence_of_its_own(project):
    scores = [n / 140 for n in range(140)]
    study = make(project, scores, tasks=("math", "code"), floor=0.2, by_task=True)
    found = shown(study)
    assert set(found.own()) == {"code", "math"}
    assert all(found.own().values())
    assert found.by_task().startswith("With a threshold of their own for 2 of 2 task types, 100 %")
    assert shown(study, Part("math")).by_task() == ""


def test_plans_for_one_threshold_have_no_sentence_by_task_type(study):
    assert shown(study).by_task() == ""


def test_certificate_and_curve_are_told_apart_where_they_differ(study):
    assert shown(study).difference() is None
    lost = study.project.pairs.order_by("score")[3]
    ShadowJob.objects.filter(request_id=lost.request_id).update(
        state="failed", reason="provider_error: 400", finished_at=timezone.now()
    )
    lost.verdicts.all().delete()
    lost.delete()
    found = shown(study)
    by_certificate, by_curve = found.difference()
    assert (by_certificate, by_curve) == (found.certificate.degradation, 0.0)
