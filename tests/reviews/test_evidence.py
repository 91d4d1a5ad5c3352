"""Evidence is made again from its own inputs, and says when it can no longer be approved."""

import hashlib
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pytest
from django.db import ProgrammingError, transaction
from django.db.models import F

from reviews import (
    calibration,
    chain,
    columnar,
    covering,
    estimation,
    evidence,
    health,
    planning,
    rollout,
    sampling,
    standing,
)
from reviews.errors import Conflict, NothingToSign
from reviews.models import Evidence, Rater
from routing import policy
from routing.models import Feedback, Request
from tests.reviews import certified
from tests.reviews.rows import add_pair, add_request
from tests.reviews.signing import approve, ask, person, rated_study
from tests.reviews.test_missing import lose

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    return certified.closed(project)


@pytest.fixture
def running(project):
    return certified.running(project, certified_only=False)


def test_evidence_holds_all_it_rests_on(study):
    content = evidence.freeze(study, 0.4).content
    assert content["is_certified"]
    assert content["certificate"]["threshold"] >= 0.4
    assert content["plan"]["deviations"][0]["field"] == "rater_target"
    assert content["policy"]["name"] == policy.live(study.project).name
    assert len(content["points"]) == 102
    assert content["point"]["threshold"] == 0.4
    assert {"version", "sha256"} == set(content["code"])


def test_the_hash_is_of_the_content_and_of_the_inputs(study):
    row = evidence.freeze(study, 0.4)
    row.refresh_from_db()
    assert row.sha256 == chain.sha256(row.content)
    assert row.content["inputs"]["sha256"] == hashlib.sha256(bytes(row.inputs)).hexdigest()


def test_evidence_is_made_again_byte_by_byte(study):
    row = Evidence.objects.get(pk=evidence.freeze(study, 0.4).pk)
    assert evidence.recompute(row) == chain.canonical(row.content)


def test_a_plan_frozen_before_there_were_alarms_keeps_its_hash_and_is_not_changed(study):
    row = evidence.freeze(study, 0.4)
    del row.content["plan"]["after_alarm"]
    assert evidence.recompute(row) == chain.canonical(row.content)
    assert standing.changed_plan(study, row.content) == []
    type(study).objects.filter(pk=study.pk).update(after_alarm="mark")
    study.refresh_from_db()
    assert standing.changed_plan(study, row.content) == ["The plan was changed since."]


def test_another_process_makes_it_again(study, tmp_path):
    row = evidence.freeze(study, 0.4)
    (tmp_path / "data").write_bytes(bytes(row.inputs))
    (tmp_path / "content").write_bytes(chain.canonical(row.content))
    code = (
        "import django, hashlib, json, pathlib, sys; django.setup();"
        "from reviews import evidence; here = pathlib.Path(sys.argv[1]);"
        "content = json.loads((here / 'content').read_bytes());"
        "made = evidence.remade((here / 'data').read_bytes(), content);"
        "print(hashlib.sha256(made).hexdigest())"
    )
    run = [sys.executable, "-c", code, str(tmp_path)]
    env = {
        "DJANGO_SETTINGS_MODULE": "shadoweval.settings",
        "DATABASE_URL": "postgresql://none@127.0.0.1:9/none",
        "REDIS_URL": "redis://127.0.0.1:9/0",
    }
    done = subprocess.run(run, capture_output=True, text=True, env=env, check=False)
    assert done.stdout.strip() == row.sha256, done.stderr


@pytest.mark.parametrize("column", ["harm", "score", "pi", "traffic"])
def test_changed_inputs_come_to_another_hash(study, column):
    row = evidence.freeze(study, 0.4)
    columns = columnar.read_parquet(bytes(row.inputs))
    columns[column] = np.where(np.arange(columns[column].size) < 20, 0.5, columns[column])
    row.inputs = columnar.parquet(columns)
    assert hashlib.sha256(evidence.recompute(row)).hexdigest() != row.sha256


def test_no_prompt_and_no_answer_is_in_it(project):
    for place in range(3):
        add_pair(project, place / 4, query="a secret prompt", cheap="cheap secret")
    row = evidence.freeze(certified.running(project, certified_only=False), 0.4)
    assert b"secret" not in bytes(row.inputs) + chain.canonical(row.content)


def test_only_certified_thresholds_are_frozen_where_the_plan_says_so(study):
    with pytest.raises(NothingToSign, match="Certified is everything up to 0."):
        evidence.freeze(study, 1.0)
    assert not Evidence.objects.exists()


def test_an_unhealthy_study_is_signed_only_to_stay_expensive(project):
    for place in range(30):
        lose(project, place / 30, tier="expensive")
    study = certified.closed(project)
    assert [one.name for one in health.failing(study)] == ["missing"]
    with pytest.raises(NothingToSign, match="Nothing can be signed until this is clear. Missing"):
        evidence.freeze(study, calibration.certificate(study).threshold)
    assert evidence.freeze(study, 0.0).content["is_certified"]


def test_a_running_study_is_signed_only_where_its_plan_allows(project):
    study = certified.running(project)
    with pytest.raises(NothingToSign, match="not closed"):
        evidence.freeze(study, 0.4)
    assert evidence.freeze(study, 0.0).content["is_certified"]


def test_a_failing_check_is_frozen_and_made_again_where_the_plan_allows_to_sign(project):
    for _ in range(4):
        lose(project, 0.9)
    row = evidence.freeze(certified.closed(project, certified_only=False), 0.2)
    assert row.content["certificate"]["threshold"] >= 0.2
    assert not row.content["is_certified"]
    assert hashlib.sha256(evidence.recompute(row)).hexdigest() == row.sha256


@pytest.mark.parametrize(
    ("health", "guardrails", "free"),
    [
        ("ok", "ok", True),
        ("warn", "unknown", True),
        ("unknown", "ok", True),
        ("fail", "ok", False),
        ("ok", "breached", False),
    ],
)
def test_failing_checks_and_breached_guardrails_stand_against_it(health, guardrails, free):
    blocked_by = covering.blocks(
        {
            "health": [{"label": "Sides", "level": health, "text": "Seen."}],
            "guardrails": [{"metric": "thumb", "level": guardrails, "text": "Thumbs: seen."}],
        }
    )
    final = {"is_final": True, "is_by_task": False, "threshold": 0.5, "by_task": {}}
    assert covering.is_certified(final, blocked_by, 0.4, {}) == free
    assert covering.is_certified(final, blocked_by, 0.0, {})


def test_what_is_not_certified_says_so(running):
    content = evidence.freeze(running, 0.4).content
    assert not content["is_certified"]
    assert not content["certificate"]["is_final"]


def test_thresholds_of_tasks_are_points_of_the_curve_too(running):
    with pytest.raises(NothingToSign, match="steps of 0.01"):
        evidence.freeze(running, 0.4, {"math": 0.333})
    assert evidence.freeze(running, 0.4, {"math": 0.3}).content["thresholds"] == {"math": 0.3}


def test_nothing_is_certified_while_a_check_fails(project):
    for _ in range(4):
        lose(project, 0.9)
    study = certified.closed(project)
    with pytest.raises(NothingToSign, match="Missing pairs"):
        evidence.freeze(study, 0.2)
    assert evidence.freeze(study, 0.0).content["is_certified"]


@pytest.mark.parametrize(
    ("threshold", "thresholds", "covered"),
    [
        (0.0, {}, True),
        (0.5, {}, True),
        (0.51, {}, False),
        (0.5, {"math": 0.4}, True),
        (0.2, {"math": 0.51}, False),
        (0.0, {"math": 0.8}, False),
    ],
)
def test_what_a_certificate_for_all_covers(threshold, thresholds, covered):
    check_covers({"is_by_task": False, "threshold": 0.5}, threshold, thresholds, covered)


@pytest.mark.parametrize(
    ("threshold", "thresholds", "covered"),
    [
        (0.0, {}, True),
        (0.5, {}, False),
        (0.0, {"math": 0.8}, True),
        (0.0, {"math": 0.81}, False),
        (0.0, {"writing": 0.6}, False),
        (0.0, {"unknown": 0.6}, False),
    ],
)
def test_what_a_certificate_by_task_covers(threshold, thresholds, covered):
    check_covers({"is_by_task": True, "threshold": None}, threshold, thresholds, covered)


def check_covers(said, threshold, thresholds, covered):
    by_task = {"math": {"threshold": 0.8}, "writing": {"threshold": None}}
    final = {"is_final": True, "by_task": by_task} | said
    assert covering.certifies(final, threshold, thresholds) == covered
    preview = final | {"is_final": False}
    assert covering.certifies(preview, threshold, thresholds) == (
        covered and not (threshold or thresholds)
    )


@pytest.mark.parametrize(
    ("threshold", "thresholds", "covered"),
    [
        (0.0, {}, True),
        (0.5, {}, True),
        (0.4, {}, True),
        (0.3, {}, False),
        (0.6, {}, False),
        (0.5, {"math": 0.5}, True),
        (0.5, {"math": 0.4}, False),
        (0.5, {"math": 0.0}, False),
    ],
)
def test_adequacy_may_fall_below_a_certified_threshold(threshold, thresholds, covered):
    grid = [{"threshold": at, "certified": at in (0.4, 0.5)} for at in (0.3, 0.4, 0.5, 0.6)]
    final = {
        "is_final": True, "is_by_task": False, "threshold": 0.5, "by_task": {}, "grid": grid,
        "adequacy_floor": 0.9,
    }  # fmt: skip
    assert covering.certifies(final, threshold, thresholds) == covered


def test_adequacy_of_a_task_is_certified_at_its_own_threshold_only():
    by_task = {"math": {"threshold": 0.8}, "chat": {"threshold": None}}
    final = {"is_final": True, "is_by_task": True, "threshold": None, "by_task": by_task}
    both = final | {"adequacy_floor": 0.9}
    asked = [{"math": 0.8}, {"math": 0.7}, {"math": 0.8, "chat": 0.1}]
    assert [covering.certifies(final, 0.0, one) for one in asked] == [True, True, False]
    assert [covering.certifies(both, 0.0, one) for one in asked] == [True, False, False]


def test_numbers_that_moved_are_not_signed(running):
    looked = estimation.estimate(running)
    certified.rate(running, Rater.objects.create(kind="human", name="bob"), lambda score: True)
    seen = evidence.Seen("human", estimation.Moment.now(running), looked.inputs_sha256)
    with pytest.raises(Conflict, match="moved"):
        evidence.freeze(running, 0.4, seen=seen)


def test_what_was_looked_at_is_what_is_frozen(running):
    looked = estimation.estimate(running)
    before = calibration.certificate(running).as_json()
    certified.rate(running, Rater.objects.create(kind="human", name="bob"), lambda score: True)
    seen = evidence.Seen("human", looked.moment, looked.inputs_sha256)
    assert evidence.freeze(running, 0.4, seen=seen).content["certificate"] == before


def test_fresh_evidence_is_not_stale(study, django_assert_max_num_queries):
    row = evidence.freeze(study, 0.4)
    with django_assert_max_num_queries(39):  # most of them of the checks, which are kept elsewhere
        assert standing.staleness(row) == []


def test_another_policy_makes_it_stale(study):
    row = evidence.freeze(study, 0.4)
    policy.roll_back(study.project, by=certified.person("erik", "engineering"), reason="test")
    assert standing.staleness(row) == ["Another policy went live since this was requested."]


def test_a_changed_plan_makes_it_stale(running):
    row = evidence.freeze(running, 0.4)
    lead = certified.person("lena", "lead")
    planning.change(running, {"floor": 0.25}, by=lead, reason="the product says so")
    assert "The plan was changed since." in standing.staleness(Evidence.objects.get(pk=row.pk))


def test_more_ratings_alone_do_not_make_it_stale(running):
    row = evidence.freeze(running, 0.4)
    certified.rate(
        running, Rater.objects.create(kind="human", name="bob"), lambda score: score > 0.6
    )
    assert standing.staleness(Evidence.objects.get(pk=row.pk)) == []


def test_ratings_that_move_the_certified_threshold_do(running):
    row = evidence.freeze(running, 0.4)
    certified.rate(running, Rater.objects.create(kind="human", name="bob"), lambda score: True)
    (reason,) = standing.staleness(Evidence.objects.get(pk=row.pk))
    assert reason.startswith("Later ratings move what is certified from 0.")


def test_ratings_that_move_an_uncertified_figure_out_of_its_interval_do(project):
    study = rated_study(project)
    row = evidence.freeze(study, 1.0)
    for place in range(20):
        add_pair(project, place / 20)
    sampling.extend(study)
    certified.rate(study, Rater.objects.get(kind="human"), lambda score: True)
    (reason,) = standing.staleness(Evidence.objects.get(pk=row.pk))
    assert reason.startswith("By later ratings 71.4 % of all requests are made worse; ")


def test_a_check_that_fails_since_makes_it_stale_unless_nothing_goes_cheap(study):
    cheap, nothing = evidence.freeze(study, 0.4), evidence.freeze(study, 0.0)
    for place in range(30):
        lose(study.project, place / 30, tier="expensive")
    into_window(study)
    (reason,) = standing.staleness(Evidence.objects.get(pk=cheap.pk))
    assert reason.startswith("Missing pairs: ")
    assert standing.blocks_now(Evidence.objects.get(pk=nothing.pk)) == []


def test_a_failing_check_that_was_signed_with_it_does_not(project):
    for place in range(30):
        lose(project, place / 30, tier="expensive")
    study = certified.closed(project, certified_only=False)
    assert [one.name for one in health.failing(study)] == ["missing"]
    assert standing.blocks_now(evidence.freeze(study, 0.4)) == []


def test_a_guardrail_breached_since_makes_it_stale(guarded):
    row = evidence.freeze(guarded, 0.0, {"math": 0.4})
    complain(guarded)
    (reason,) = standing.staleness(Evidence.objects.get(pk=row.pk))
    assert reason.startswith("Guardrail: Task completed")


def test_a_breached_guardrail_stands_against_thresholds_by_task_type_too(guarded):
    complain(guarded)
    for threshold, by_task in ((0.4, {}), (0.0, {"math": 0.4})):
        with pytest.raises(NothingToSign, match="Guardrail: Task completed"):
            evidence.freeze(guarded, threshold, by_task)
    assert evidence.freeze(guarded, 0.0, {"writing": 0.4}).content["is_certified"]


@pytest.fixture
def guarded(project):
    rails = [{"metric": "task_completed", "largest_drop": 0.02}]
    return certified.closed(project, guardrails=rails)


def complain(study):
    """Say of questions of math that CHEAP did not complete them, and EXPENSIVE did."""
    for n in range(40):
        tier = ("cheap", "expensive")[n % 2]
        threshold = 1.0 if tier == "cheap" else 0.0
        request_id = add_request(study.project, 0.35, tier, threshold=threshold)
        Feedback.objects.create(
            request_id=request_id, digest=str(n), task_completed=tier == "expensive"
        )
    into_window(study)


def into_window(study):
    """Let what came after the study's window have come an hour earlier, within it."""
    late = Request.objects.filter(project=study.project, received_at__gt=sampling.window(study)[1])
    assert late.update(received_at=F("received_at") - timedelta(hours=1))


def test_figures_are_of_the_thresholds_that_are_signed_and_of_those_that_are_live(study):
    content = evidence.freeze(study, 0.0, {"math": 0.4, "writing": 0.4}).content
    whole = evidence.freeze(study, 0.4).content["point"]
    same = ("cheap_share", "cheap_count", "degradation_high", "n_harm", "saving_share")
    assert [content["point"][name] for name in same] == [whole[name] for name in same]
    signed = ask(study, person("paula", "product"), 0.0, thresholds={"math": 0.4})
    approve(signed, person("erik", "engineering"), person("pat", "product"))
    rollout.run_due()
    content = evidence.freeze(study, 0.4).content
    assert (content["point_live"]["cheap_share"], content["point"]["cheap_share"]) == (0.2, 0.4)


def test_evidence_by_task_type_is_made_again_byte_by_byte(study):
    row = Evidence.objects.get(pk=evidence.freeze(study, 0.0, {"math": 0.4}).pk)
    assert evidence.recompute(row) == chain.canonical(row.content)


def test_evidence_of_an_earlier_version_cannot_be_made_again(study):
    content = {"threshold": 0.4}
    row = Evidence.objects.create(study=study, content=content, sha256=chain.sha256(content))
    with pytest.raises(Conflict, match="earlier version"):
        evidence.recompute(row)


def test_postgres_refuses_to_change_evidence(study):
    row = evidence.freeze(study, 0.4)
    with pytest.raises(ProgrammingError), transaction.atomic():
        Evidence.objects.filter(pk=row.pk).update(inputs=b"x")


def test_task_types_with_enough_ratings_go_by_the_threshold_and_others_do_not():
    found = {
        "by_task": {
            "math": {"n_rated": covering.FEWEST_PER_TASK},
            "law": {"n_rated": covering.FEWEST_PER_TASK - 1},
            "unknown": {"n_rated": 500},
        }
    }
    assert covering.by_rule(found, 0.4, {}) == {"math": 0.4}
    assert covering.by_rule(found, 0.4, {"math": 0.1, "law": 0.2}) == {"math": 0.1, "law": 0.2}
    assert covering.thin(found, 0.0, {"math": 0.4, "law": 0.4}) == {
        "law": covering.FEWEST_PER_TASK - 1
    }
    assert covering.thin(found, 0.4, {"law": 0.4, "chat": 0.3}) == {}
