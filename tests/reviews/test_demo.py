"""The demo is whole, stays in its project, and leaves nothing behind."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from reviews import (
    calibration,
    closing,
    demo,
    estimation,
    gold,
    labels,
    practice,
    progress,
    quarters,
    rating,
    repeats,
    savings,
    signatures,
    status,
)
from reviews.models import Rater, SignOff, Verdict
from routing import bootstrap, usage
from routing.models import Project, Request, ShadowJob, ShadowPair


@pytest.mark.django_db
def test_demo_is_almost_rated_and_waits_for_a_signature(starter):
    project = demo.load()
    ended, running, _ = project.studies.all()
    assert (ended.state, running.state) == ("closed", "running")
    for study, n_rated in ((ended, 120), (running, 109)):
        estimate = estimation.estimate(study)
        assert (project.kind, estimate.n_frame, estimate.n_rated) == ("demo", 120, n_rated)
        assert set(estimate.kinds) == {"human"}
    assert repeats.floor(ended).n_rated > 0
    row = project.signoffs.get()
    assert (row.state, signatures.open_roles(row)) == (SignOff.State.REQUESTED, ["engineering"])
    review = row.quarter_reviews.get()
    assert quarters.is_whole(review)
    assert [one["name"] for one in review.content["ratings"]] == [
        "Living sample, made up for the demo"
    ]
    assert "of requests were made worse" in quarters.sentence(review.content)
    assert not ShadowJob.objects.filter(state="pending").exists()


@pytest.mark.django_db
def test_its_older_pairs_have_labels_to_train_on(starter):
    project = demo.load()
    study = project.studies.earliest("id")
    counted = labels.counts(project)
    assert (study.state, study.sample.count()) == ("closed", 72)
    assert counted.by_source["human"] >= 50
    assert counted.left_out == 120 + 72 - counted.by_source["human"]
    assert counted.conflicts > 0
    assert counted.spoken["proxy"] > 10


@pytest.mark.django_db
def test_loading_twice_writes_once(starter):
    assert demo.load() == demo.load()
    assert Request.objects.count() == 120 + 72 + 72


@pytest.mark.django_db
def test_what_its_trial_saved_is_measured_and_in_no_study(starter):
    project = demo.load()
    found = savings.measure(project, 30, timezone.now())
    assert found.n_cheap == 72
    assert 20 < found.estimate.n < 52
    assert found.saved.value > 0
    assert ShadowPair.objects.filter(project=project).count() == 120 + 72
    assert usage.figures(*savings.period(30, timezone.now()), by=("tier",), project_id=project.pk)


@pytest.mark.django_db
def test_removing_leaves_nothing_of_it_and_everything_else(project):
    demo.load()
    demo.remove()
    assert list(Project.objects.all()) == [project]
    assert not Verdict.objects.exists()
    assert not User.objects.filter(username__startswith="demo-").exists()


@pytest.mark.django_db
def test_a_project_that_has_the_demos_name_stays_apart(project, starter):
    theirs = bootstrap.ensure_project(demo.SLUG, "Ours", starter)
    assert demo.load() != theirs
    demo.remove()
    assert set(Project.objects.all()) == {project, theirs}


@pytest.mark.django_db
def test_a_new_rater_begins_with_a_calibration_round(starter):
    study = demo.load().studies.get(state="running")
    ann = Rater.objects.create(kind=Rater.Kind.HUMAN, name="ann")
    rows = gold.rows(study, ann)
    assert [row.gold.use for row in rows] == ["practice"] * 5 + ["hidden"] * 2
    assert not any(row.is_waiting for row in rows)
    kinds = []
    for _ in range(6):
        shown = rating.hand_out(study, ann)
        kinds.append(shown.slot.kind)
        rating.submit(shown.token, ann, choice="equal", left_adequate=True, right_adequate=True)
        feedback = practice.feedback(shown) if kinds[-1] == "practice" else None
        assert (kinds[-1] == "sample") or (feedback.why_html and feedback.agreed)
    assert kinds == ["practice"] * 5 + ["sample"]


@pytest.mark.django_db
def test_a_newcomer_rates_the_rest_and_the_study_closes(starter):
    study = demo.load().studies.get(state="running")
    assert (status.of(study).name, closing.n_unrated(study)) == ("collecting", 11)
    ann = Rater.objects.create(kind=Rater.Kind.HUMAN, name="ann")
    while closing.n_unrated(study):
        shown = rating.hand_out(study, ann)
        rating.submit(shown.token, ann, choice="equal", left_adequate=True, right_adequate=True)
    done = progress.of(study, ann)
    assert done.target == 13
    assert done.mine >= 11  # hidden checks among them are drawn
    assert status.of(study).name == "ready"
    assert closing.close_due() == [study]
    study.refresh_from_db()
    found = calibration.certificate(study)
    assert (found.is_final, found.n_rated, found.n_waiting) == (True, 120, 0)
