"""Health: one study that has nothing wrong, and one cause at a time that makes it ill."""

from contextlib import contextmanager
from decimal import Decimal
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from reviews import health, judge_calls, judging, sampling
from reviews.estimation import Moment
from reviews.models import (
    Guideline,
    JudgeCall,
    PlanChange,
    Presentation,
    Rater,
    SampledPair,
    Study,
    Verdict,
)
from routing import policy, redaction
from routing.models import ShadowJob
from routing.types import TierSpec
from tests.reviews.rows import add_pairs
from tests.reviews.showings import guess, rate, rater, show, study_of

pytestmark = pytest.mark.django_db

N = 240
SIDES = ("cheap", "expensive")
CHOICES = {
    ("cheap", "cheap"): "a_slightly", ("cheap", "expensive"): "b_slightly",
    ("expensive", "cheap"): "b_slightly", ("expensive", "expensive"): "a_slightly",
}  # fmt: skip


def choice(left, preference):
    return CHOICES.get((left, preference), "equal")


def preference(nth):
    """Every sixth pair is harmed, every fourth of the others better with the cheap answer."""
    if nth % 6 == 0:
        return "expensive"
    return "cheap" if nth % 4 == 1 else "tie"


@pytest.fixture
def study(project):
    """A study whose every pair was drawn and rated, 40 twice, by two raters who agree."""
    scores = (np.random.default_rng(1).permutation(N) + 0.5) / N
    study = study_of(project, scores.tolist())
    people, coins = (rater("ann"), rater("bob")), np.random.default_rng(2).integers(2, size=(N, 3))
    draws = study.sample.order_by("pair_id").select_related("pair")
    for nth, (draw, (who, side, guessed_side)) in enumerate(
        zip(draws, coins.tolist(), strict=True)
    ):
        left = SIDES[side]
        said = rate(study, people[who], draw.pair, choice(left, preference(nth)), left=left)
        if nth < 40:
            guess(said.presentation, ("left", "right")[guessed_side])
            left = SIDES[1 - side]
            rate(study, people[1 - who], draw.pair, choice(left, preference(nth)), left=left)
    return study


def found(study):
    return {check.name: check for check in health.checks(study)}


@contextmanager
def undone():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def more_pairs(study, n, *, selected, pi=0.5, score=lambda nth: (nth + 0.5) / 200, **pair):
    """Add pairs to the frame, drawn as the test says whatever the probability."""
    for nth, row in enumerate(add_pairs(study.project, [*map(score, range(n))], **pair)):
        SampledPair.objects.create(
            study=study, pair=row, stratum="math/0", u=0.5, inclusion_probability=pi,
            selected=selected(nth),
        )  # fmt: skip


def too_many_drawn(study):
    more_pairs(study, 60, selected=lambda nth: True)


def high_scores_drawn(study):
    more_pairs(study, 200, selected=lambda nth: nth >= 100)


def one_side(study):
    who = rater("cy")
    for draw in study.sample.all()[40:140]:
        show(study, who, draw.pair, left="cheap")


def lost_pairs(n):
    def cause(study):
        for pair in add_pairs(study.project, [(nth + 0.5) / n for nth in range(n)]):
            ShadowJob.objects.filter(request_id=pair.request_id).update(
                state="failed", reason="provider_error: 500", finished_at=timezone.now()
            )
            pair.delete()

    return cause


def redacted(study):
    for pair in add_pairs(study.project, [(nth + 0.5) / 3 for nth in range(3)]):
        ShadowJob.objects.filter(request_id=pair.request_id).update(
            state="skipped", reason=redaction.CHANGED, finished_at=timezone.now()
        )
        pair.delete()


def nobody_could_judge(study):
    more_pairs(study, 10, selected=lambda nth: True, pi=1.0)
    who = rater("dee")
    for draw in study.sample.order_by("-pk")[:10]:
        Verdict.objects.create(study=study, pair=draw.pair, rater=who, preference="cannot")


def closed_unfinished(study):
    more_pairs(study, 20, selected=lambda nth: True, pi=1.0)
    Study.objects.filter(pk=study.pk).update(state="closed", closed_at=timezone.now())
    study.refresh_from_db()


def raters_disagree(study):
    who = rater("eve")
    for nth, draw in enumerate(study.sample.order_by("pair_id")[:120]):
        says = {"expensive": "cheap", "cheap": "tie", "tie": "expensive"}[preference(nth)]
        Verdict.objects.create(study=study, pair=draw.pair, rater=who, preference=says)


def always_left(study):
    who = rater("fay")
    for nth, draw in enumerate(study.sample.order_by("pair_id")[40:90]):
        rate(study, who, draw.pair, "a_much", left=SIDES[nth % 2])


def guessed(*words):
    def cause(study):
        shown = Presentation.objects.filter(slot__study=study, origin_guess=None)
        for one, word in zip(shown[:180], words * 180, strict=False):
            side = "left" if (one.left == "expensive") == (word == "right") else "right"
            guess(one, "unsure" if word == "unsure" else side)

    return cause


def leaking(n, *tiers):
    def cause(study):
        who = rater("gus")
        for draw in study.sample.all()[40 : 40 + n]:
            tells = {tier: ["says who it is"] for tier in tiers}
            left = SIDES[draw.pk % 2]
            show(study, who, draw.pair, left=left, leaks=tells)

    return cause


def scores_moved(study):
    more_pairs(study, 150, selected=lambda nth: False, pi=0.01, score=lambda nth: 0.8 + nth / 1000)


def other_model(study):
    """Let the provider answer as another model from some day on."""
    more_pairs(study, 20, selected=lambda nth: True, pi=1.0)
    newest = study.sample.order_by("-pk").values_list("pair__cheap", flat=True)[:20]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE routing_completion SET model = 'm-2' WHERE id = ANY(%s)", [list(newest)]
        )


def other_guidelines(study):
    shown = Presentation.objects.filter(slot__study=study)[:2]
    for version, one in enumerate(shown, start=1):
        guideline = Guideline.objects.create(study=study, version=version, body="b")
        Presentation.objects.create(
            token=uuid4(), slot=one.slot, rater=one.rater, left=one.left, guideline=guideline
        )


def changed_plan(study):
    PlanChange.objects.create(
        study=study, field="rating_budget", before=0, after=100, reason="money", n_rated=240
    )


def one_score(study):
    more_pairs(study, 20, selected=lambda nth: False, pi=0.01, score=lambda nth: 0.5)


def unpriced(study):
    more_pairs(study, 20, selected=lambda nth: False, pi=0.01)
    newest = study.sample.order_by("-pk").values_list("pair__cheap", flat=True)[:20]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE routing_completion SET cost_usd = NULL WHERE id = ANY(%s)", [list(newest)]
        )


def judge_of(study, says):
    """Add a judge of every pair that says the same in both orders: by place and by people."""
    spec = judging.create(study, TierSpec("simulated", "simulated-judge"), cap_usd=Decimal(0))
    judging.extend(spec)
    rater_of = judge_calls.rater_of(spec)
    sides = {"cheap": ("first", "second"), "expensive": ("second", "first"), "tie": ("tie", "tie")}
    for nth, draw in enumerate(study.sample.order_by("pair_id")):
        said = says(nth)
        for order, chosen in zip(JudgeCall.Order.values, sides[said], strict=True):
            spec.calls.filter(pair=draw.pair, order=order).update(
                state="done", choice=chosen, finished_at=timezone.now()
            )
        Verdict.objects.create(study=study, pair=draw.pair, rater=rater_of, preference=said)


def poor_judge(study):
    judge_of(study, lambda nth: ("expensive", "cheap", "tie")[nth % 3 - (nth % 6 == 0)])


CAUSES = [
    (too_many_drawn, "sampling", "fail"),
    (high_scores_drawn, "balance", "fail"),
    (one_side, "sides", "fail"),
    (lost_pairs(5), "missing", "warn"),
    (lost_pairs(20), "missing", "fail"),
    (redacted, "redacted", "warn"),
    (nobody_could_judge, "response", "warn"),
    (closed_unfinished, "response", "warn"),
    (raters_disagree, "agreement", "warn"),
    (always_left, "position", "warn"),
    (guessed("right", "right", "wrong", "unsure"), "blinding", "warn"),
    (guessed("right"), "blinding", "fail"),
    (leaking(20, "cheap"), "leaks", "warn"),
    (leaking(20, "cheap", "expensive"), "leaks", "warn"),
    (scores_moved, "drift", "warn"),
    (other_model, "versions", "fail"),
    (other_guidelines, "versions", "warn"),
    (changed_plan, "versions", "warn"),
    (one_score, "ties", "warn"),
    (unpriced, "costs", "warn"),
    (poor_judge, "judge", "warn"),
]


def test_a_healthy_study_is_all_well_and_each_cause_shows(study):
    well = found(study)
    assert {name: check.level for name, check in well.items() if check.level != "ok"} == {}
    assert health.failing(study) == []
    for cause, name, level in CAUSES:
        with undone():
            cause(study)
            ill = found(study)
        assert ill[name].level == level, (name, ill[name])
        assert ill[name].todo
        assert ill[name].n >= 30
        study.refresh_from_db()


def test_an_admitted_judge_is_well(study):
    judge_of(study, preference)
    check = found(study)["judge"]
    assert (check.level, check.n) == ("ok", N)


def test_a_judge_nobody_compared_with_people_yet_is_unknown(project):
    study = study_of(project, [nth / 8 for nth in range(8)])
    judging.create(study, TierSpec("simulated", "simulated-judge"), cap_usd=Decimal(0))
    assert found(study)["judge"].level == "unknown"


def test_an_empty_study_passes_nothing(project):
    study = sampling.start(policy.live(project), name="s", seed="7", rate=0.5)
    checks = health.checks(study)
    assert {check.level for check in checks} == {"unknown"}
    assert all(check.text.startswith("Too early to tell: 0 ") for check in checks)
    assert "judge" not in {check.name for check in checks}


def test_a_tiny_study_passes_nothing(project):
    study = study_of(project, [nth / 10 for nth in range(10)])
    who = rater("ann")
    for draw in study.sample.all():
        guess(rate(study, who, draw.pair, "b_much").presentation, "right")
    assert {check.level for check in health.checks(study)} == {"unknown"}


def test_an_impossible_draw_fails_however_few_there_are(project):
    study = study_of(project, [nth / 10 for nth in range(5)])
    more_pairs(study, 1, selected=lambda nth: True, pi=0.0)
    (check,) = health.failing(study)
    assert check.name == "sampling"


def test_drift_holds_up_stopping_early_and_blocks_no_certificate(project):
    scores = np.random.default_rng(3).random(300) * np.repeat([1.0, 0.5], 150)
    study = study_of(project, scores.tolist())
    assert [check.name for check in health.holding_up_early_stop(study)] == ["drift"]
    assert health.failing(study) == []


def test_a_closed_study_is_judged_by_what_it_was_closed_with(project):
    study = study_of(project, [(nth + 0.5) / 40 for nth in range(40)])
    then = Moment.now(study)
    study.closed_draw, study.closed_verdict = then.draw_id, then.verdict_id
    study.state, study.closed_at = Study.State.CLOSED, timezone.now()
    study.save()
    more_pairs(study, 60, selected=lambda nth: True)
    assert found(study)["sampling"].level == "ok"
    assert health.checks(study, Moment.now(study))[0].level == "fail"


def test_pairs_beyond_the_rating_budget_were_not_due(project):
    study = study_of(project, [(nth + 0.5) / 50 for nth in range(50)], rating_budget=32)
    Study.objects.filter(pk=study.pk).update(state="closed", closed_at=timezone.now())
    study.refresh_from_db()
    who = rater("ann")
    for draw in study.sample.order_by("u")[:31]:
        Verdict.objects.create(study=study, pair=draw.pair, rater=who, preference="tie")
    check = found(study)["response"]
    assert (check.n, check.level) == (32, "warn")
    assert check.text.startswith("1 of 32 pairs")


def test_of_several_verdicts_by_one_rater_the_newest_agrees(study):
    draws = study.sample.order_by("pair_id")[:40]
    ann = Rater.objects.get(name="ann")
    for draw in draws:
        Verdict.objects.create(study=study, pair=draw.pair, rater=ann, preference="both_bad")
    check = found(study)["agreement"]
    assert (check.level, check.n) == ("warn", 40)
    assert "same in 0%" in check.text


def test_who_could_not_judge_takes_nothing_from_who_did(study):
    who = rater("dee")
    for draw in study.sample.order_by("-pair_id")[:10]:
        Verdict.objects.create(study=study, pair=draw.pair, rater=who, preference="cannot")
    assert found(study)["response"].text.startswith(f"0 of {N} pairs")


def test_checks_take_few_queries(study, django_assert_max_num_queries):
    health.checks(study)
    with django_assert_max_num_queries(39):
        health.checks(study)


def test_why_pairs_are_missing_is_read_once(study):
    with CaptureQueriesContext(connection) as read:
        health.checks(study)
    lost = [query["sql"] for query in read if "WITH lost" in query["sql"]]
    assert lost
    assert len(lost) == len(set(lost))


@pytest.mark.django_db(transaction=True)
def test_checks_are_made_once_and_anew_when_anything_came(project):
    study = study_of(project, [nth / 8 for nth in range(8)])
    first = health.checks(study)
    assert health.checks(study)[0] is first[0]
    shown = show(study, rater("ann"), study.sample.first().pair)
    again = health.checks(study)
    assert again[1].n == 1
    guess(shown, "left")
    assert {check.name: check.n for check in health.checks(study)}["blinding"] == 1
