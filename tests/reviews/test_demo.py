"""The demo is whole, stays in its project, and leaves nothing behind."""

import pytest
from django.contrib.auth.models import User

from reviews import demo, estimation, gold, practice, rating
from reviews.models import Rater, SignOff, Verdict
from routing import bootstrap
from routing.models import Project, Request, ShadowJob


@pytest.mark.django_db
def test_demo_is_half_rated_and_waits_for_a_signature(starter):
    project = demo.load()
    estimate = estimation.estimate(project.studies.get())
    assert (project.kind, estimate.n_frame) == ("demo", 120)
    assert 50 <= estimate.n_rated <= 70
    assert set(estimate.kinds) == {"human"}
    assert project.signoffs.get().state == SignOff.State.REQUESTED
    assert not ShadowJob.objects.exclude(state="done").exists()


@pytest.mark.django_db
def test_loading_twice_writes_once(starter):
    assert demo.load() == demo.load()
    assert Request.objects.count() == 120


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
    study = demo.load().studies.get()
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
