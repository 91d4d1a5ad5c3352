"""A study's page shows its plan and how it ends; changing and closing it is for leads."""

import pytest

from reviews import planning
from tests.reviews import labelled

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    return labelled.start(project, [0.2, 0.4, 0.6])[0]


def test_the_page_shows_the_plan_and_where_the_study_stands(as_role, study):
    text = as_role("lead").get(f"/studies/{study.pk}/").content.decode()
    for said in ("Collecting", "What has to hold", "Floor", "0.05", "None: the study keeps to",
                 "Change the plan", "Close now", "Of the next pairs: "):  # fmt: skip
        assert said in text


def test_whoever_only_looks_is_offered_nothing(as_role, study):
    text = as_role("product").get(f"/studies/{study.pk}/").content.decode()
    assert "Close now" not in text
    assert "Change the plan" not in text


def test_a_plan_is_changed_and_a_deviation_is_shown(as_role, study):
    client = as_role("lead")
    there = f"/studies/{study.pk}/plan/"
    assert client.get(there).status_code == 200
    assert client.post(there, {"floor": "0.1"}).url == f"/studies/{study.pk}/"
    labelled.label(study)
    answer = client.post(there, {"floor": "0.2"})
    assert "say in a sentence why" in answer.context["problems"]["reason"]
    client.post(there, {"floor": "0.2", "reason": "Costs rose."})
    study.refresh_from_db()
    assert study.floor == 0.2
    text = client.get(f"/studies/{study.pk}/").content.decode()
    assert "Costs rose." in text
    assert "Locked by the first rating" in text


def test_what_cannot_be_comes_back_as_it_was_typed(as_role, study):
    answer = as_role("lead").post(f"/studies/{study.pk}/plan/", {"floor": "much"})
    assert 'value="much"' in answer.content.decode()
    assert list(answer.context["problems"]) == ["floor"]


def test_numbers_of_any_length_come_back_with_a_sentence(as_role, study):
    client, typed = as_role("lead"), "9" * 400
    answer = client.post(f"/studies/{study.pk}/plan/", {"valid_days": typed})
    assert list(answer.context["problems"]) == ["valid_days"]
    form = {"project": "default", "name": "Next", "window_days": typed}
    answer = client.post("/studies/new/", form)
    assert list(answer.context["problems"]) == ["window_days"]


def test_the_form_leaves_out_what_never_changes(as_role, study):
    text = as_role("lead").get(f"/studies/{study.pk}/plan/").content.decode()
    assert 'name="floor"' in text
    assert not any(f'name="{name}"' in text for name in ("rate", "tilt", "window_days"))
    as_role("admin").post(f"/studies/{study.pk}/plan/", {"floor": "0.1", "rate": "0.5"})
    study.refresh_from_db()
    assert (study.floor, study.rate) == (0.05, 1.0)


def test_closing_takes_a_tick_and_a_word_why(as_role, study):
    client = as_role("lead")
    for form in ({"why": "Enough."}, {"confirm": "yes"}):
        client.post(f"/studies/{study.pk}/close/", {"basis": "now", **form})
        study.refresh_from_db()
        assert study.state == "running"
    client.post(f"/studies/{study.pk}/close/", {"basis": "now", "confirm": "yes", "why": "Enough."})
    study.refresh_from_db()
    assert (study.state, study.closed_why) == ("closed", "Enough.")
    text = client.get(f"/studies/{study.pk}/").content.decode()
    assert "closed by hand before the window was over" in text
    assert "Close now" not in text


def test_a_closed_plan_is_not_changed(as_role, study):
    client = as_role("lead")
    planning.change(study, {"floor": 0.1}, by=None, reason="")
    study.state, study.closed_at = "closed", study.created_at
    study.save()
    client.post(f"/studies/{study.pk}/plan/", {"floor": "0.3"})
    study.refresh_from_db()
    assert study.floor == 0.1


def test_a_study_that_may_stop_early_says_so(as_role, project):
    study, _ = labelled.start(project, [nth / 90 for nth in range(90)], floor=0.2)
    labelled.label(study)
    labelled.spread(study, days=10)
    client = as_role("lead")
    assert "Stop early" in client.get(f"/studies/{study.pk}/").content.decode()
    client.post(f"/studies/{study.pk}/close/", {"basis": "early", "confirm": "yes"})
    study.refresh_from_db()
    assert (study.state, study.closed_basis) == ("closed", "early")


def test_a_hopeless_study_says_so(as_role, project):
    study, _ = labelled.start(project, [nth / 90 for nth in range(90)])
    labelled.label(study, harmed=lambda score: True)
    labelled.spread(study, days=10)
    text = as_role("lead").get(f"/studies/{study.pk}/").content.decode()
    assert "no useful threshold can hold the floor" in text


def test_a_newcomer_only_gives_a_name(as_role, project):
    client = as_role("lead")
    text = client.get("/studies/new/?project=default").content.decode()
    assert "Guardrails" in text
    client.post("/studies/new/", {"project": "default", "name": "First", "drop_thumb": "0.02"})
    study = project.studies.get()
    assert (study.floor, study.window_days, study.early_stop) == (0.05, 14, True)
    assert study.guardrails == [{"metric": "thumb", "largest_drop": 0.02}]
