"""A certificate says the same of the same columns, and what its end allows it to say."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from reviews import certificate, inputs
from reviews.certificate import of_inputs
from reviews.looks import deltas
from tests.reviews.columns import plan, study


def harmful(n=4000, from_score=0.6, **more):
    """Return a study whose requests are harmed from a score on."""
    found = study(n=n, **more)
    c = found.columns
    harm = np.where(c.selected, (c.score >= from_score) * 1.0, np.nan)
    return inputs.Inputs(c._replace(harm=harm, adequate=1 - harm, strict=harm), found.about)


def test_the_same_inputs_give_the_same_bytes():
    texts = {json.dumps(of_inputs(harmful(), plan(basis="window")).as_json()) for _ in range(2)}
    assert len(texts) == 1
    assert "NaN" not in texts.pop()


_MADE = """
import hashlib, json
from reviews.certificate import of_inputs
from tests.reviews.pack import frozen
said = of_inputs(frozen.inputs(n=1500), frozen.plan()).as_json()
print(hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest())
"""


def test_an_older_processor_comes_to_the_same_bytes():
    older = {"NPY_DISABLE_CPU_FEATURES": "X86_V4 X86_V3 AVX512_SKX AVX512_ICL AVX2 FMA3"}
    run = [sys.executable, "-W", "ignore", "-c", _MADE]
    made = {
        subprocess.run(run, capture_output=True, text=True, env=os.environ | env, check=True).stdout
        for env in ({}, older)
    }
    assert len(made) == 1


def test_a_window_is_certified_up_to_where_harm_begins():
    found = of_inputs(harmful(), plan(basis="window"))
    assert 0.55 <= found.threshold <= 0.66
    assert (found.order, found.delta, found.is_final) == ("hash", 0.04, True)
    assert found.degradation <= found.degradation_high <= 0.05
    assert found.cheap_share == pytest.approx(found.threshold, abs=0.03)
    assert found.saving_share == pytest.approx(0.8 * found.cheap_share)
    assert [one["certified"] for one in found.grid][:50] == [True] * 50
    assert set(found.by_task) == {"chat", "math"}
    assert found.sensitivity.keys() >= {"arrival_order", "order_free", "least_of_tasks"}


@pytest.mark.parametrize(
    ("basis", "order", "delta", "is_final"),
    [
        ("", "hash", 0.04, False), ("window", "hash", 0.04, True),
        ("early", "arrival", 0.01, True), ("by_hand", "arrival", 0.01, True),
    ],
)  # fmt: skip
def test_each_end_has_its_order_and_its_error(basis, order, delta, is_final):
    found = of_inputs(harmful(), plan(basis=basis))
    assert (found.order, found.delta, found.is_final) == (order, delta, is_final)
    assert found.threshold > 0.4


def test_without_early_looks_the_end_has_all_of_the_error():
    assert deltas(plan(early_stop=False, confidence=0.9)) == (0.1, 0.1)
    assert of_inputs(harmful(), plan(basis="by_hand", early_stop=False)).delta == 0.05


def test_a_plan_that_had_early_looks_has_spent_their_part():
    changed = plan(early_stop=False, deviations=[{"field": "early_stop"}])
    assert deltas(changed) == (0.01, 0.04)


@pytest.mark.parametrize(
    ("days", "early_stop", "certifies"), [(20, True, True), (6.9, True, False), (20, False, False)]
)
@pytest.mark.parametrize("from_queue", [True, False])
def test_who_chose_the_moment_after_looking_certifies_only_what_looks_allow(
    from_queue, days, early_stop, certifies
):
    found = harmful(days=days, about={"from_queue": from_queue})
    by_hand = of_inputs(found, plan(basis="by_hand", early_stop=early_stop))
    assert (by_hand.threshold is not None) == certifies
    assert any("nothing is certified" in one for one in by_hand.warnings) != certifies


def test_there_is_no_early_look_before_the_first_week_is_over():
    assert certificate.early(harmful(days=6.9), plan()) is None
    assert certificate.early(harmful(days=8), plan()) is not None


def test_futile_certifies_nothing_however_good_it_looks():
    found = of_inputs(study(), plan(basis="futile"))
    assert (found.threshold, found.is_final, found.degradation) == (None, True, None)


def test_a_judge_alone_certifies_nothing():
    found = of_inputs(study(about={"kind": "llm_judge"}), plan(basis="window"))
    assert found.threshold is None
    assert "Only a judge has spoken; people have to rate." in found.warnings


def test_an_answer_key_is_not_passed_off_as_people():
    found = of_inputs(study(about={"kind": "answer_key"}), plan(basis="window"))
    assert found.threshold == 1.01
    assert any("answer key" in one for one in found.warnings)


def test_nothing_rated_certifies_nothing():
    none = np.full(2000, np.nan)
    for basis in ("", "window"):
        found = of_inputs(study(harm=none, adequate=none, strict=none), plan(basis=basis))
        assert (found.threshold, found.n_rated) == (None, 0)
        assert "No pair that counts is rated." in found.warnings


def test_an_empty_study_certifies_nothing():
    for basis in ("", "window", "by_hand"):
        found = of_inputs(study(n=0), plan(basis=basis))
        assert (found.threshold, found.n_frame) == (None, 0)


def test_pairs_that_nobody_rated_count_as_worse_at_the_end():
    whole = study(n=4000)
    late = inputs.place(whole.columns) > 0.8
    said = {name: np.where(late, np.nan, getattr(whole.columns, name))
            for name in ("harm", "adequate", "strict")}  # fmt: skip
    found = inputs.Inputs(whole.columns._replace(**said), whole.about)
    preview = of_inputs(found, plan())
    final = of_inputs(found, plan(basis="window"))
    assert preview.threshold == 1.01
    assert final.threshold < 0.5
    assert final.n_waiting > 0 == preview.n_waiting


def test_lost_answers_count_and_are_told():
    lost = np.zeros(4000, np.int8)
    lost[:400] = inputs.NO_CHEAP
    found = of_inputs(study(n=4000, lost=lost), plan(basis="window"))
    assert found.n_lost == 400
    assert found.threshold < 0.7
    assert any(one.startswith("400 requests lost one answer") for one in found.warnings)


def test_what_nobody_asked_the_expensive_model_counts_as_worse():
    lost = np.zeros(4000, np.int8)
    lost[:400] = inputs.NO_EXPENSIVE
    assert of_inputs(study(n=4000, lost=lost), plan(basis="window")).threshold == 1.01
    lost[:400] = inputs.UNASKED
    assert of_inputs(study(n=4000, lost=lost), plan(basis="window")).threshold < 0.7


def without_expensive(seed):
    """Return a window whose cheap answers are bad where the expensive one never came: 7.3 %."""
    draw = np.random.default_rng(seed)
    is_lost = draw.permutation(6000) < 294
    pi = np.where(is_lost, 0.0, 0.15)
    u = draw.random(6000)
    bad = np.where(u < pi, (draw.random(6000) < 0.025) * 1.0, np.nan)
    return study(
        n=6000, days=28, seed=seed, pi=pi, u=u, selected=u < pi, score=np.zeros(6000),
        lost=np.where(is_lost, inputs.NO_EXPENSIVE, inputs.THERE).astype(np.int8),
        harm=bad * 0, adequate=1 - bad, strict=bad * 0,
    )  # fmt: skip


@pytest.mark.parametrize("floors", [{"loss": "inadequate"}, {"adequacy_floor": 0.95}])
def test_an_expensive_answer_that_never_came_makes_no_cheap_one_good_enough(floors):
    wrong = [
        of_inputs(without_expensive(seed), plan(basis="window", largest_threshold=0.01, **floors))
        for seed in range(12)
    ]
    assert [one.threshold for one in wrong] == [None] * 12
    assert all("as good enough" in one.warnings[0] or "not good enough" in one.warnings[0]
               for one in wrong)  # fmt: skip


def test_an_expensive_answer_that_never_came_was_no_better():
    found = of_inputs(without_expensive(1), plan(basis="window", largest_threshold=0.01))
    assert found.threshold == 0.01
    assert "gave no answer." in found.warnings[0]


def lose(found, n, why=inputs.NO_CHEAP):
    """Return the study with its first requests lost, as they are read: neither drawn nor rated."""
    c = found.columns
    gone = np.arange(c.score.size) < n
    said = {name: np.where(gone, np.nan, getattr(c, name))
            for name in ("harm", "adequate", "strict")}  # fmt: skip
    lost = np.where(gone, why, inputs.THERE).astype(np.int8)
    drawn = {"selected": c.selected & ~gone, "pi": np.where(gone, 0.0, c.pi)}
    return inputs.Inputs(c._replace(lost=lost, **drawn, **said), found.about)


def test_one_lost_request_makes_no_draw_unequal():
    found = of_inputs(lose(study(n=3000, pi=0.15), 1), plan(basis="window"))
    assert found.n_lost == 1
    assert not any("more than four times" in one for one in found.warnings)


def test_what_was_lost_or_never_rated_is_no_rating():
    whole = study(n=2000, pi=0.15, tasks=("a", "b"))
    task = np.where(np.arange(2000) < 300, 1, 0)
    missing = lose(inputs.Inputs(whole.columns._replace(task=task), whole.about), 200)
    c = missing.columns
    late = (task == 0) & (inputs.place(c) > 0.2)
    said = {name: np.where(late, np.nan, getattr(c, name))
            for name in ("harm", "adequate", "strict")}  # fmt: skip
    found = of_inputs(inputs.Inputs(c._replace(**said), whole.about), plan(basis="window"))
    rated = {"a": (task == 0) & ~np.isnan(said["harm"]), "b": c.selected & (task == 1)}
    assert {name: one["n_rated"] for name, one in found.by_task.items()} == {
        name: one.sum() for name, one in rated.items()
    }
    assert found.by_task["b"] == {
        "threshold": None, "n_rated": rated["b"].sum(), "n_events": 0, "delta": 0.04,
        "cheap_share": None,
    }  # fmt: skip
    assert found.n_rated == sum(one["n_rated"] for one in found.by_task.values())


def test_other_studies_of_the_same_traffic_are_told():
    found = of_inputs(study(about={"n_others": 2}), plan(basis="window"))
    assert any(one.startswith("2 other studies rated this traffic") for one in found.warnings)


def test_below_the_first_test_of_adequacy_thresholds_are_safe_and_not_certified():
    found = of_inputs(study(n=4000, pi=0.15), plan(basis="window", adequacy_floor=0.9))
    point = next(one for one in found.grid if one["threshold"] == 0.04)
    assert (point["certified"], point["trivially_safe"], found.threshold) == (False, True, 1.01)


def test_a_judge_helps_only_where_the_plan_lets_it():
    whole = harmful(n=6000, pi=0.1)
    c = whole.columns
    guess = inputs.Inputs(c._replace(judge=(c.score >= 0.6) * 1.0), whole.about)
    without = of_inputs(guess, plan(basis="window"))
    with_it = of_inputs(guess, plan(basis="window", judge_role="certificate"))
    assert (without.judge, with_it.judge) == (False, True)
    assert with_it.threshold >= without.threshold == with_it.sensitivity["without_judge"]
    late = inputs.Inputs(guess.columns, study(n=1, about={"judge_problem": "Too late."}).about)
    refused = of_inputs(late, plan(basis="window", judge_role="certificate"))
    assert (refused.judge, "Too late." in refused.warnings) == (False, True)


def test_a_second_floor_holds_as_well():
    c = harmful(from_score=0.9).columns
    adequate = np.where(c.selected, (c.score < 0.5) * 1.0, np.nan)
    found = inputs.Inputs(c._replace(adequate=adequate), study(n=1).about)
    assert of_inputs(found, plan(basis="window")).threshold > 0.85
    both = of_inputs(found, plan(basis="window", adequacy_floor=0.9))
    assert 0.4 < both.threshold < 0.6


def test_a_look_before_the_end_certifies_finished_days():
    assert certificate.early(harmful(), plan()) > 0.4
    assert certificate.early(study(n=0), plan()) is None


def test_a_router_that_sends_harm_first_is_futile():
    found = study(n=4000)
    harm = np.where(found.columns.selected, (found.columns.score < 0.5) * 1.0, np.nan)
    bad = inputs.Inputs(found.columns._replace(harm=harm), found.about)
    assert certificate.futile(bad, plan())
    assert not certificate.futile(found, plan())
    assert not certificate.futile(study(n=0), plan())


def test_deviations_are_named():
    found = of_inputs(study(), plan(deviations=[{"field": "rating_budget"}, {"field": "floor"}]))
    assert "Changed after the first rating: floor, rating budget." in found.warnings
    assert any(one.startswith("Who chose floor could see ratings") for one in found.warnings)
