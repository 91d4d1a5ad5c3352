"""What routing saved, net of what measuring cost; budgets and forecasts."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.core.cache import cache
from django.db import connection

from reviews import judging, sampling, savings
from reviews.judge_usage import CALLS
from reviews.models import JudgeCall
from reviews.stats import savings as estimates
from routing import policy, usage
from routing.models import Project
from routing.models.usage import Budget
from routing.types import Price, Reason, Tier, TierSpec
from tests.reviews.rows import add_pair
from tests.reviews.saved import add_cheap, add_days, price

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, 0, 1, tzinfo=UTC)


@pytest.fixture
def priced(unsigned, project):
    return price(project)


def test_saved_is_measured_cost_less_what_was_paid_and_net_of_measuring(priced, settings):
    settings.SHADOWEVAL_RATING_USD = Decimal("0.5")
    add_days(priced, NOW, days=5)
    usage.roll()
    found = savings.measure(priced, 30, NOW)
    assert (found.n_cheap, found.n_outside, found.n_unknown) == (50, 0, 0)
    assert found.estimate.n == 25
    assert found.estimate.value == pytest.approx(50 * 0.05)
    assert found.saved.value == pytest.approx(50 * 0.04)
    assert found.overhead.shadow_usd == pytest.approx(25 * 0.05)
    assert found.net.value == pytest.approx(50 * 0.04 - 25 * 0.05)
    assert found.naive_usd == pytest.approx(50 * (100 * 0.001 - 0.01))
    assert found.estimate.bias == pytest.approx(50 * (0.1 - 0.05))
    assert found.month.n_days == 3  # neither the first day nor today
    assert found.month.value == pytest.approx(30 * (10 * 0.04 - 5 * 0.05))


def test_what_nobody_drew_for_a_shadow_call_is_left_out(priced):
    add_days(priced, NOW, days=3)
    for reason in (Reason.STICKY, Reason.FORCED, Reason.BYPASSED):
        add_cheap(priced, NOW - timedelta(hours=1), reason=reason)
    add_cheap(priced, NOW - timedelta(days=40))
    found = savings.measure(priced, 30, NOW)
    assert (found.n_cheap, found.n_outside) == (30, 3)


def test_sums_of_the_database_say_what_rows_one_by_one_do(priced):
    cache.clear()
    rng, live = np.random.default_rng(5), policy.live(priced)
    n, rates, shadowed = 60, rng.choice([0.25, 1.0], 60), rng.random(60) < 0.6
    tokens, dear = rng.integers(1, 90_000, n), rng.integers(1, 900, n)
    days = rng.integers(0, 5, n)
    for rate, is_known, out, usd, ago in zip(
        rates.tolist(), shadowed, tokens.tolist(), dear.tolist(), days.tolist(), strict=True
    ):
        cost = Decimal(usd) / 100 if is_known else None
        at = NOW - timedelta(days=ago, seconds=1)
        add_cheap(priced, at, rate=rate, expensive_usd=cost, tokens=out)
    found = savings.measure(priced, 7, NOW)
    repriced = tokens * float(live.tier_spec(Tier.EXPENSIVE).price.output_usd) / 1e6
    one_by_one = estimates.rows(repriced, rates, shadowed, dear / 100, 6 - days)
    expected = estimates.estimate(one_by_one, savings.LEVEL)
    assert (found.n_cheap, found.estimate.n) == (n, shadowed.sum())
    assert found.estimate.method == expected.method == "regression"
    assert found.estimate.by_day == pytest.approx(expected.by_day)
    assert found.estimate.interval == pytest.approx(expected.interval)
    assert found.naive_usd == pytest.approx(repriced.sum() - n * 0.01)


def test_days_that_retention_thinned_out_are_no_part_of_it(priced):
    add_days(priced, NOW, days=6)
    usage.roll()
    Project.objects.filter(pk=priced.pk).update(retention_days=3)
    priced.refresh_from_db()
    found = savings.measure(priced, 30, NOW)
    assert (found.n_days, found.n_cheap) == (3, 30)
    assert found.overhead.shadow_usd == pytest.approx(15 * 0.05)


def test_without_prices_or_shadow_answers_nothing_is_filled_in(project, demo):
    assert savings.measure(demo, 30, NOW).why_not.startswith("No request")
    cache.clear()
    add_cheap(project, NOW)
    found = savings.measure(project, 30, NOW)
    assert found.estimate is found.saved is found.net is found.month is None
    assert found.why_not


def test_judges_calls_are_usage(project, settings):
    cache.clear()
    pair = add_pair(project, 0.2)
    study = sampling.start(policy.live(project), name="s", seed="s", rate=1.0)
    asked = TierSpec("anthropic", "judge", price=Price(Decimal(1), Decimal(5)))
    spec = judging.create(study, asked, cap_usd=Decimal(1))
    JudgeCall.objects.create(
        spec=spec, pair=pair, order="cheap_first", state="done", choice="tie", due_at=NOW,
        finished_at=NOW, cost_usd=Decimal("0.25"), input_tokens=30, output_tokens=4,
    )  # fmt: skip
    usage.roll()
    usage.roll()
    (found,) = usage.figures(NOW - timedelta(1), NOW + timedelta(1), ("model",), kinds=["judge"])
    assert found.group == ("judge",)
    assert found["input_usd"] + found["output_usd"] == found["cost_usd"]
    assert (found["calls"], found["cost_usd"]) == (1, Decimal("0.25"))


def test_an_index_finds_the_judges_calls_that_ended(project):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {CALLS.changed}", {"since": NOW})
        assert "judge_finished" in "".join(line for (line,) in cursor.fetchall())


def test_a_budget_warns_by_its_share_and_by_its_forecast(project):
    assert savings.budget_state(project, NOW) is None
    add_days(project, NOW, days=19, each=2)
    usage.roll()
    spent, pace = 19 * 0.07, 0.07 * 30
    budget = Budget.objects.create(project=project, monthly_usd=Decimal(100))
    found = savings.budget_state(project, NOW)
    assert (found.level, found.spent_usd) == ("ok", pytest.approx(spent))
    assert found.month_usd.value == pytest.approx(spent + 0.07 * 10.5, rel=1e-4)
    assert found.month_usd.value < pace
    for usd, level in (("1.8", "warn"), ("1.9", "warn"), ("1.33", "over")):
        Budget.objects.filter(pk=budget.pk).update(monthly_usd=Decimal(usd), warn_share=1)
        assert savings.budget_state(project, NOW).level == level
    Budget.objects.filter(pk=budget.pk).update(monthly_usd=Decimal(3), warn_share=0.4)
    assert savings.budget_state(project, NOW).level == "warn"


def test_too_few_days_forecast_nothing(project):
    add_days(project, NOW, days=3, each=1)
    usage.roll()
    Budget.objects.create(project=project, monthly_usd=Decimal(100))
    assert savings.budget_state(project, NOW).month_usd is None
    assert savings.cost_month(project, NOW) is None
