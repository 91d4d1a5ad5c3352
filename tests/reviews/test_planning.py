"""A plan is corrected freely until somebody rates; then a change leaves a trace, or is refused."""

import json

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection

from reviews import planning
from reviews.errors import BadInput, Conflict
from reviews.models import PlanChange, Reveal, Study
from reviews.plan import PlanError
from tests.reviews import labelled, rated

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead():
    return User.objects.create_user("lena")


@pytest.fixture
def study(project):
    return labelled.start(project, [0.2, 0.4])[0]


def test_before_the_first_rating_a_change_leaves_no_trace(study, lead):
    assert planning.change(study, {"floor": 0.1}, by=lead, reason="") == []
    study.refresh_from_db()
    assert (study.floor, planning.locked(study)) == (0.1, False)


def test_after_it_a_change_is_a_deviation_with_its_reason(study, lead):
    labelled.label(study)
    (row,) = planning.change(
        study, {"floor": 0.1, "confidence": 0.95}, by=lead, reason=" Costs rose. "
    )
    said = (row.field, row.before, row.after, row.reason, row.by, row.n_rated)
    assert said == ("floor", 0.05, 0.1, "Costs rose.", lead, 2)
    assert planning.as_json(study)["deviations"][0]["after"] == 0.1


def test_a_second_run_writes_nothing(study, lead):
    labelled.label(study)
    for _ in range(2):
        planning.change(study, {"floor": 0.1}, by=lead, reason="Costs rose.")
    assert PlanChange.objects.count() == 1


def test_a_locked_plan_wants_a_reason(study, lead):
    labelled.label(study)
    with pytest.raises(PlanError) as caught:
        planning.change(study, {"floor": 0.1}, by=lead, reason=" ")
    assert list(caught.value.problems) == ["reason"]
    assert Study.objects.get().floor == 0.05


def test_how_many_pairs_count_is_not_chosen_by_what_was_rated(study, lead):
    planning.change(study, {"rating_budget": 2}, by=lead, reason="")
    labelled.label(study)
    with pytest.raises(PlanError) as caught:
        planning.change(study, {"rating_budget": 1}, by=lead, reason="Less time.")
    assert list(caught.value.problems) == ["rating_budget"]
    assert Study.objects.get().rating_budget == 2


def test_a_pair_seen_unblinded_locks_as_well(study, project):
    assert not planning.locked(study)
    Reveal.objects.create(rater=rated.rater("ann"), pair=project.pairs.first())
    assert planning.locked(study)


@pytest.mark.parametrize(
    "field",
    ["seed", "rate", "tilt", "train_rate", "largest_threshold", "window_days", "router", "state"],
)
def test_what_the_draw_rests_on_never_changes(study, lead, field):
    with pytest.raises(BadInput):
        planning.change(study, {field: 2}, by=lead, reason="Why not?")


def test_a_plan_that_cannot_be_changes_nothing(study, lead):
    with pytest.raises(PlanError) as caught:
        planning.change(study, {"floor": 2.0, "loss": "other"}, by=lead, reason="")
    assert set(caught.value.problems) == {"floor", "loss"}


def test_a_closed_study_keeps_its_plan(study, lead):
    Study.objects.update(state="closed", closed_at=study.created_at)
    with pytest.raises(Conflict):
        planning.change(study, {"valid_days": 30}, by=lead, reason="Why not?")


def test_deviations_cannot_be_taken_back(study, lead):
    labelled.label(study)
    (row,) = planning.change(study, {"floor": 0.1}, by=lead, reason="Costs rose.")
    with pytest.raises(DatabaseError, match="Cannot update"), connection.cursor() as cursor:
        cursor.execute("UPDATE reviews_planchange SET reason = 'x' WHERE id = %s", [row.pk])


def test_the_plan_is_plain_values(study):
    said = planning.as_json(study)
    assert json.loads(json.dumps(said)) == said
    assert said["seed"] == "7"
    assert said["router"]["name"] == "test-1"
