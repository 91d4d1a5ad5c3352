"""Figures for Prometheus: this machine reads them, others need the token."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from routing import gauges
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


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
    assert told["shadoweval_in_hand",] == 7
    assert ("shadoweval_broken",) not in told


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
