"""Challengers score what a score decided, in the background, once; and disturb nobody."""

import importlib
from datetime import timedelta

import numpy as np
import pytest
from django.core.cache import cache
from django.utils import timezone

from routing import challenging, policy, retention
from routing.embedders import ids
from routing.models import Challenger, ChallengerScore, Request, RouterVersion, ShadowJob
from routing.routers import embedding
from routing.routers.weighing import Weighing
from routing.types import Reason, Tier
from tests.reviews.challenged import challenger, version
from tests.reviews.rows import add_pair, add_request
from tests.routing import libraries, plugins

pytestmark = pytest.mark.django_db
DEAR = Tier.EXPENSIVE


@pytest.fixture(autouse=True)
def _nothing_remembered():
    cache.clear()


def said(router):
    rows = ChallengerScore.objects.filter(router=router)
    return {row.request_id: (row.score, row.rule) for row in rows}


def test_what_a_score_decided_is_scored_and_nothing_else(project):
    early = add_request(project, 0.3, DEAR, threshold=0.0)
    Request.objects.filter(pk=early).update(received_at=timezone.now() - timedelta(hours=1))
    router = version(value=0.25)
    challenger(project, router)
    by_score = [
        add_request(project, 0.3, tier, threshold=0.5, reason=reason)
        for tier, reason in (
            (Tier.CHEAP, Reason.BELOW_THRESHOLD), (DEAR, Reason.AT_OR_ABOVE_THRESHOLD),
            (DEAR, Reason.RULE), (DEAR, Reason.ROUTER_ERROR), (DEAR, Reason.FALLBACK),
            (DEAR, Reason.UNFAMILIAR), (DEAR, Reason.IMPORTED), (DEAR, Reason.ESCALATED),
        )
    ]  # fmt: skip
    for reason in (Reason.FORCED, Reason.BYPASSED, Reason.STICKY, Reason.UNTRANSLATABLE):
        add_request(project, None, DEAR, threshold=0.5, reason=reason)
    add_request(project, None, DEAR, threshold=0.5, reason=Reason.FALLBACK)  # of a forced one
    assert not challenging.run()
    assert said(router) == dict.fromkeys(by_score, (0.25, ""))


def test_what_the_policy_keeps_from_any_router_stays_expensive(project):
    router = version(value=0.25)
    challenger(project, router)
    kept = add_request(project, 1.0, DEAR, threshold=0.5, reason=Reason.TOOLS)
    challenging.run()
    assert said(router) == {kept: (1.0, "tools")}


def test_each_run_goes_on_where_the_last_one_ended_and_writes_nothing_twice(project):
    router = version()
    challenger(project, router)
    for n in (1, 2):
        add_request(project, 0.3, DEAR, threshold=0.5)
        challenging.run()
        challenging.run()
        assert len(said(router)) == n


def test_a_record_that_comes_late_is_scored_by_the_hourly_pass(project):
    router = version()
    row = challenger(project, router)
    Challenger.objects.filter(pk=row.pk).update(started_at=timezone.now() - timedelta(days=1))
    challenging.run()
    late = add_request(project, 0.3, DEAR, threshold=0.5)
    Request.objects.filter(pk=late).update(received_at=timezone.now() - timedelta(hours=5))
    challenging.run()
    assert said(router) == {}
    cache.delete(f"challenge:{row.pk}:pass")  # as after an hour
    challenging.run()
    assert set(said(router)) == {late}


def test_what_its_own_router_decided_has_a_score_already(project):
    challenger(project, policy.live(project).router)
    add_request(project, 0.3, DEAR, threshold=0.5)
    challenging.run()
    assert not ChallengerScore.objects.exists()


def test_a_stopped_challenger_scores_no_more(project):
    row = challenger(project, version())
    Challenger.objects.filter(pk=row.pk).update(stopped_at=timezone.now())
    add_request(project, 0.3, DEAR, threshold=0.5)
    challenging.run()
    assert not ChallengerScore.objects.exists()


def test_a_router_that_raises_leaves_a_row_without_a_score_and_another_goes_on(project):
    artifact = embedding.dumps(np.zeros(3), 0.0)  # its embedder's vectors have 256 numbers
    broken = RouterVersion.objects.create(
        name="broken", kind=embedding.KIND, embedder=ids.STATIC, artifact=artifact, sha256="0" * 64
    )
    nothing = version("nothing", kind="no-such-kind")
    good = version("good", value=0.75)
    for router in (nothing, broken, good):
        challenger(project, router)
    request = add_request(project, 0.3, DEAR, threshold=0.5)
    challenging.run()
    assert said(nothing) == {}
    assert said(broken) in ({request: (None, "")}, {})  # it may be refused when it is loaded
    assert said(good) == {request: (0.75, "")}


STUCK = """
import threading

OVER = threading.Event()

class Stuck(Base):
    left = 1
    def score(self, query):
        self.left -= 1
        if self.left < 0:
            OVER.wait()
        return Score(0.25)

STUCK = kind("stuck", Stuck())
"""


@pytest.fixture
def stuck(tmp_path, monkeypatch):
    """A kind that scores one text, and never ends with the next before the test does."""
    plugins.install(tmp_path, "stuck_router", STUCK, stuck="STUCK")
    monkeypatch.syspath_prepend(tmp_path)
    yield "stuck"
    importlib.import_module("stuck_router").OVER.set()


def test_a_router_that_hangs_is_stopped_with_a_reason_and_another_goes_on(project, stuck):
    hangs, good = version("hangs", kind=stuck), version("good", value=0.75)
    row = challenger(project, hangs)
    challenger(project, good)
    first, second = (add_request(project, 0.3, DEAR, threshold=0.5) for _ in range(2))
    challenging.run(budget_s=0.1, hangs_s=0.05)
    row.refresh_from_db()
    assert row.stopped_because == f"It took 0.05 s or more over request {second}."
    assert said(hangs) == {first: (0.25, "")}
    assert set(said(good)) == {first, second}


EXITS = """
class Exits(Base):
    def score(self, query):
        raise SystemExit(1)

def late(artifact, embedder):
    raise TimeoutError

EXITS = kind("exits", Exits())
LATE = Kind("late", "late", "what", "when", "cost", late)
"""


def test_a_plug_in_that_exits_or_says_it_was_late_stops_nobody(project, tmp_path, monkeypatch):
    plugins.install(tmp_path, "exits_router", EXITS, exits="EXITS", late="LATE")
    monkeypatch.syspath_prepend(tmp_path)
    late, exits = version("late", kind="late"), version("exits", kind="exits")
    good = version("good", value=0.75)
    for router in (late, exits, good):
        challenger(project, router)
    request = add_request(project, 0.3, DEAR, threshold=0.5)
    challenging.run()
    assert said(exits) == {request: (None, "")}
    assert said(good) == {request: (0.75, "")}
    assert not Challenger.objects.exclude(stopped_at=None).exists()


def test_time_is_shared_among_challengers_and_each_goes_on_next_time(project):
    one, other = version("one"), version("other")
    for router in (one, other):
        challenger(project, router)
    for n in (1, 2):
        add_request(project, 0.3, DEAR, threshold=0.5)
        add_request(project, 0.3, DEAR, threshold=0.5)
        assert challenging.run(budget_s=0)
        assert (len(said(one)), len(said(other))) == (n, n)


def test_nothing_is_scored_while_shadow_work_gives_way(project, settings):
    settings.SHADOWEVAL_SHADOW_BACKLOG = 1
    router = version()
    challenger(project, router)
    for _ in range(2):
        add_pair(project, 0.3)
    jobs = list(ShadowJob.objects.values_list("pk", flat=True))
    ShadowJob.objects.filter(pk__in=jobs).update(state="pending", finished_at=None)
    assert not challenging.run()
    assert said(router) == {}
    ShadowJob.objects.filter(pk__in=jobs).update(state="done", finished_at=timezone.now())
    challenging.run()
    assert len(said(router)) == 2


def test_scores_go_with_their_request(project, settings):
    settings.SHADOWEVAL_RETENTION_DAYS = 100
    router = version()
    row = challenger(project, router)
    Challenger.objects.filter(pk=row.pk).update(started_at=timezone.now() - timedelta(days=300))
    request = add_request(project, 0.3, DEAR, threshold=0.5)
    Request.objects.filter(pk=request).update(received_at=timezone.now() - timedelta(days=200))
    challenging.run()
    assert set(said(router)) == {request}
    retention.run()
    assert not Request.objects.exists()


def test_what_was_looked_up_counts_as_it_does_when_serving(project):
    router = version(value=0.5)
    challenger(project, router)
    sure, unsure, plain = (add_request(project, 0.3, DEAR, threshold=0.5) for _ in range(3))
    kept = add_request(project, 1.0, DEAR, threshold=0.5, reason=Reason.TOOLS)
    for request_id, confidence in ((sure, 1.0), (unsure, 0.0), (kept, 1.0)):
        libraries.looked_up(request_id, confidence)
    challenging.run()
    weigh = Weighing().of
    assert said(router) == {
        sure: (weigh(0.5, 1.0), ""), unsure: (weigh(0.5, 0.0), ""), plain: (0.5, ""),
        kept: (1.0, "tools"),
    }  # fmt: skip
