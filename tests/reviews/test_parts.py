"""The curve of a part of the traffic, and what is drawn beside it, on rows followed by hand."""

from datetime import timedelta

import pytest
from django.utils import timezone

from reviews import estimation, frames, parts, sampling
from reviews.models import Study
from reviews.parts import Part
from routing import policy
from tests.reviews import labelled
from tests.reviews.rated import rate_at_once, rater
from tests.reviews.rows import add_pair, add_pairs

pytestmark = pytest.mark.django_db
PLAN = {"second_share": 0, "check_every": 0, "origin_every": 0}


def make(project, scores, worse=(), tasks=("math",), **plan):
    """Return a study whose pairs are all rated; `worse` are places of pairs made worse."""
    pairs = add_pairs(project, list(scores), task=lambda place: tasks[place % len(tasks)])
    ids = [pair.pk for pair in pairs]
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, **(PLAN | plan))
    harmed = {ids[place] for place in worse}
    rate_at_once(study, rater("ann"), lambda pk: "expensive" if pk in harmed else "tie")
    return study


def seen(study, part=Part()):
    return parts.view(study, estimation.estimate(study), part)


def at(view, threshold):
    return min(view.points, key=lambda point: abs(point["threshold"] - threshold))


def test_a_part_is_the_curve_of_its_own_traffic(project):
    study = make(project, [0.1, 0.2, 0.3, 0.4], worse=[1], tasks=("math", "code"))
    assert at(seen(study), 0.5)["degradation"] == 0.25
    assert at(seen(study, Part("code")), 0.5)["degradation"] == 0.5
    assert at(seen(study, Part("math")), 0.5)["degradation"] == 0
    assert seen(study, Part("nothing")).n_frame == 0


def test_what_most_raters_call_good_enough_is_counted(project):
    study, _ = labelled.start(project, [0.1, 0.2, 0.3, 0.4])
    labelled.label(study, harmed=lambda score: score == 0.2)
    point = at(seen(study), 0.35)
    assert (point["adequate"], point["n_adequacy"]) == (2, 3)


def test_task_types_without_a_small_curve_are_counted(project):
    tasks = [f"task {n}" for n in range(parts.MOST_TASKS + 2)]
    view = seen(make(project, [n / 20 for n in range(len(tasks))], tasks=tasks))
    assert (len(view.tasks), view.n_other_tasks) == (parts.MOST_TASKS, 2)


def test_thresholds_by_task_type_route_and_save_together(project):
    study = make(project, [0.1, 0.2, 0.3, 0.4], tasks=("math", "code"))
    labelled.spread(study, 4)
    result = estimation.estimate(study)
    assert parts.routed(study, result, {"math": 0.2, "code": 0.3}).cheap_share == 0.5
    assert parts.routed(study, result, {"other": 1.0}).cheap_share == 0
    # Three full days, of which the first two save four cents each.
    assert parts.routed(study, result, {"math": 0.2, "code": 0.3}).month_usd == pytest.approx(0.8)


def test_days_are_whole_and_both_ends_belong_to_the_part(project):
    study = make(project, [0.1, 0.2])
    today = timezone.now().date()
    days = [str(today + timedelta(days=n)) for n in (-1, 0, 1)]
    found = [seen(study, Part("", begin, end)).n_frame for begin in days for end in days]
    assert found == [0, 2, 2, 0, 2, 2, 0, 0, 0]


@pytest.mark.parametrize("text", ["2026-02-31", "x", "20260101x", ""])
def test_what_is_no_day_is_none(text):
    assert parts.part("", text, text).is_whole


def test_the_plan_says_what_a_loss_is(project):
    study = make(project, [0.1, 0.2, 0.3, 0.4], worse=[0, 1])
    Study.objects.filter(pk=study.pk).update(loss="inadequate")
    study.refresh_from_db()
    assert at(seen(study), 0.5)["degradation"] == 0  # raters called every answer good enough


def test_chance_and_a_perfect_router_route_as_much_cheap(project):
    study = make(project, [0.1, 0.2, 0.3, 0.4], worse=[3])
    half, everything = at(seen(study), 0.25), at(seen(study), 1.01)
    assert (half["cheap_share"], half["degradation"]) == (0.5, 0)
    assert (half["random"], half["oracle"]) == (0.125, 0)
    assert {everything[name] for name in ("degradation", "random", "oracle")} == {0.25}


def test_without_the_highest_thresholds_neither_is_known(project):
    study = make(project, [0.1, 0.2], largest_threshold=0.5)
    assert {point["random"] for point in seen(study).points} == {None}


def test_the_band_is_wider_than_one_interval_and_holds_the_curve(project):
    study = make(project, [n / 40 for n in range(40)], worse=[5, 20, 30])
    for point in seen(study).points:
        assert point["band_low"] <= point["degradation"] <= point["band_high"]
    middle = at(seen(study), 0.5)
    assert middle["band_high"] > middle["degradation_high"]


def test_rare_answers_of_a_day_name_no_money(project):
    view = seen(make(project, [0.1]))
    assert (view.n_days, view.requests_a_month, at(view, 1)["month_usd"]) == (0, None, None)


def test_the_rug_has_each_rated_pair_once_by_what_was_said(project):
    study = make(project, [0.1, 0.2, 0.3], worse=[2])
    assert (seen(study).rug.worse, sorted(seen(study).rug.fine)) == ([0.3], [0.1, 0.2])


def test_the_rug_is_capped(project):
    study = make(project, [0.1, 0.2, 0.3])
    found = estimation.rows(study, "human", estimation.Moment.now(study))
    many = found._replace(
        frame=type(found.frame)(*(column.repeat(200) for column in found.frame)),
        rated=found.rated.repeat(200),
    )
    assert len(parts._rug(many).fine) == parts.MOST_TICKS


def test_task_types_have_small_curves_within_themselves(project):
    study = make(project, [0.1, 0.2, 0.3, 0.4], worse=[1], tasks=("math", "code"))
    code, math = seen(study).tasks
    assert [(one["name"], one["n_rated"], one["share"]) for one in (code, math)] == [
        ("code", 2, 0.5), ("math", 2, 0.5),
    ]  # fmt: skip
    assert (code["degradation"][-1], math["degradation"][-1]) == (0.5, 0)
    assert len(code["degradation"]) == len(seen(study).points)


def test_a_task_type_nobody_asked_is_no_new_number(project):
    study = make(project, [0.1])
    before = len(frames.task_names())
    seen(study, Part("never heard of"))
    assert len(frames.task_names()) == before


def test_an_unfinished_queue_reaches_as_far_as_its_first_gap(project):
    for n in range(12):
        add_pair(project, n / 12)
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, **PLAN)
    who, n = rater("ann"), iter(range(6))
    rate_some(study, who, n)
    found = estimation.rows(study, "human", estimation.Moment.now(study))
    waiting = found.frame.u[found.frame.selected & ~found.rated]
    assert parts._reach(found) == waiting.min()
    assert 0 < parts._reach(found) < 1


def rate_some(study, who, places):
    from reviews import rating
    from tests.reviews.rated import form

    for _ in places:
        shown = rating.hand_out(study, who)
        rating.submit(shown.token, who, **form(shown.left, "tie"))


def test_an_empty_study_has_a_view(project):
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0)
    view = seen(study)
    assert (view.n_frame, view.n_rated, view.tasks) == (0, 0, [])
    assert {point["degradation"] for point in view.points} == {None}
