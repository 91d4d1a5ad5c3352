"""A judge beside people: when it is shown, what it says, why it is not."""

from decimal import Decimal

import numpy as np
import pytest
from django.utils import timezone

from reviews import corrected, estimation, judge_calls, judging, sampling
from reviews.estimation import Moment
from reviews.models import JudgeCall, Rater, Verdict
from reviews.stats import ppi, ppi_curve
from routing import policy
from routing.types import TierSpec
from tests.reviews.rows import add_pairs

pytestmark = pytest.mark.django_db

N, N_RATED = 300, 220
SIDES = {"cheap": ("first", "second"), "expensive": ("second", "first")}


def truth(nth):
    return "expensive" if nth % 8 == 0 else "cheap"


def opinion(nth):
    """What a fair judge says: wrong on every fifteenth pair."""
    return truth(nth) if nth % 15 else "cheap"


def study_of(project, n=N, n_rated=N_RATED):
    """A study of which the first pairs were rated by people, outside the queue."""
    add_pairs(project, [(nth * 37 % n + 0.5) / n for nth in range(n)])
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0)
    who = Rater.objects.create(kind="human", name="ann")
    draws = list(study.sample.order_by("pair_id"))
    Verdict.objects.bulk_create(
        Verdict(study=study, pair_id=draw.pair_id, rater=who, preference=truth(nth))
        for nth, draw in enumerate(draws[:n_rated])
    )
    return study


def judge_of(study, says):
    spec = judging.create(study, TierSpec("simulated", "simulated-judge"), cap_usd=Decimal(0))
    draws, who = list(study.sample.order_by("pair_id")), judge_calls.rater_of(spec)
    now = timezone.now()
    JudgeCall.objects.bulk_create(
        JudgeCall(
            spec=spec, pair_id=draw.pair_id, order=order, state="done", choice=choice,
            due_at=now, finished_at=now,
        )
        for nth, draw in enumerate(draws)
        for order, choice in zip(JudgeCall.Order.values, SIDES[says(nth)], strict=True)
    )  # fmt: skip
    Verdict.objects.bulk_create(
        Verdict(study=study, pair_id=draw.pair_id, rater=who, preference=says(nth))
        for nth, draw in enumerate(draws)
    )
    return spec


def test_an_admitted_judge_narrows_the_curve_of_people(project):
    study = study_of(project)
    judge_of(study, opinion)
    points = corrected.points(study)
    last, people = points[-1], estimation.point_at(estimation.estimate(study, "human"), 1.01)
    assert (last["threshold"], last["events"], last["words"]) == (1.01, 28, "")
    # Asymptotically, of 220 rated pairs beside 80 that only the judge rated.
    assert last["width"] == pytest.approx(ppi.width_ratio(last["rho"], 220, 80), abs=0.01)
    assert last["low"] <= last["degradation"] <= last["high"]
    assert last["high"] - last["low"] < people["degradation_high"] - people["degradation_low"]
    assert abs(last["degradation"] - people["degradation"]) < 0.03
    assert len(points) == 102


def test_points_are_those_of_the_statistics(project):
    study = study_of(project)
    judge_of(study, opinion)
    draws = list(study.sample.order_by("pair_id").select_related("pair"))
    by_hand = ppi_curve.corrected(
        score=[draw.pair.score for draw in draws],
        loss=[truth(nth) == "expensive" for nth in range(N)],
        judge=[opinion(nth) == "expensive" for nth in range(N)],
        rated=np.arange(N) < N_RATED, pi=np.ones(N), traffic=np.ones(N), thresholds=[0.95],
    )  # fmt: skip
    point = next(one for one in corrected.points(study) if one["threshold"] == 0.95)
    assert point["degradation"] == pytest.approx(by_hand.degradation[0])
    assert point["lam"] == pytest.approx(by_hand.lam[0])
    half = 1.959964 * by_hand.variance[0] ** 0.5
    assert point["high"] == pytest.approx(by_hand.degradation[0] + half)


def test_thresholds_with_few_harmed_pairs_say_so_and_give_no_number(project):
    study = study_of(project)
    judge_of(study, opinion)
    point = corrected.points(study)[10]
    assert point["degradation"] is None
    assert point["width"] is None
    assert point["events"] < 15
    assert f"{point['events']} of them with harm, of 15 needed" in point["words"]


def test_without_a_judge_the_reason_is_that(project):
    assert corrected.points(study_of(project, 4, 4)) == "No judge was asked in this study."


@pytest.mark.parametrize(
    ("n", "says", "words"),
    [
        (40, opinion, "40 pairs rated by people too, of 200 needed"),
        (N_RATED, lambda nth: "cheap", "one of them never varies"),
        (N_RATED, lambda nth: ("cheap", "expensive")[nth % 2], "below 0.30"),
    ],
)
def test_a_judge_that_cannot_help_is_not_shown_and_why(project, n, says, words):
    study = study_of(project, n_rated=n)
    judge_of(study, says)
    assert words in corrected.points(study)


def test_a_judge_whose_verdicts_flip_is_not_shown(project):
    study = study_of(project)
    spec = judge_of(study, opinion)
    spec.calls.filter(order="expensive_first").update(choice="tie")
    assert "flip with the order" in corrected.points(study)


def test_what_came_later_is_left_out(project):
    study = study_of(project)
    judge_of(study, opinion)
    then = Moment.now(study)
    before = corrected.points(study, then)
    who = Rater.objects.get(name="ann")
    for draw in study.sample.order_by("pair_id")[:40]:
        Verdict.objects.create(study=study, pair=draw.pair, rater=who, preference="expensive")
    assert corrected.points(study, then) == before
    assert corrected.points(study) != before
