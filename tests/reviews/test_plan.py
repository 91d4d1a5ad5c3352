"""A plan that cannot be says so for every field; what a form leaves out keeps its default."""

import pytest

from reviews import plan, planfields
from reviews.models import Study
from reviews.plan import Plan, PlanError


def test_a_form_with_a_name_only_is_the_usual_plan():
    assert plan.parse({"name": " First "}) == Plan("First")


def test_defaults_are_those_of_the_model():
    usual = Plan("s").as_fields()
    del usual["name"]
    fresh = Study()
    assert usual == {name: getattr(fresh, name) for name in usual}


def test_the_words_of_a_choice_stand_for_what_the_model_takes():
    for name, choice in planfields.CHOICES.items():
        assert list(choice.options) == list(dict(Study._meta.get_field(name).choices))


def test_every_field_stands_in_one_group():
    grouped = [name for group in planfields.GROUPS for name in group.fields]
    tables = (planfields.NUMBERS, planfields.OPTIONAL, planfields.CHOICES, planfields.SWITCHES)
    assert sorted(grouped) == sorted(name for table in tables for name in table)


def test_an_empty_optional_number_asks_nothing_and_a_drop_becomes_a_guardrail():
    form = {"name": "s", "adequacy_floor": "", "drop_thumb": "0.02", "drop_score": " "}
    found = plan.parse(form)
    assert found.adequacy_floor is None
    assert found.guardrails == [{"metric": "thumb", "largest_drop": 0.02}]
    assert plan.drops(found.guardrails)["drop_thumb"] == 0.02
    again = plan.read({"drop_task_completed": "0.1"}, found.as_fields())
    assert plan.drops(again["guardrails"]) == {
        "drop_task_completed": 0.1, "drop_thumb": 0.02, "drop_score": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rate", "0"), ("rate", "1.01"), ("rate", "x"), ("rate", ""), ("rate", "nan"),
        ("tilt", "0.9"), ("tilt", "4.1"), ("train_rate", "-0.1"), ("train_rate", "inf"),
        ("ratings_per_pair", "0"), ("ratings_per_pair", "1.5"), ("second_share", "1.5"),
        ("rater_target", "0"), ("check_every", "-1"), ("origin_every", "1001"),
        ("practice_pairs", "51"), ("largest_threshold", "0"), ("largest_threshold", "1.5"),
        ("floor", "0"), ("confidence", "1"), ("window_days", "0"), ("window_days", "91"),
        ("rating_budget", "-1"), ("valid_days", "0"), ("valid_days", "9" * 400),
        ("window_days", "9" * 5000),
    ],
)  # fmt: skip
def test_a_number_out_of_its_range_is_named_at_its_field(name, text):
    with pytest.raises(PlanError) as caught:
        plan.parse({"name": "s", name: text})
    assert list(caught.value.problems) == [name]
    assert planfields.NUMBERS[name].label in caught.value.problems[name]


@pytest.mark.parametrize(
    ("name", "text"),
    [("adequacy_floor", "0.2"), ("adequacy_floor", "x"), ("drop_thumb", "0"), ("loss", "other"),
     ("judge_role", "")],
)  # fmt: skip
def test_other_fields_are_named_as_well(name, text):
    with pytest.raises(PlanError) as caught:
        plan.parse({"name": "s", name: text})
    assert list(caught.value.problems) == [name]


def test_every_problem_is_told_at_once():
    with pytest.raises(PlanError) as caught:
        plan.parse({"name": " ", "rate": "7", "tilt": "x"})
    assert set(caught.value.problems) == {"name", "rate", "tilt"}


@pytest.mark.parametrize(
    ("rate", "tilt", "train", "fits"),
    [(0.25, 3, 0.25, True), (0.25, 3, 0.26, False), (0.5, 2, 0, True), (0.5, 2.1, 0, False)],
)
def test_calibration_and_training_share_one_draw(rate, tilt, train, fits):
    form = {"name": "s", "rate": str(rate), "tilt": str(tilt), "train_rate": str(train)}
    if fits:
        assert plan.parse(form).train_rate == train
    else:
        with pytest.raises(PlanError) as caught:
            plan.parse(form)
        assert list(caught.value.problems) == ["train_rate"]


def test_a_box_without_a_tick_is_off_only_where_the_form_has_boxes():
    assert plan.parse({"name": "s"}).masks_leaks
    assert not plan.parse({"name": "s", "switches": "here"}).masks_leaks
    assert plan.parse({"name": "s", "switches": "here", "normalises_style": "yes"}).normalises_style


def test_what_was_typed_is_shown_again_also_when_it_is_no_number():
    form = {"name": "s", "rate": "much", "switches": "here", "drop_thumb": "?"}
    shown = plan.shown(plan.usual(), form)
    assert (shown["rate"], shown["tilt"], shown["masks_leaks"]) == ("much", 1.0, False)
    assert (shown["drop_thumb"], shown["drop_score"], shown["loss"]) == ("?", None, "harm")


@pytest.mark.parametrize(("rate", "tilt"), [(0.8, 1.0), (0.9, 1.0), (0.3, 3.0), (0.35, 2.0)])
def test_all_that_does_not_calibrate_may_train_as_the_database_counts(rate, tilt):
    fields = plan.Plan("s", rate=rate, tilt=tilt, train_rate=round(1 - rate * tilt, 6)).as_fields()
    assert 0 < fields["train_rate"] <= 1 - rate * tilt
