"""A certificate rests on all that was drawn and said up to its moment, and on nothing later."""

import json
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from reviews import calibration, estimation, inputs, planning, sampling
from reviews.models import JudgeSpec, Study
from routing import policy, shadow
from routing.models import Project, ShadowJob
from tests.reviews import labelled, rated
from tests.reviews.rows import add_pair
from tests.reviews.test_missing import lose

pytestmark = pytest.mark.django_db
SCORES = [nth / 100 for nth in range(100)]


def window_over(study):
    """Return the certificate as if the window had ended."""
    plan = planning.as_json(study) | {"closed": {"basis": "window"}}
    return calibration.of_inputs(calibration.arrays(study), plan)


def test_what_is_read_is_what_is_recomputed(project):
    study, _ = labelled.start(project, SCORES[::2])
    labelled.label(study)
    found = calibration.certificate(study)
    read = calibration.arrays(study)
    again = inputs.Inputs(inputs.Columns(*(column.copy() for column in read.columns)), read.about)
    plan = json.loads(json.dumps(planning.as_json(study)))
    assert json.dumps(calibration.of_inputs(again, plan).as_json()) == json.dumps(found.as_json())


def test_a_harmless_window_is_certified_as_far_as_its_ratings_reach(project):
    study, _ = labelled.start(project, SCORES, floor=0.1)
    labelled.label(study, harmed=lambda score: score >= 0.5)
    found = window_over(study)
    assert 0.4 < found.threshold < 0.6
    assert (found.n_frame, found.n_rated) == (100, 100)
    assert found.degradation_high <= 0.1


def test_a_second_study_of_the_same_traffic_says_that_there_was_a_first(project):
    first, pairs = labelled.start(project, SCORES[::2])
    labelled.label(first, pairs=pairs[:20])
    second = sampling.start(policy.live(project), name="t", seed="8", rate=1.0)
    labelled.label(second, pairs=pairs[:20])
    before = calibration.certificate(first).as_json()
    told = "Another study rated this traffic: the chance that one of them errs adds up."
    assert told in calibration.certificate(second).warnings
    assert told not in before["warnings"]  # it was first
    moment = estimation.Moment.now(first)
    labelled.label(second, pairs=pairs[20:])
    assert calibration.certificate(first, moment).as_json() == before


@pytest.mark.parametrize("what", ["unrated", "judged", "long ago", "of another project"])
def test_a_study_that_rated_none_of_this_traffic_is_no_second_one(project, what):
    first, _ = labelled.start(project, SCORES[::2])
    if what != "unrated":
        labelled.label(first, kind="llm_judge" if what == "judged" else "human")
    if what == "long ago":
        begun = timezone.now() - timedelta(days=3 * first.window_days)
        Study.objects.filter(pk=first.pk).update(created_at=begun)
    if what == "of another project":
        project = Project.objects.create(slug="other", name="Other")
        Study.objects.filter(pk=first.pk).update(project=project)
    second = sampling.start(first.policy, name="t", seed="8", rate=1.0)
    labelled.label(second)
    assert calibration.arrays(second).about.n_others == 0


def test_what_comes_later_is_not_of_the_moment(project):
    study, pairs = labelled.start(project, SCORES[::2])
    labelled.label(study, pairs=pairs[:20])
    moment = estimation.Moment.now(study)
    before = calibration.certificate(study, moment).as_json()
    labelled.label(study, pairs=pairs[20:], harmed=lambda score: True)
    assert calibration.certificate(study, moment).as_json() == before
    assert calibration.certificate(study).as_json() != before


def test_a_closed_study_stays_at_its_moment(project):
    study, pairs = labelled.start(project, SCORES[::2])
    labelled.label(study, pairs=pairs[:20])
    moment = estimation.Moment.now(study)
    study.closed_draw, study.closed_verdict = moment.draw_id, moment.verdict_id
    labelled.label(study, pairs=pairs[20:])
    assert calibration.certificate(study).n_rated == 20
    assert calibration.moment_of(study) == moment


def test_while_it_runs_only_the_queue_before_the_first_gap_counts(project):
    study, _ = labelled.start(project, SCORES[::2], check_every=0, practice_pairs=0)
    ann = rated.rater("ann")
    for _ in range(10):
        shown = rated.rating.hand_out(study, ann)
        rated.say(shown, ann)
    found = calibration.certificate(study)
    assert (found.n_rated, found.is_final, found.n_frame) == (10, False, 50)


def test_lost_requests_are_rows(project):
    lose(project, 0.3, tier="cheap", rate=0.5)
    lose(project, 0.4, tier="expensive")
    unasked = lose(project, 0.6, tier="expensive", reason="spend_cap: the day's money is spent")
    ShadowJob.objects.filter(request=unasked).update(state="skipped")
    lose(project, 0.7, tier="expensive", reason="not_readable: KeyError")
    study, _ = labelled.start(project, [0.1, None])
    columns = calibration.arrays(study).columns
    assert columns.lost.tolist() == [0, 0, *columns.lost[2:]]
    why = dict(zip(columns.score[2:], columns.lost[2:], strict=True))
    assert why == {
        0.3: inputs.NO_CHEAP,
        0.4: inputs.NO_EXPENSIVE,
        0.6: inputs.UNASKED,
        0.7: inputs.UNASKED,
    }
    by_score = dict(zip(columns.score, columns.traffic, strict=True))
    assert (by_score[0.3], by_score[0.4]) == (2.0, 1.0)
    assert np.isnan(columns.score).sum() == 1


def test_a_worker_that_died_says_nothing_of_the_answer(project, settings):
    request = lose(project, 0.4, tier="expensive")
    ShadowJob.objects.filter(request=request).update(
        state="running", reason="", finished_at=None, lease_until=timezone.now(),
        attempts=settings.SHADOWEVAL_SHADOW_ATTEMPTS,
    )  # fmt: skip
    shadow.recover()
    assert ShadowJob.objects.get(request=request).state == "failed"
    study, _ = labelled.start(project, [])
    assert calibration.arrays(study).columns.lost.tolist() == [inputs.UNASKED]


@pytest.mark.parametrize("loss", Study.Loss.values)
def test_every_loss_of_the_plan_is_read(project, loss):
    study, _ = labelled.start(project, SCORES, loss=loss, floor=0.1)
    labelled.label(study, harmed=lambda score: score >= 0.5)
    assert 0.4 < window_over(study).threshold < 0.6


def test_people_come_before_keys_and_keys_before_judges(project):
    study, pairs = labelled.start(project, SCORES[::10])
    kinds = []
    for kind in ("llm_judge", "answer_key", "human"):
        labelled.label(study, pairs=pairs, kind=kind)
        kinds.append(calibration.certificate(study).kind)
    assert kinds == ["llm_judge", "answer_key", "human"]


def test_tasks_are_named_in_order(project):
    add_pair(project, 0.3, task="writing")
    study, _ = labelled.start(project, [0.1], task="chat")
    read = calibration.arrays(study)
    assert read.about.tasks == ("chat", "writing")
    assert [read.about.tasks[one] for one in read.columns.task] == ["writing", "chat"]


def judge(study):
    return JudgeSpec.objects.create(
        study=study, provider="simulated", model="j", price={}, prompt="p", framing="f",
        tool={}, max_tokens=5, cap_usd=1,
    )  # fmt: skip


def test_a_judge_helps_when_it_was_there_first(project):
    study, _ = labelled.start(project, SCORES, judge_role="certificate")
    judge(study)
    labelled.label(study)
    labelled.label(study, kind="llm_judge", harmed=lambda score: score > 0.7)
    read = calibration.arrays(study)
    np.testing.assert_array_equal(read.columns.judge, (read.columns.score > 0.7) * 1.0)
    assert window_over(study).judge


def test_a_judge_of_after_the_first_rating_takes_no_part(project):
    study, _ = labelled.start(project, SCORES, judge_role="certificate")
    labelled.label(study)
    judge(study)
    labelled.label(study, kind="llm_judge")
    found = window_over(study)
    assert not found.judge
    assert "The judge takes no part: it was set up after the first rating." in found.warnings
    assert np.isnan(calibration.arrays(study).columns.judge).all()


def test_a_plan_without_a_judge_for_its_judge_role_says_so(project):
    study, _ = labelled.start(project, SCORES[::2], judge_role="certificate")
    labelled.label(study)
    assert any("the study has none" in one for one in window_over(study).warnings)


def test_what_closing_now_would_say_is_not_what_is(project):
    study, _ = labelled.start(project, SCORES)
    labelled.label(study)
    assert calibration.if_closed(study, "window").is_final
    assert not calibration.certificate(study).is_final


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_a_certificate_is_made_once_a_moment(project):
    study, pairs = labelled.start(project, SCORES[::2])
    labelled.label(study, pairs=pairs[:20])
    first = calibration.certificate(study)
    assert calibration.certificate(study) is first
    labelled.label(study, pairs=pairs[20:])
    assert calibration.certificate(study).n_rated == 50
    Study.objects.update(floor=0.2)
    study.refresh_from_db()
    assert calibration.certificate(study).floor == 0.2
