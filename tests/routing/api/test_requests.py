"""The ledger: pages that nothing shifts, filters, one entry in full, and whose it is."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from routing import access
from routing.models import ApiKey, Completion, Request, ShadowJob
from routing.types import Tier

#: The same in every process that collects the tests.
NOBODYS = UUID("6f1d2c3b-4a59-4e68-8b7c-9d0e1f2a3b4c")
pytestmark = pytest.mark.django_db


def ids(reply):
    assert reply.status_code == 200, reply.content
    return [item["id"] for item in reply.json()["items"]]


def test_newest_first_with_everything_a_table_shows(call, add_request, project):
    old, new = str(add_request(age_s=60)), str(add_request())
    reply = call.get("/requests")
    assert ids(reply) == [new, old]
    assert reply.json()["next_cursor"] is None
    item = reply.json()["items"][0]
    assert (item["tier"], item["reason"], item["policy"]) == (
        "expensive", "at_or_above_threshold", "policy-1",
    )  # fmt: skip
    assert (item["model"], item["cost_usd"], item["score"]) == ("m-1", "0.0021", 0.5)
    assert item["tokens"] == {"input": 3, "output": 2, "cache_write": 0, "cache_read": 0}
    assert item["shadow"] == {"state": "pending", "reason": "", "tier": "cheap"}
    assert (item["latency_ms"], item["overhead_ms"], item["is_stream"]) == (2.0, 1.0, False)


def test_an_unknown_cost_is_null_and_a_failed_request_has_no_model(call, add_request):
    add_request(age_s=5, cost_usd=None)
    add_request(status=529)
    failed, unpriced = call.get("/requests").json()["items"]
    assert (failed["status"], failed["model"], failed["tokens"]) == (529, None, None)
    assert (unpriced["model"], unpriced["cost_usd"]) == ("m-1", None)


def test_pages_are_stable_while_requests_arrive(call, add_request):
    made = [str(add_request(age_s=age)) for age in range(9, 0, -1)][::-1]
    first = call.get("/requests?limit=4")
    add_request()
    second = call.get(f"/requests?limit=4&cursor={first.json()['next_cursor']}")
    add_request()
    third = call.get(f"/requests?limit=4&cursor={second.json()['next_cursor']}")
    assert ids(first) + ids(second) + ids(third) == made
    assert third.json()["next_cursor"] is None


def test_requests_of_the_same_moment_are_on_one_page_each(call, add_request):
    made = {add_request() for _ in range(5)}
    Request.objects.update(received_at=timezone.now())
    found, cursor = [], ""
    while cursor is not None:
        reply = call.get(f"/requests?limit=2&cursor={cursor}")
        found += ids(reply)
        cursor = reply.json()["next_cursor"]
    assert (len(found), set(found)) == (5, {str(one) for one in made})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tier=cheap", {"cheap"}),
        ("tier=expensive", {"plain", "failed"}),
        ("task=coding", {"cheap"}),
        ("status=500", {"failed"}),
        ("reason=rule", set()),
        ("session=s-1", {"plain"}),
        ("task=math&status=200", {"plain"}),
        ("since={hour_ago}", {"plain", "cheap"}),
        ("until={hour_ago}", {"failed"}),
    ],
)
def test_each_filter_filters(call, add_request, query, expected):
    made = {
        str(add_request()): "plain",
        str(add_request(tier=Tier.CHEAP, task="coding")): "cheap",
        str(add_request(status=500, age_s=7200)): "failed",
    }
    plain = next(iter(made))
    Request.objects.filter(pk=plain).update(session="s-1")
    hour_ago = (timezone.now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    reply = call.get("/requests?" + query.format(hour_ago=hour_ago))
    assert {made[one] for one in ids(reply)} == expected


def test_the_number_of_queries_does_not_grow_with_the_page(call, add_request):
    call.get("/requests")  # notes the key's use
    counts = []
    for more in (1, 30):
        for _ in range(more):
            add_request()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            call.get("/requests")
        counts.append(len(queries))
    assert counts == [4, 4]  # the key, the requests, their jobs, their served completions


def test_one_request_in_full_without_the_shadows_text(call, add_request):
    one = add_request()
    Completion.objects.create(
        request_id=one, tier="cheap", is_shadow=True, provider="simulated", model="m-0",
        text="secret of the shadow", body={}, latency_ms=1.0,
    )  # fmt: skip
    ShadowJob.objects.update(state="done", finished_at=timezone.now())
    reply = call.get(f"/requests/{one}")
    entry = reply.json()
    assert reply.status_code == 200
    assert "secret of the shadow" not in reply.content.decode()
    assert entry["payload"]["messages"] == [{"role": "user", "content": "q"}]
    assert entry["served"]["text"] == "served text"
    assert entry["served"]["stop_reason"] == "end_turn"
    assert entry["decision"]["rule"] is None
    assert (entry["shadow"]["state"], entry["has_pair"], entry["feedback"]) == ("done", False, [])
    assert reply.headers["cache-control"] == "no-store"


def test_other_projects_requests_are_not_there(call, add_request, other_project):
    mine, theirs = add_request(), add_request(of=other_project)
    assert ids(call.get("/requests")) == [str(mine)]
    assert call.get(f"/requests/{theirs}").status_code == 404
    assert call.post(f"/requests/{theirs}/feedback", {"thumb": "up"}).status_code == 404
    assert call.get(f"/requests/{NOBODYS}").status_code == 404


SCOPES = ("route", "read", "import")
NEEDS = [
    ("GET", "/requests", "read"),
    ("GET", f"/requests/{NOBODYS}", "read"),
    ("POST", f"/requests/{NOBODYS}/feedback", "route"),
    ("POST", "/pairs", "import"),
]


@pytest.mark.parametrize(("method", "path", "scope"), NEEDS)
def test_each_operation_needs_its_scope_and_no_other(call, key_with, method, path, scope):
    assert call.any(method, path, key="").status_code == 401
    assert call.any(method, path, key="sk-shadow-wrong").status_code == 401
    assert call.any(method, path, key=key_with()).status_code == 403
    for one in SCOPES:
        refused = call.any(method, path, key=key_with(one)).status_code in (401, 403)
        assert refused == (one != scope)


def test_a_bearer_key_passes_and_a_revoked_one_does_not(call, project):
    raw, row = access.create_key(project, "bearer")
    assert call.get("/requests", key="", authorization=f"Bearer {raw}").status_code == 200
    access.revoke(row)
    assert call.get("/requests", key="", authorization=f"Bearer {raw}").status_code == 401


def test_use_of_a_key_is_noted_once_a_minute(call, api_key):
    call.get("/requests")
    first = ApiKey.objects.get().last_used_at
    call.get("/requests")
    assert first is not None
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    call.get("/requests")
    assert ApiKey.objects.get().last_used_at > first
