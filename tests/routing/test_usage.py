"""Hours of usage: every call once, whenever it came, and kept when its request goes."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.core.cache import cache
from django.utils import timezone

from routing import policy, pricing, records, retention, usage
from routing.models import Completion, Request, Usage
from routing.types import Price, Reason, Reply, Tier, TierSpec
from routing.types import Usage as Tokens
from tests.reviews.rows import add_pair, add_request, add_retrieval

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered():
    cache.clear()


def whole(project, **more):
    now = timezone.now()
    return usage.figures(
        now - timedelta(days=400), now + timedelta(days=1), project_id=project.pk, **more
    )


def at(pair, **ago):
    Request.objects.filter(pk=pair.request_id).update(received_at=timezone.now() - timedelta(**ago))


def state():
    return list(Usage.objects.order_by("pk").values())


def test_every_call_is_counted_by_what_it_was_for(project):
    add_pair(project, 0.2, task="math")
    pair = add_pair(project, 0.4, task="coding")
    add_retrieval(pair, rewritten_by="cheap", cost_usd=Decimal("0.002"), rewrite_ms=30.0)
    usage.roll()
    found = {one.group: one for one in whole(project, by=("kind", "tier", "task"))}
    assert sorted(found) == [
        ("aside", "cheap", "coding"), ("served", "expensive", "coding"),
        ("served", "expensive", "math"), ("shadow", "cheap", "coding"), ("shadow", "cheap", "math"),
    ]  # fmt: skip
    assert found["served", "expensive", "math"]["cost_usd"] == Decimal("0.05")
    assert found["shadow", "cheap", "math"]["input_tokens"] == 3
    assert found["aside", "cheap", "coding"]["cost_usd"] == Decimal("0.002")
    total = whole(project)[0]
    assert (total["calls"], total["cost_usd"]) == (5, Decimal("0.122"))


def test_a_second_run_and_one_that_forgot_the_first_change_nothing(project):
    add_pair(project, 0.2)
    usage.roll()
    before = state()
    usage.roll()
    cache.clear()
    usage.roll()
    assert state() == before


def test_a_record_that_came_late_is_counted_in_its_hour(project):
    at(add_pair(project, 0.2), hours=50)
    usage.roll()
    late = add_pair(project, 0.2)
    at(late, hours=50)
    Completion.objects.filter(request_id=late.request_id, is_shadow=False).delete()
    usage.roll()
    (served,) = whole(project, kinds=["served"])
    assert served["calls"] == 2


def test_an_old_answer_without_a_completion_is_found_by_its_count(project):
    usage.roll(timezone.now() + timedelta(hours=1))
    add_request(project, 0.2, Tier.CHEAP, threshold=0.5)
    Completion.objects.all().delete()
    usage.roll()
    assert whole(project)[0]["calls"] == 1


def test_what_retention_deletes_stays_counted(project, settings):
    settings.SHADOWEVAL_RETENTION_DAYS = 100
    at(add_pair(project, 0.2), days=101)
    retention.run()
    assert not Request.objects.exists()
    assert whole(project)[0]["calls"] == 2
    cache.clear()
    usage.roll()
    assert whole(project)[0]["calls"] == 2


def test_errors_fallbacks_escalations_and_unknown_prices(project):
    add_request(project, 0.2, Tier.EXPENSIVE, threshold=0.5, reason=Reason.FALLBACK)
    add_request(project, 0.2, Tier.EXPENSIVE, threshold=0.5, reason=Reason.ESCALATED)
    Request.objects.filter(decision__reason="escalated").update(status=502)
    usage.roll()
    (found,) = whole(project)
    names = ("calls", "errors", "fallbacks", "escalations", "unpriced")
    assert [found[name] for name in names] == [2, 1, 1, 1, 2]
    assert found["cost_usd"] == 0


def test_cost_is_shared_out_between_input_output_and_cache(project, unsigned):
    price = Price(Decimal(2), Decimal(10), Decimal("2.5"), Decimal(4), Decimal("0.2"))
    spec = TierSpec(
        "anthropic", "m", price=replace(price, long_over_tokens=10, long_factor=Decimal(3))
    )
    live = policy.live(project)
    made = policy.create(
        project=project, router=live.router, threshold=0.5, cheap=spec, expensive=spec, note=""
    )
    policy.deploy(made, by=None, reason="test")
    tokens = Tokens(100, 20, 40, 0, 1000)
    cost = pricing.cost_usd(spec.price, tokens)
    request_id = add_request(project, 0.2, Tier.CHEAP, threshold=0.5)
    Completion.objects.filter(request_id=request_id).delete()
    fields = records.completion_fields(
        Reply(b"{}", "t", "m", "end", tokens, 130.0), "anthropic", cost
    )
    Completion.objects.create(request_id=request_id, tier="cheap", is_shadow=False, **fields)
    usage.roll()
    (found,) = whole(project)
    parts = [found[f"{part}_usd"] * 1_000_000 / 3 for part in ("input", "output", "cache")]
    assert [round(part, 6) for part in parts] == [200, 200, 300]
    assert found["cost_usd"] == cost
    assert found.latency[0] == usage.Within(125.0, 160.0)


def test_quantiles_say_their_bucket():
    counts = [0] * (len(usage.LATENCY_MS) + 1)
    assert usage.quantile(counts, 0.5) is None
    counts[0], counts[-1] = 98, 2
    assert usage.quantile(counts, 0.95) == usage.Within(0.0, 10.0)
    assert usage.quantile(counts, 0.99) == usage.Within(100_000.0, None)
    assert all(high / low <= 1.3 for low, high in pairwise(usage.LATENCY_MS))


def test_a_period_ends_before_its_end_and_projects_are_apart(project, demo):
    at(add_pair(project, 0.2), days=2)
    add_pair(demo, 0.2)
    usage.roll()
    now = timezone.now()
    assert usage.figures(now - timedelta(days=9), now - timedelta(days=3)) == []
    groups = usage.figures(now - timedelta(days=9), now + timedelta(hours=1), by=("project", "day"))
    assert [one.group[0] for one in groups] == sorted([demo.slug, project.slug])
    with pytest.raises(KeyError):
        usage.figures(now, now, by=("color",))
