"""What holds shadow calls back: room, rate, pauses and breakers, each of one lane only."""

import asyncio

import pytest

from routing.brakes import FAILURES, Brakes
from routing.errors import ProviderError, ProviderUnreachable
from routing.shared import Shared

LANE = "anthropic|http://a"


@pytest.fixture
async def shared():
    """Redis, without what other tests left."""
    mine = Shared()
    mine.open()
    await mine.ask(lambda redis: redis.flushdb(), None)
    yield mine
    await mine.close()


async def fail(brakes, error, times=1):
    for _ in range(times):
        assert await brakes.enter(LANE) is None
        await brakes.leave(LANE, error)


async def test_a_lane_is_full_before_the_process_is(shared, settings):
    settings.SHADOWEVAL_SHADOW_LANE_CONCURRENCY = 2
    brakes = Brakes(shared)
    assert [await brakes.enter(LANE) for _ in range(2)] == [None, None]
    assert (await brakes.enter(LANE)).reason.startswith("busy")
    assert (await brakes.rooms(), brakes.room_of_others()) == ({LANE: 0}, 2)
    await brakes.leave(LANE, None)
    assert await brakes.rooms() == {LANE: 1}


@pytest.mark.parametrize("status", [429, 503, 529])
async def test_a_retry_after_pauses_the_lane_in_every_process(shared, status):
    here, there = Brakes(shared), Brakes(shared)
    await fail(here, ProviderError(status, b"", retry_after_s=86_400.0))
    assert await there.rooms() == {LANE: 0}
    for brakes in (here, there):
        closed = await brakes.enter(LANE)
        assert closed.reason.startswith("paused")
        assert 590 < closed.wait_s <= 600
    assert await here.enter("openai|") is None


async def test_failures_in_a_row_open_the_breaker_and_one_trial_closes_it(shared):
    brakes = Brakes(shared, trial_after_s=0.2)
    await fail(brakes, ProviderError(500, b""), FAILURES - 1)
    await fail(brakes, None)
    await fail(brakes, ProviderUnreachable("x"), FAILURES)
    assert (await brakes.enter(LANE)).reason.startswith("breaker")
    assert await brakes.rooms() == {LANE: 0}
    await asyncio.sleep(0.25)
    assert await brakes.rooms() == {LANE: 1}
    assert await brakes.enter(LANE) is None
    assert (await brakes.enter(LANE)).reason == "breaker: one call tries first"
    await brakes.leave(LANE, None)
    assert await brakes.enter(LANE) is None


async def test_a_trial_that_fails_leaves_the_lane_alone_again(shared):
    brakes = Brakes(shared, trial_after_s=0.2)
    await fail(brakes, ProviderError(500, b""), FAILURES)
    await asyncio.sleep(0.25)
    await fail(brakes, ProviderError(500, b""))
    assert (await brakes.enter(LANE)).reason.startswith("breaker")


async def test_what_the_client_did_wrong_does_not_open_the_breaker(shared):
    brakes = Brakes(shared)
    await fail(brakes, ProviderError(400, b""), 3 * FAILURES)
    assert await brakes.enter(LANE) is None


@pytest.mark.parametrize("is_away", [False, True])
async def test_calls_a_minute_are_bounded_with_redis_and_without(shared, settings, is_away):
    settings.SHADOWEVAL_SHADOW_RPM = 3
    brakes = Brakes(Shared() if is_away else shared)
    await fail(brakes, None, 3)
    closed = await brakes.enter(LANE)
    assert (closed.reason, closed.wait_s) == ("rate: enough calls this minute", 20)
    assert await brakes.rooms() == {LANE: 0}
    if not is_away:
        assert (await Brakes(shared).enter(LANE)).reason.startswith("rate")
