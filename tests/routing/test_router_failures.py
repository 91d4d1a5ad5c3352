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
from shadoweval import telling
from tests.routing import plugins

CODE = """
import asyncio
import numpy as np
from routing.routers.asking import Ask, Judged

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

class Exits(Base):
    def __init__(self, error):
        self.error = error
    def score(self, query):
        raise self.error("the plug-in had enough")

class Judges(Base):
    asks = Ask(False, 1)
    def __init__(self, score, confidence=None):
        self.judged = Judged(score, confidence)
    def score(self, query):
        return Score(0.0, needs_answer=True)
    def judge(self, query, before, seen):
        if isinstance(self.judged.score, type):
            raise self.judged.score("no judgement")
        return self.judged

class Ponders(Judges):
    def judge(self, query, before, seen):
        time.sleep(2)
        return self.judged

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
EXITS = kind("exits", Exits(SystemExit))
CANCELS = kind("cancels", Exits(asyncio.CancelledError))
STOPS = kind("stops", Exits(StopIteration))
JUDGES_NAN = kind("judges-nan", Judges(Score(math.nan)))
JUDGES_HIGH = kind("judges-high", Judges(Score(1.7)))
JUDGES_TEXT = kind("judges-text", Judges(Score(0.2), "sure"))
JUDGES_RAISES = kind("judges-raises", Judges(ValueError))
JUDGES_EXITS = kind("judges-exits", Judges(SystemExit))
JUDGES_HANGS = kind("judges-hangs", Ponders(Score(0.2)))
JUDGES_SINGLE = kind("judges-single", Judges(Score(np.float32(0.25)), np.float32(0.75)))
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
    "exits": "EXITS",
    "cancels": "CANCELS",
    "stops": "STOPS",
    "judges_nan": "JUDGES_NAN",
    "judges_high": "JUDGES_HIGH",
    "judges_text": "JUDGES_TEXT",
    "judges_raises": "JUDGES_RAISES",
    "judges_exits": "JUDGES_EXITS",
    "judges_hangs": "JUDGES_HANGS",
    "judges_single": "JUDGES_SINGLE",
    "sound": "SOUND",
}
SOUND = ("judges_single", "sound")
BROKEN = [name.replace("_", "-") for name in POINTS if name not in SOUND]
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


def ask(service, key, *more):
    """Return status, tier and reason of one request, and more of its headers."""
    client = HTTPConnection(urlsplit(service).netloc, timeout=20)
    client.request("POST", "/v1/messages", json.dumps(BODY), {"x-api-key": key})
    reply = client.getresponse()
    reply.read()
    client.close()
    told = ("tier", "reason", *more)
    return (reply.status, *(reply.getheader(f"x-shadoweval-{one}") for one in told))


def figures(service):
    client = HTTPConnection(urlsplit(service).netloc, timeout=20)
    client.request("GET", "/metrics")
    text = client.getresponse().read().decode()
    client.close()
    return text


def errors():
    return gauges.values()["router_errors"].read()[()]


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
    said = f'shadoweval_router_errors_total{{process="{telling.me()}"}} {errors():.1f}'
    assert said in figures(service)
    eventually(lambda: Decision.objects.count() == len(BROKEN) + 1)
    kept = Decision.objects.filter(reason="router_error")
    assert set(kept.values_list("tier", "score", "rule")) == {("expensive", None, "")}


def test_a_judge_may_say_numbers_of_any_precision(deciding, service, api_key, eventually):
    deciding("judges-single")
    assert ask(service, api_key) == (200, "cheap", "below_threshold")
    decision = eventually(lambda: Decision.objects.first())
    assert (decision.score, decision.confidence) == (0.25, 0.75)


def test_the_time_of_a_judge_is_overhead(deciding, service, api_key, settings):
    settings.SHADOWEVAL_ROUTER_TIMEOUT_S = 0.2
    deciding("judges-hangs")
    assert float(ask(service, api_key, "overhead-ms")[-1]) >= 200
