"""Requests that CHEAP served, some of them shadowed, at costs that a test wants."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from django.core.cache import cache

from routing import policy
from routing.models import Completion, Request, ShadowJob
from routing.types import Price, Tier
from tests.reviews.rows import add_request

#: What each of them cost.
CHEAP_USD = Decimal("0.01")


def price(project):
    """Deploy prices: 100 and 1,000 USD for a million tokens of output. Nobody signs it."""
    live = policy.live(project)
    cheap, dear = (
        replace(live.tier_spec(tier), price=Price(Decimal(0), Decimal(usd)))
        for tier, usd in ((Tier.CHEAP, 100), (Tier.EXPENSIVE, 1000))
    )
    made = policy.create(
        project=project, router=live.router, threshold=0.5, cheap=cheap, expensive=dear, note=""
    )
    policy.deploy(made, by=None, reason="test")
    return project


def add_cheap(project, at, *, rate=1.0, expensive_usd=None, tokens=100, reason=None):
    """Write one request; with the expensive tier's shadow answer where it has a cost."""
    pk = add_request(project, 0.2, Tier.CHEAP, threshold=0.5, reason=reason)
    Request.objects.filter(pk=pk).update(received_at=at)
    Completion.objects.filter(request=pk).update(
        cost_usd=CHEAP_USD, input_tokens=0, output_tokens=tokens, created_at=at
    )
    ShadowJob.objects.filter(request=pk).update(
        rate=rate, state="skipped", reason="not_sampled: x", finished_at=at
    )
    if expensive_usd is not None:
        ShadowJob.objects.filter(request=pk).update(state="done", reason="")
        Completion.objects.create(
            request_id=pk, tier="expensive", is_shadow=True, provider="simulated", model="large",
            text="x", body={}, input_tokens=0, output_tokens=9, cost_usd=expensive_usd,
        )  # fmt: skip
    return pk


def add_days(project, now, days, each=10, expensive_usd="0.05"):
    """Write the same requests on each of the last days, half of them shadowed at a rate of .5."""
    cache.clear()
    for ago in range(days):
        for place in range(each):
            usd = Decimal(expensive_usd) if place % 2 else None
            add_cheap(project, now - timedelta(days=ago, seconds=1), rate=0.5, expensive_usd=usd)
