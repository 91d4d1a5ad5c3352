"""From calls to arrays: signs by tier, people beside the judge, weights, admission."""

from decimal import Decimal

import numpy as np
import pytest
from django.utils import timezone

from reviews import judge_quality, judging, sampling
from reviews.models import JudgeCall, Rater, Verdict
from routing import policy
from routing.types import TierSpec
from tests.reviews.rows import add_pairs

pytestmark = pytest.mark.django_db


def study_of(project, n, rate=1.0, tasks=("math",)):
    texts = {"cheap": "short", "expensive": "a longer one"}
    add_pairs(project, [0.5] * n, **texts, task=lambda place: tasks[place % len(tasks)])
    return sampling.start(policy.live(project), name="S", seed="s", rate=rate)


def judge_of(study):
    asked = TierSpec("simulated", "simulated-judge")
    spec = judging.create(study, asked, cap_usd=Decimal(0))
    judging.extend(spec)
    return spec


def answer(spec, said):
    """Store choices by (cheap first, expensive first), one of each pair."""
    pairs = spec.calls.order_by("pair").values_list("pair", flat=True).distinct()
    for pair, both in zip(pairs, said, strict=True):
        for order, choice in zip(JudgeCall.Order.values, both, strict=True):
            spec.calls.filter(pair=pair, order=order).update(
                state="done", choice=choice, finished_at=timezone.now()
            )


def rate(study, said):
    rater = Rater.objects.create(kind="human", name="h")
    for draw, preference in zip(study.sample.order_by("pair"), said, strict=True):
        if preference:
            Verdict.objects.create(study=study, pair=draw.pair, rater=rater, preference=preference)


def test_choices_become_signs_by_tier(project):
    spec = judge_of(study_of(project, 8))
    answer(spec, [("first", "second"), ("second", "first"), ("first", "first"),
                  ("tie", "both_bad"), ("second", "tie"), ("both_bad", "first"),
                  ("first", "tie"), ("both_bad", "second")])  # fmt: skip
    rows = judge_quality.rows(spec)
    assert rows.cheap_first.tolist() == [-1, 1, -1, 0, 1, 0, -1, 0]
    assert rows.expensive_first.tolist() == [-1, 1, 1, 0, 0, 1, 0, -1]
    assert rows.harm.tolist() == [0, 1, 0.5, 0, 0.5, 0.5, 0, 0]
    flips = judge_quality.report(spec, rows).flips
    assert (flips.rate, flips.to_first, flips.to_second, flips.n) == (5 / 8, 3, 2, 8)


def test_a_pair_with_one_order_is_left_out(project):
    spec = judge_of(study_of(project, 2))
    answer(spec, [("first", "second"), ("second", "first")])
    spec.calls.filter(order="cheap_first").first().delete()
    assert judge_quality.rows(spec).task.size == 1


def test_people_stand_beside_the_judge_with_the_weight_of_their_draw(project):
    study = study_of(project, 8, rate=0.5)
    spec = judge_of(study)
    answer(spec, [("second", "first")] * 8)
    draws = list(study.sample.order_by("pair"))
    rate(study, ["expensive" if draw.selected else "" for draw in draws])
    rows = judge_quality.rows(spec)
    selected = [draw.selected for draw in draws]
    assert 0 < sum(selected) < 8
    assert (~np.isnan(rows.people)).tolist() == selected
    assert set(rows.weight[selected]) == {2.0}
    assert np.allclose(rows.log_length_ratio, np.log(12 / 5))


def test_a_judge_is_compared_with_people_by_task(project):
    study = study_of(project, 4, tasks=("math", "coding"))
    spec = judge_of(study)
    answer(spec, [("second", "first"), ("first", "second")] * 2)
    rate(study, ["expensive", "cheap", "cheap", "expensive"])
    rows = judge_quality.rows(spec)
    whole = judge_quality.report(spec, rows)
    assert whole.quality.table.tolist() == [[0.25, 0.25], [0.25, 0.25]]
    assert whole.quality.phi.value == pytest.approx(0)
    assert [(task, report.flips.n) for task, report in judge_quality.by_task(spec, rows)] == [
        ("coding", 2),
        ("math", 2),
    ]


def many(project, n_flips=0):
    """Return a judge of 240 pairs that agrees with people, flips on the last ones."""
    study = study_of(project, 240)
    spec = judge_of(study)
    harmed = [("second", "first")] * 40 + [("first", "second")] * (200 - n_flips)
    answer(spec, harmed + [("first", "first")] * n_flips)
    rate(study, ["expensive"] * 40 + ["cheap"] * 200)
    return spec


@pytest.mark.parametrize(("n_flips", "use"), [(0, "one order"), (10, "both orders"), (120, "no")])
def test_admission_is_earned(project, n_flips, use):
    spec = many(project, n_flips)
    report = judge_quality.report(spec, judge_quality.rows(spec))
    assert report.is_admitted == (use != "no")
    if report.is_admitted:
        assert report.admission.use == use
    else:
        assert any("flip" in reason for reason in report.admission.reasons)


def test_little_overlap_with_people_is_a_reason(project):
    spec = judge_of(study_of(project, 2))
    answer(spec, [("first", "second")] * 2)
    report = judge_quality.report(spec, judge_quality.rows(spec))
    assert not report.is_admitted
    assert any("0 pairs rated by people" in reason for reason in report.admission.reasons)


def test_notes_beside_a_judges_estimate_say_why(project):
    study = study_of(project, 2)
    spec = judge_of(study)
    (note,) = judge_quality.notes(study)
    assert note.startswith(f"{spec.name}: not admitted (")


def test_nothing_answered_is_no_error(project):
    spec = judge_of(study_of(project, 1))
    report = judge_quality.report(spec, judge_quality.rows(spec))
    assert (report.flips.n, report.length, report.is_admitted) == (0, None, False)
    assert judge_quality.progress(spec) == {
        "states": {"pending": 2}, "reasons": [], "suspected": 0,
    }  # fmt: skip
