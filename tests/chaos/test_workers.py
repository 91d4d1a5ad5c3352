"""Workers that are killed, and a provider that fails."""

import pytest

from tests.chaos.ledger import MODELS
from tests.chaos.prepare import LARGE, SMALL
from tests.chaos.provider import OK, Key
from tests.chaos.stack import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400), pytest.mark.xdist_group("chaos")]

_CALLS = 200
_RUNNING = "SELECT count(*) FROM routing_shadowjob WHERE project_id = %s AND state = 'running'"
_REQUESTS = "SELECT count(*) FROM routing_request WHERE project_id = %s"
#: Why a job may end without a pair when the provider fails.
_REASONS = {"no_reply", "partial", "overload", "provider_error", "provider_unreachable"}
#: What a client gets to see of each of the stand-in's faults.
_SEEN = {"500": "status 500", "529": "status 529", "dropped": "status 502"}


def test_worker_killed_amid_200_shadow_calls(scenario, stack, standin, round_):
    run = scenario()
    stack.kill("worker")  # so that all calls are due at once when it comes
    with run.asking(per_s=60, most=_CALLS) as load:
        load.join()
    project = run.account.project
    eventually(lambda: stack.rows(_REQUESTS, project)[0][0] == _CALLS, 60, "all recorded")
    standin.delay_s = {SMALL: (2.0, 5.0), LARGE: (2.0, 5.0)}
    answered = standin.answered
    stack.start("worker")
    eventually(lambda: standin.answered >= answered + _CALLS / 5, 90, "some calls are answered")
    cut_off = _kill_worker(stack, project, is_real_wait=round_ == 0)
    standin.delay_s = {}
    book = run.settle(180)
    assert cut_off >= _CALLS / 5
    book.check()
    assert book.ends() == {"done"}


def _kill_worker(stack, project, *, is_real_wait):
    """Kill the worker and start it again; return how many jobs it had in hand."""
    stack.kill("worker")
    cut_off = stack.rows(_RUNNING, project)[0][0]
    if not is_real_wait:
        stack.end_leases(project)
    stack.start("worker")
    return cut_off


def _explained_by(standin):
    """Return whether a failed reply is what the stand-in did to the call that it belongs to."""

    def explained(reply):
        ended = standin.outcomes.get(Key(reply.marker, MODELS[reply.tier or "expensive"]), [])
        seen = {_SEEN[fault] for fault in ended if fault != OK}
        broken = reply.failure == "broken stream" and "dropped" in ended
        return reply.failure in seen or broken

    return explained


def test_provider_failing_30_percent(scenario, standin, round_):
    run = scenario()
    standin.failure_rate = 0.3
    with run.asking(per_s=40, most=200) as load:
        load.join()
    book = run.settle(180)
    book.check(_explained_by(standin))
    failed = sum(bool(reply.failure) for reply in book.replies)
    assert 20 <= failed <= 70  # a cheap tier that fails is replaced, so fewer than 30 percent
    reasons = {job.reason for job in book.jobs if job.state != "done"}
    assert reasons <= _REASONS


def test_spend_stays_within_the_cap(scenario, stack, standin, round_):
    cap_usd = 12.0  # a call reserves over a dollar: its bound counts every byte as a token
    run = scenario(cap_usd=str(cap_usd))
    standin.failure_rate = 0.3
    standin.delay_s = {SMALL: (0.2, 1.0), LARGE: (0.2, 1.0)}
    with run.asking(per_s=40, most=200) as load:
        load.join()
        _kill_worker(stack, run.account.project, is_real_wait=False)
    book = run.settle(180)
    book.check(_explained_by(standin))
    charged = sum(
        standin.outcomes.get(Key(reply.marker, model), []).count(OK)
        for reply in book.replies
        for tier, model in MODELS.items()
        if tier != reply.tier
    )
    assert book.spend_usd <= cap_usd
    assert any(job.reason == "spend_cap" for job in book.jobs)
    # Also what the provider would charge: an answer counts when its worker died, too.
    one_usd = book.spend_usd / max(book.shadow_completions, 1)
    assert charged * one_usd <= cap_usd
