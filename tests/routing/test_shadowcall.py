"""A router that misbehaves fails its own shadow job, and ends nobody's work."""

from types import SimpleNamespace

import pytest

from routing import shadowcall
from routing.outcomes import Outcome
from routing.types import Tier


class Fails:
    def __init__(self, error):
        self.error = error

    def score(self, query):
        raise self.error


@pytest.mark.parametrize("error", [SystemExit(1), StopIteration(), TimeoutError(), ValueError()])
async def test_a_router_that_raises_fails_its_job_with_a_reason(error):
    job = SimpleNamespace(
        pk=1, wire="anthropic", asking=Fails(error), query="?",
        spec=SimpleNamespace(provider="anthropic"), ordinal=1, request_id="r", keeping=None,
        tier=Tier.CHEAP, purpose="baseline", attempts=1, traceparent="",
    )  # fmt: skip
    reason = f"router_error: {type(error).__name__}"
    assert await shadowcall.make(job) == (Outcome(reason=reason), None)


def test_plug_ins_that_hang_are_not_in_the_way_of_our_own():
    ours = SimpleNamespace(is_trusted=True)
    assert shadowcall._judges.of(ours) is not shadowcall._judges.of(Fails(None))
