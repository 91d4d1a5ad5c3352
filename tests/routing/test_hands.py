"""A router that hangs holds its own threads, and no more than some requests in memory."""

import asyncio
import gc
import subprocess
import sys
import threading

import pytest

from routing.errors import RouterError
from routing.hands import Hands, Pools


class Ours:
    is_trusted = True


@pytest.fixture
def go():
    """What hanging work waits for; it is let go when the test ends."""
    event = threading.Event()
    yield event
    event.set()


async def test_work_gives_its_value_or_its_error():
    mine = Hands("t")
    assert await mine.run(5, divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await mine.run(5, divmod, 7, 0)


async def test_too_many_who_wait_are_refused_at_once_and_those_given_up_count(go, caplog):
    mine, begun, both = Hands("t", most_waiting=3), [], threading.Barrier(3)

    def hang():
        both.wait(10)
        return go.wait(30)

    stuck = [asyncio.create_task(mine.run(30, hang)) for _ in range(2)]
    await asyncio.to_thread(both.wait, 10)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await mine.run(0.01, begun.append, 1)
    with pytest.raises(RouterError, match="too many"):
        await mine.run(30, begun.append, 1)
    go.set()
    assert await asyncio.gather(*stuck) == [True, True]
    assert await mine.run(30, len, begun) == 0  # what was given up was not begun
    await asyncio.sleep(0)
    gc.collect()
    assert caplog.text == ""  # nor does the loop log an error that nobody waited for


async def test_a_plug_in_that_hangs_leaves_our_routers_alone(go):
    pools = Pools("t")
    stuck = [asyncio.create_task(pools.of(object()).run(30, go.wait, 30)) for _ in range(3)]
    await asyncio.sleep(0)
    assert await pools.of(Ours()).run(30, abs, -1) == 1
    go.set()
    await asyncio.gather(*stuck)


HANGING = """
import asyncio, threading
from routing.hands import Hands

async def main():
    try:
        await Hands("t").run(0.01, threading.Event().wait)
    except TimeoutError:
        print("over")

asyncio.run(main())
"""


def test_work_that_never_ends_keeps_no_process_from_ending():
    done = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "over\n"
