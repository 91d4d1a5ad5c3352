"""What asking before a decision costs is known, also when nobody waits for its end."""

import asyncio
import itertools
import threading
from dataclasses import replace
from decimal import Decimal

import pytest

from routing import gateway, probing, providers
from routing.policy import spec_json
from routing.routers.asking import Ask
from routing.types import DecisionValue, Price, Reason, Tier, TierSpec
from tests.routing import standin
from tests.routing.test_gateway import Asks, asking, decide, policy

PRICE = Price(Decimal(1_000_000), Decimal(0))  # a dollar a token
ONE_USD = Decimal(standin.MESSAGE["usage"]["input_tokens"])


class Twice(Asks):
    asks = Ask(confidence=False, samples=2)


async def test_who_leaves_amid_the_calls_leaves_what_they_cost_so_far(eventually):
    turn, done = itertools.count(), threading.Event()
    with standin.answering(lambda model: 200 if next(turn) == 0 or done.wait(10) else 500) as url:
        mine, bill = policy(0.5, url), probing.Bill()
        mine.cheap = spec_json(TierSpec("anthropic", "weak", base_url=url, price=PRICE))
        made = await decide(asking(), mine, Twice(0.0))
        asked = asyncio.create_task(gateway.probe(asking(), made, mine, Twice(0.0), bill))
        await asyncio.to_thread(eventually, lambda: bill.replies)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        done.set()
        await providers.close_all()
    cut = bill.on(made)
    assert (bill.usd, cut.probe_usd) == (ONE_USD, None)  # of the other call nobody knows
    assert cut.probe_ms > 0


def test_calls_that_are_over_have_a_cost_and_a_time_that_stay():
    made = DecisionValue(Tier.CHEAP, Reason.CHEAP_FIRST, 0.5)
    bill = probing.Bill()
    assert bill.on(made) == made
    bill.begin(PRICE)
    bill.end()
    told = bill.on(made)
    assert told == bill.on(told) == replace(made, probe_usd=Decimal(0), probe_ms=bill.ms)
