"""The stand-in provider, and policies whose tiers ask it."""

import time

import anthropic
import openai
import pytest

from routing import policy
from routing.live import live
from routing.types import TierSpec
from tests.routing.conformance import provider as standin

#: Below every score: everything is expensive; above every score: everything is cheap.
ALL_EXPENSIVE, ALL_CHEAP = 0.0, 1.01


@pytest.fixture(autouse=True)
def _unsigned(request):
    """Policies here were not signed; what is tested is how they decide."""
    if {"db", "transactional_db"} & set(request.fixturenames):
        request.getfixturevalue("unsigned")


@pytest.fixture
def provider():
    """A provider on loopback that speaks both wire formats."""
    with standin.running() as running:
        yield running


@pytest.fixture
def point(project, provider):
    """Return a function that makes a policy live whose tiers ask the stand-in.

    A tier is written `provider:model`, as in `openai:gpt-x`.
    """

    def tier(text, price):
        name, model = text.split(":", 1)
        url = provider.url + ("/v1" if name == "openai" else "")
        return TierSpec(provider=name, model=model, base_url=url, price=price)

    def deploy(
        cheap="anthropic:small",
        expensive="anthropic:large",
        threshold=ALL_EXPENSIVE,
        rate=0.0,
        router=None,
        price=None,
        **more,
    ):
        mine = policy.create(
            project=project,
            router=router or policy.live(project).router,
            threshold=threshold,
            cheap=tier(cheap, price),
            expensive=tier(expensive, price),
            shadow_rate_cheap=rate,
            shadow_rate_expensive=rate,
            **more,
        )
        policy.deploy(mine, by=None, reason="test")
        if live.tried_at:  # it runs: what is live must be known now, not in a second
            live.refresh()
        return mine

    return deploy


@pytest.fixture
def claude(service, api_key):
    """Anthropic's own client, pointed at the service."""
    with anthropic.Anthropic(
        base_url=service, api_key=api_key, max_retries=0, timeout=20
    ) as client:
        yield client


@pytest.fixture
def gpt(service, api_key):
    """OpenAI's own client, pointed at the service."""
    with openai.OpenAI(
        base_url=f"{service}/v1", api_key=api_key, max_retries=0, timeout=20
    ) as client:
        yield client


@pytest.fixture
def eventually():
    """Return a function that waits until a condition holds, and fails when it never does."""

    def wait(condition, limit_s=15):
        end = time.monotonic() + limit_s
        while not (value := condition()):
            assert time.monotonic() < end, "it never came"
            time.sleep(0.02)
        return value

    return wait
