"""Redis and Postgres that go away under load."""

import signal
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("chaos")]

_AWAY_S = 20
#: Fast, immediate (no checkpoint: the log is replayed at the next start), and without a word.
_ENDS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)


def test_redis_killed_and_restarted_empty(scenario, stack, round_):
    run = scenario()
    with run.asking():
        time.sleep(3)
        stack.kill_valkey()
        time.sleep(5)
        stack.valkey.start()
        time.sleep(4)
    book = run.settle()
    book.check()
    assert book.ends() == {"done"}


def test_postgres_away_for_20_seconds(scenario, stack, round_):
    run = scenario()
    with run.asking():
        time.sleep(2)
        stack.signal_postgres(_ENDS[round_ % len(_ENDS)])
        time.sleep(_AWAY_S)
        stack.postgres.start()
        time.sleep(3)
    book = run.settle()
    book.check()
    assert book.ends() == {"done"}
