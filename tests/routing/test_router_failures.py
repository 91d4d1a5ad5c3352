"""A router that fails in any way on the hot route: EXPENSIVE, counted, and a reply all the same."""

import hashlib
import json
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from routing import gauges, policy
from routing.live import live
from routing.models import Decision, RouterVersion
from routing.routers import arrays
from routing.types import TierSpec
from tests.routing import plugins

CODE = """
class Says(Base):
    def __init__(self, said):
        self.said = said
    def score(self, query):
        return self.said

class Raises(Base):
    def score(self, query):
        raise ValueError(query)

class Hangs(Base):
    def score(self, query):
        time.sleep(2)
        return Score(0.0)

class Lies(Hangs):
    @property
    def is_instant(self):
        time.sleep(2)
        return True
    recall = Hangs.score

NAN = kind("says-nan", Says(Score(math.nan)))
HIGH = kind("says-high", Says(Score(1.7)))
NOTHING = kind("says-nothing", Says(None))
NONE = kind("says-score-of-none", Says(Score(None)))
TEXT = kind("says-text", Says(Score("0.1")))
BARE = kind("says-bare", Says(0.1))
RULE = kind("says-rule", Says(Score(0.1, "no" + chr(10) + "name")))
RAISES = kind("raises", Raises())
HANGS = kind("hangs", Hangs())
LIES = kind("lies", Lies())
SOUND = kind("sound", Says(Score(0.1)))
"""
POINTS = {
    "says_nan": "NAN",
    "says_high": "HIGH",
    "says_nothing": "NOTHING",
    "says_score_of_none": "NONE",
    "says_text": "TEXT",
    "says_bare": "BARE",
    "says_rule": "RULE",
    "raises": "RAISES",
    "hangs": "HANGS",
    "lies": "LIES",
    "sound": "SOUND",
}
BROKEN = [name.replace("_", "-") for name in POINTS if name != "sound"]
BODY = {
    "model": "auto",
    "max_tokens": 5,
    "messages": [{"role": "user", "content": "When is my invoice due?"}],
}


@pytest.fixture
def deciding(tmp_path, monkeypatch, project, provider, service):
    """Return a function that lets a plug-in's router decide, with everything below 1.01 cheap."""
    plugins.install(tmp_path, "failing_routers", CODE, **POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    cheap, expensive = (
        TierSpec("anthropic", model, base_url=provider.url) for model in ("small", "large")
    )

    def deploy(kind):
        artifact = arrays.dumps({})
        version = RouterVersion.objects.create(
            name=kind, kind=kind, artifact=artifact, sha256=hashlib.sha256(artifact).hexdigest()
        )
        mine = policy.create(
            project=project, router=version, threshold=1.01, cheap=cheap, expensive=expensive
        )
        policy.deploy(mine, by=None, reason="test")
        live.refresh()

    return deploy


def ask(service, key):
    """Return status, tier and reason of one request."""
    client = HTTPConnection(urlsplit(service).netloc, timeout=20)
    client.request("POST", "/v1/messages", json.dumps(BODY), {"x-api-key": key})
    reply = client.getresponse()
    reply.read()
    client.close()
    return (reply.status, *(reply.getheader(f"x-shadoweval-{one}") for one in ("tier", "reason")))


def figures(service):
    client = HTTPConnection(urlsplit(service).netloc, timeout=20)
    client.request("GET", "/metrics")
    text = client.getresponse().read().decode()
    client.close()
    return text


def errors():
    return gauges.values()["router_errors"].read()


def test_whatever_a_router_does_the_client_gets_the_expensive_answer(
    deciding, service, api_key, settings, eventually
):
    settings.SHADOWEVAL_ROUTER_TIMEOUT_S = 0.5
    before, told = errors(), {}
    for kind in [*BROKEN, "sound"]:
        deciding(kind)
        if kind == "sound":
            time.sleep(4)  # those that hang hold both threads that score for two seconds each
        told[kind] = ask(service, api_key)
    failed = (200, "expensive", "router_error")
    assert told == {**dict.fromkeys(BROKEN, failed), "sound": (200, "cheap", "below_threshold")}
    assert errors() - before == len(BROKEN)
    assert f"shadoweval_router_errors_total {errors():.1f}" in figures(service)
    eventually(lambda: Decision.objects.count() == len(BROKEN) + 1)
    kept = Decision.objects.filter(reason="router_error")
    assert set(kept.values_list("tier", "score", "rule")) == {("expensive", None, "")}
