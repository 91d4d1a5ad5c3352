"""Claims on a key: owned, renewed, and free again when their process is gone."""

import asyncio

import pytest

from routing import idempotency
from routing.errors import InvalidRequest
from routing.idempotency import Claim, Kept
from routing.shared import Shared
from routing.streaming import Streamed

REPLY = Kept(200, {"content-type": "application/json"}, b"{}")


@pytest.fixture
async def shared(monkeypatch):
    """A Redis client of this test's own event loop."""
    mine = Shared()
    mine.open()
    await mine.ask(lambda redis: redis.delete(*(_name(key) for key in "abcdef")), None)
    monkeypatch.setattr(idempotency, "shared", mine)
    yield mine
    await mine.close()


def _name(key):
    return f"{idempotency.PREFIX}:idempotency:7:{idempotency._sha256(key.encode())}"


async def test_a_kept_reply_is_given_again(shared):
    claim = await idempotency.claim(7, "a", b"q")
    await claim.keep(REPLY)
    assert await idempotency.claim(7, "a", b"q") == REPLY
    with pytest.raises(InvalidRequest):
        await idempotency.claim(7, "a", b"another")


async def test_a_claim_whose_process_died_is_free_soon(shared, monkeypatch):
    monkeypatch.setattr(idempotency, "_HELD_S", 1)
    await idempotency.claim(7, "b", b"q")
    assert isinstance(await idempotency.claim(7, "b", b"q"), Claim)


async def test_a_claim_that_is_held_outlives_its_time(shared, monkeypatch):
    monkeypatch.setattr(idempotency, "_HELD_S", 1)
    claim = await idempotency.claim(7, "c", b"q")
    holding = asyncio.create_task(claim.hold())
    waiting = asyncio.create_task(idempotency.claim(7, "c", b"q"))
    await asyncio.sleep(2)
    assert not waiting.done()
    holding.cancel()
    await claim.keep(REPLY)
    assert await waiting == REPLY


async def test_who_lost_a_claim_takes_nothing_from_its_next_owner(shared):
    lost = await idempotency.claim(7, "d", b"q")
    await shared.ask(lambda redis: redis.delete(lost.name), None)
    mine = await idempotency.claim(7, "d", b"q")
    await lost.free()
    await lost.keep(Kept(200, {}, b"late"))
    await mine.keep(REPLY)
    assert await idempotency.claim(7, "d", b"q") == REPLY


async def test_a_reply_is_kept_although_redis_was_away_for_a_moment(shared, monkeypatch):
    monkeypatch.setattr(shared, "PAUSE_S", 0.2)
    claim = await idempotency.claim(7, "e", b"q")

    async def fail(redis):
        raise ConnectionError

    await shared.ask(fail, None)
    await claim.keep(REPLY)
    assert await idempotency.claim(7, "e", b"q") == REPLY


async def test_what_is_too_large_to_keep_frees_the_key(shared):
    claim = await idempotency.claim(7, "f", b"q")
    await claim.keep(Kept(200, {}, b"x" * (idempotency.MOST_BYTES + 1)))
    assert isinstance(await idempotency.claim(7, "f", b"q"), Claim)


def test_of_a_stream_that_is_too_long_to_be_kept_nothing_stays_in_memory(monkeypatch):
    monkeypatch.setattr(idempotency, "MOST_BYTES", 5)
    streamed = Streamed(sent=[])
    streamed.keep(b"12345")
    assert streamed.sent == [b"12345"]
    streamed.keep(b"6")
    streamed.keep(b"7")
    assert streamed.sent is None
