"""A plan that cannot be says so for every field; what a form leaves out keeps its default."""

import pytest

from reviews import plan
from reviews.models import Study
from reviews.plan import Plan, PlanError


def test_a_form_with_a_name_only_is_the_usual_plan():
    assert plan.parse({"name": " First "}) == Plan("First")


def test_defaults_are_those_of_the_model():
    usual = Plan("s").as_fields()
    del usual["name"]
    assert usual == {name: Study._meta.get_field(name).default for name in usual}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rate", "0"), ("rate", "1.01"), ("rate", "x"), ("rate", ""), ("rate", "nan"),
        ("tilt", "0.9"), ("tilt", "4.1"), ("train_rate", "-0.1"), ("train_rate", "inf"),
        ("ratings_per_pair", "0"), ("ratings_per_pair", "1.5"), ("second_share", "1.5"),
        ("rater_target", "0"), ("check_every", "-1"), ("origin_every", "1001"),
        ("practice_pairs", "51"), ("largest_threshold", "0"), ("largest_threshold", "1.5"),
    ],
)  # fmt: skip
def test_a_number_out_of_its_range_is_named_at_its_field(name, text):
    with pytest.raises(PlanError) as caught:
        plan.parse({"name": "s", name: text})
    assert list(caught.value.problems) == [name]
    assert plan.NUMBERS[name].label in caught.value.problems[name]


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
    shown = plan.typed({"name": "s", "rate": "much", "switches": "here"})
    assert (shown["rate"], shown["tilt"], shown["masks_leaks"]) == ("much", 1.0, False)
