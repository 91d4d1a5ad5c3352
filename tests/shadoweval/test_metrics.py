"""Figures for Prometheus: this machine reads them, others need the token."""

import time

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from reviews.models import Alarm, SampledPair, Slot, Study
from routing import gauges, policy, tally
from routing.models import ShadowSpend
from shadoweval import telling
from tests.reviews.rows import _served, add_pair

pytestmark = pytest.mark.django_db
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


@pytest.fixture(autouse=True)
def _own_figures(monkeypatch):
    """What a test registers goes with it."""
    monkeypatch.setattr(gauges, "_figures", gauges.values())


def figures(response):
    assert response.status_code == 200
    families = text_string_to_metric_families(response.text)
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def test_backlog_jobs_and_requests_are_told(client, project):
    add_pair(project, 0.2)
    told = figures(client.get("/metrics"))
    assert told["shadoweval_jobs", "", "done"] == 1
    assert told["shadoweval_requests", "at_or_above_threshold", "expensive"] == 1
    assert (told["shadoweval_backlog_jobs",], told["shadoweval_lag_seconds",]) == (0, 0)


def test_what_the_process_registered_is_told_and_what_fails_is_left_out(client):
    gauges.register("in_hand", "Calls in hand.", lambda: 7)
    gauges.register("broken", "Never there.", lambda: 1 / 0)
    told = figures(client.get("/metrics"))
    assert told["shadoweval_in_hand", telling.me()] == 7
    assert not any(name == "shadoweval_broken" for name, *_ in told)


def test_every_process_is_told_under_its_name_and_one_that_ended_is_not(client):
    gauges.counted("chimes", "Chimes.", "tone")("deep", by=2)
    with Redis.from_url(settings.REDIS_URL) as redis:
        telling.tell(redis, "web@other:1")
        telling.tell(redis, "web@ended:2")
        telling.untell(redis, "web@ended:2")
    gauges.counted("chimes", "Chimes.", "tone")("deep", by=3)
    told = figures(client.get("/metrics"))
    assert told["shadoweval_chimes_total", "deep", "web@other:1"] == 2
    assert told["shadoweval_chimes_total", "deep", telling.me()] == 3
    assert not any("web@ended:2" in labels for _, *labels in told)


def test_what_is_old_is_not_told(client, monkeypatch):
    with Redis.from_url(settings.REDIS_URL) as redis:
        telling.tell(redis, "web@gone:3")
        monkeypatch.setattr(telling, "FRESH_S", -1.0)
        assert not any("web@gone:3" in labels for _, *labels in figures(client.get("/metrics")))
        assert not redis.hexists(telling._KEY, "web@gone:3")


def test_a_process_tells_from_its_start_to_its_end():
    teller = telling.Teller("web")
    with Redis.from_url(settings.REDIS_URL) as redis:
        teller.start()
        limit = time.monotonic() + 10
        while not redis.hexists(telling._KEY, teller.name):
            assert time.monotonic() < limit
        teller.stop()
        assert not redis.hexists(telling._KEY, teller.name)


def test_without_redis_this_process_tells_its_own(client, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    gauges.register("alone", "Alone.", lambda: 1)
    assert figures(client.get("/metrics"))["shadoweval_alone", telling.me()] == 1


def test_served_replies_are_counted_with_what_they_cost_and_how_long_they_took(client, project):
    before = figures(client.get("/metrics"))
    tally.count(_served(policy.live(project), 0.7, "q", "a", "0.05", 1.0, "math", None, None))
    after, me = figures(client.get("/metrics")), telling.me()
    grown = {
        key[:-1]: round(value - before.get(key, 0), 6)
        for key, value in after.items()
        if key[-1] == me and value != before.get(key)
    }
    assert grown["shadoweval_decisions_total", "at_or_above_threshold", "expensive"] == 1
    assert grown["shadoweval_replies_total", "200", "anthropic"] == 1
    assert grown["shadoweval_served_cost_usd_total", "expensive"] == 0.05
    assert grown["shadoweval_served_tokens_total", "expensive", "input"] == 3
    assert grown["shadoweval_overhead_seconds_count",] == 1
    assert after["shadoweval_overhead_seconds_bucket", "0.001", me] >= 1


def test_rating_progress_spend_and_alarms_are_told(client, project):
    live = policy.live(project)
    study = Study.objects.create(
        project=project, policy=live, router=live.router, name="June", state="running", seed="s"
    )
    pair = add_pair(project, 0.2)
    drawn = SampledPair.objects.create(
        study=study, pair=pair, purpose="calibrate", u=0.1, inclusion_probability=0.5, selected=True
    )
    place = {"kind": "sample", "ordinal": 1, "order": 0.5, "state": "done"}
    Slot.objects.create(study=study, pair=pair, sampled_pair=drawn, **place)
    now = timezone.now()
    ShadowSpend.objects.create(project=project, day=now.date(), usd="1.5")
    seen = {"monitor": "scores", "level": "alarm", "opened_at": now, "last_at": now}
    Alarm.objects.create(project=project, **seen)
    told, slug = figures(client.get("/metrics")), project.slug
    assert told["shadoweval_rating_slots", *sorted([slug, "June", "done"])] == 1
    assert told["shadoweval_shadow_spend_usd", slug] == 1.5
    assert told["shadoweval_open_alarms", *sorted([slug, "scores", "alarm"])] == 1


def test_without_the_database_the_processes_are_told(client, monkeypatch):
    def away():
        raise OperationalError

    monkeypatch.setattr(connection, "ensure_connection", away)
    told = figures(client.get("/metrics"))
    assert told["shadoweval_database_up",] == 0
    assert not any(name == "shadoweval_jobs" for name, *_ in told)


@pytest.mark.parametrize(
    ("token", "said", "status"),
    [
        ("", "", 403),
        ("", "Bearer ", 403),
        ("secret", "", 403),
        ("secret", "Bearer wrong", 403),
        ("secret", "secret", 403),
        ("secret", "Bearer secret", 200),
    ],
)
def test_elsewhere_the_token_decides(client, settings, token, said, status):
    settings.SHADOWEVAL_METRICS_TOKEN = token
    headers = {"authorization": said} if said else {}
    assert client.get("/metrics", headers=headers, **ELSEWHERE).status_code == status


@pytest.mark.parametrize("name", ["x-forwarded-for", "forwarded", "x-real-ip"])
def test_what_a_proxy_on_this_machine_forwards_is_not_local(client, name):
    assert client.get("/metrics", headers={name: "192.0.2.7"}).status_code == 403


def test_it_is_only_read(client):
    assert client.post("/metrics").status_code == 405
