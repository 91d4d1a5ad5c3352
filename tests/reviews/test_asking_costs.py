"""A router that sees cheap answers before it decides pays for them on either side."""

import numpy as np
import pytest

from reviews import (
    certificate,
    challenges,
    choice,
    columnar,
    estimation,
    evidence,
    frames,
    inputs,
    whatif,
)
from reviews.choice import Thresholds
from reviews.plan import Plan
from routing import policy
from routing.models import ShadowPair
from tests.reviews import columns, labelled
from tests.reviews.challenged import challenger, say, version
from tests.reviews.signing import ask, person

pytestmark = pytest.mark.django_db
SCORES = [0.1, 0.4, 0.6, 0.9]


@pytest.fixture
def study(project):
    """Cheap answers cost 1 cent, expensive ones 5; the router asks for two cheap ones first."""
    study, pairs = labelled.start(project, SCORES, certified_only=False)
    ShadowPair.objects.filter(pk__in=[pair.pk for pair in pairs]).update(probe_usd="0.02")
    labelled.label(study)
    return study


def test_the_curve_counts_both_calls_and_always_expensive_none(study):
    """At 0.5 two requests cost 2 cents and two 7; at 0 nothing is asked first."""
    found = estimation.estimate(study)
    at = {round(p["threshold"], 2): p for p in found.points}
    assert [at[t]["cost_usd"] for t in (0, 0.05, 0.5, 1.01)] == pytest.approx(
        [0.05, 0.07, 0.045, 0.02]
    )
    assert at[0.5]["baseline_cost_usd"] == pytest.approx(0.05)
    assert [at[t]["saving_share"] for t in (0, 0.05, 0.5, 1.01)] == pytest.approx(
        [0, -0.4, 0.1, 0.6]
    )


def test_a_pair_of_which_nothing_was_asked_costs_what_its_answers_do(study):
    first = study.sample.order_by("id").first().pair
    ShadowPair.objects.filter(pk=first.pk).update(probe_usd=None)
    frames._kept.clear()
    point = estimation.point_at(estimation.estimate(study), 0.5)
    assert point["cost_usd"] == pytest.approx((0.01 + 0.02 + 0.07 + 0.07) / 4)


def test_a_task_type_that_stays_expensive_is_not_asked_first(study):
    rows = estimation.rows(study, "human", estimation.Moment.now(study))
    point = choice.point(rows, Thresholds(0.5, {"math": 0.0}))
    assert point["cost_usd"] == pytest.approx(0.05)
    assert choice.point(rows, Thresholds(0.5))["cost_usd"] == pytest.approx(0.045)


def test_the_what_if_counts_what_is_asked_in_cheap_answers(study):
    found = whatif.sums(study, study.sample.order_by("-id").first().pk)
    table = dict(zip(whatif.COLUMNS, found.by_task["math"].sum(axis=0), strict=True))
    assert table == {
        "requests": 4, "cheap_input": 24, "cheap_output": 16, "expensive_input": 12,
        "expensive_output": 8, "asking_input": 24, "asking_output": 16,
        "lookup_input": 0, "lookup_output": 0,
    }  # fmt: skip


def test_a_challengers_study_pays_nothing_for_what_the_live_router_asked(study):
    router = version(project=study.project)
    row = challenger(study.project, router)
    say(router, ShadowPair.objects.all(), lambda own: own)
    mine = challenges.study(row, Plan("s", rate=1.0), seed="7", by=person("lena", "lead"))
    rows = estimation.rows(mine, "human", estimation.Moment.now(mine))
    assert choice.point(rows, Thresholds(0.5))["cost_usd"] == pytest.approx(0.03)
    live = policy.with_threshold(policy.live(study.project), 0.5, "live")
    assert choice.live_point(mine, rows, live)["cost_usd"] == pytest.approx(0.045)


def test_evidence_keeps_what_was_asked_and_is_made_again_from_it(study):
    row = ask(study, person("paula", "product"), threshold=0.5).evidence
    assert row.content["inputs"]["columns"][-1] == "cost_baseline"
    kept = inputs.read(columnar.read_parquet(bytes(row.inputs)))
    assert kept.cost_cheap.tolist() == pytest.approx([0.02] * 4)
    assert kept.cost_expensive.tolist() == pytest.approx([0.07] * 4)
    assert kept.cost_baseline.tolist() == pytest.approx([0.05] * 4)
    assert evidence.recompute(row)
    assert row.content["point"]["saving_share"] == pytest.approx(0.1)


def test_evidence_of_a_router_that_asks_nothing_has_the_columns_it_always_had():
    plain = columns.study(n=50).columns
    assert "cost_baseline" not in inputs.stored(plain)
    again = inputs.read(inputs.stored(plain))
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(plain, again, strict=True))
    with pytest.raises(ValueError, match="the columns are score"):
        inputs.read({"score": plain.score})


def test_the_certificates_saving_counts_both_calls():
    """All below the certified threshold cost 2, all above 7; always expensive costs 5."""
    asked = {
        "cost_cheap": np.full(2000, 2.0), "cost_expensive": np.full(2000, 7.0),
        "cost_baseline": np.full(2000, 5.0),
    }  # fmt: skip
    plan = columns.plan(basis="window", early_stop=False)
    found = certificate.of_inputs(columns.study(**asked), plan)
    plain = certificate.of_inputs(columns.study(), plan)
    assert found.threshold == plain.threshold == 1.01
    assert (found.saving_share, plain.saving_share) == pytest.approx((0.6, 0.8))
