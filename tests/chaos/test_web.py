"""Web processes that are killed while they write down what they served."""

import signal
import time

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("chaos")]


class Outages:
    """When there was no web process: replies that did not come to their end then are explained."""

    def __init__(self, stack):
        self._stack, self._times = stack, []

    def kill(self, meanwhile=lambda: None):
        """Kill the web process and start it again."""
        began_s = time.monotonic()
        self._stack.kill("web")
        meanwhile()
        self._stack.start("web")
        self._stack.wait_for_web()
        self._times.append((began_s, time.monotonic()))

    def explain(self, reply):
        """Tell whether a reply was cut off, or found nobody."""
        return not reply.is_whole and any(
            reply.began_s <= back_s and reply.ended_s >= gone_s for gone_s, back_s in self._times
        )


def test_web_killed_with_postgres_there(scenario, stack, round_):
    run, outages = scenario(), Outages(stack)
    with run.asking(per_s=60):
        for seconds in (2.0 + round_ / 7, 2.5):
            time.sleep(seconds)
            outages.kill()
        time.sleep(2)
    book = run.settle()
    book.check(outages.explain)
    assert book.ends() <= {"done", "skipped partial"}


def test_web_killed_with_postgres_away(scenario, stack, round_):
    run, outages = scenario(), Outages(stack)
    stack.kill("worker")  # the records alone are looked at here
    with run.asking(per_s=60):
        time.sleep(2)
        stack.signal_postgres(signal.SIGINT)
        time.sleep(4 + round_ / 7)
        outages.kill(meanwhile=stack.postgres.start)
        time.sleep(2)
    stack.start("worker")
    book = run.settle()
    book.check(outages.explain)
    assert book.ends() <= {"done", "skipped partial"}
