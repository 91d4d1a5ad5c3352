"""Every refusal below /api/ is a problem: no page, no trace, never a 500 for what was sent."""

import json
from uuid import UUID

import httpx2 as httpx
import pytest
from django.db import OperationalError, connection
from django.test import Client

from routing.models import Request

#: The same in every process that collects the tests.
NOBODYS = UUID("6f1d2c3b-4a59-4e68-8b7c-9d0e1f2a3b4c")
pytestmark = pytest.mark.django_db

MEMBERS = {"type", "title", "status", "detail", "request_id"}


def problem(reply, status):
    assert reply.status_code == status, reply.content
    assert reply.headers["content-type"] == "application/problem+json"
    body = reply.json()
    assert set(body) >= MEMBERS
    assert body["status"] == status
    assert reply.headers["x-shadoweval-request-id"] == body["request_id"]
    return body


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nope", "/api/nope", "/api/", "/api", "/api/v1/", "/api/v2/requests",
        "/api/v1/requests/", "/api/v1/docs/", "/api/%0A",
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_an_unknown_address_is_a_problem(client, path, method):
    problem(getattr(client, method)(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/requests", "GET"),
        ("TRACE", "/requests", "GET"),
        ("PUT", f"/requests/{NOBODYS}", "GET"),
        ("GET", f"/requests/{NOBODYS}/feedback", "POST"),
        ("GET", "/pairs", "POST"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
    ],
)
def test_another_method_is_a_problem_that_names_the_right_one(call, method, path, allowed):
    reply = call.any(method, path)
    problem(reply, 405)
    assert reply.headers["allow"] == allowed


def test_no_key_and_a_wrong_scope(call, key_with):
    assert "x-api-key" in problem(call.get("/requests", key=""), 401)["detail"]
    assert "import" in problem(call.post("/pairs", {}, key=key_with("read")), 403)["detail"]


NESTED = b'{"a": ' * 200_000 + b"1" + b"}" * 200_000
BODIES = [
    b"", b"{", b"[]", b"null", b'"x"', b"1", b"\xff\xfe", b'{"thumb": "up"', NESTED,
    b'{"score": NaN}', b'{"score": 1e999}', b'{"score": -Infinity}',
    b'{"score": ' + b"9" * 5000 + b"}", b'{"comment": "\\ud800"}', b'{"\\ud800": 1}',
    b'{"comment": "\xed\xa0\x80"}', '{"thumb": "up"}'.encode("utf-16"), b'{"\\u0000": 1}',
    b'{"pairs": ' + b"[" * 90 + b"]" * 90 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("path", ["/pairs", f"/requests/{NOBODYS}/feedback"])
def test_a_body_that_cannot_be_read_is_400(call, path, body):
    problem(call.post(path, body), 400)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=" + "9" * 5000, "limit=1.5", "limit=", "tier=both",
        "status=99", "since=yesterday", "since=2026-01-01", "since=2026-01-01T00:00:00",
        "until=9999999999999999999", "task=%00", "session=a%00b", "cursor=%00", "cursor=x",
        "cursor=AAAA", "cursor=fHw=", "cursor=%F0%9F%98%80", "cursor=" + "A" * 300,
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_read_is_400(call, query):
    problem(call.get(f"/requests?{query}"), 400)


@pytest.mark.parametrize(
    "query",
    ["since=0001-01-01T00:00:00%2B14:00", "until=9999-12-31T23:59:59-14:00", "task=%FF%ED%A0%80",
     "since=2496-12-16T16:47:57%2B19:44", "until=1996-12-16T16:47:57-23:59", "other=1", "cursor="],
)  # fmt: skip
def test_the_edges_of_time_and_unicode_find_nothing_and_fail_nothing(call, query):
    assert call.get(f"/requests?{query}").status_code == 200
    assert call.get(f"/labels?{query}").status_code == 200


@pytest.mark.parametrize("request_id", ["x", "%00", "0" * 5000, "1"])
def test_an_id_that_is_none_is_400(call, request_id):
    problem(call.get(f"/requests/{request_id}"), 400)


def test_a_refused_value_has_its_place(call):
    body = problem(call.get("/requests?limit=0&tier=x"), 400)
    assert {error["location"] for error in body["errors"]} == {"query.limit", "query.tier"}


def test_a_body_over_the_limit_is_413(call, settings):
    settings.SHADOWEVAL_MAX_BODY_BYTES = settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    problem(call.post("/pairs", b"x" * 1001), 413)


def test_a_body_over_the_limit_without_a_length_is_413(service, api_key, settings):
    settings.SHADOWEVAL_MAX_BODY_BYTES = 1000
    for content in (iter([b"x" * 600, b"x" * 600]), b"x" * 1200):
        reply = httpx.post(
            f"{service}/api/v1/pairs", content=content, headers={"x-api-key": api_key}, timeout=30
        )
        problem(reply, 413)


def test_the_limits_of_hot_and_cold_routes_are_one(settings):
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == settings.SHADOWEVAL_MAX_BODY_BYTES


def test_a_database_that_is_away_is_503(call):
    def gone(execute, sql, params, many, context):
        raise OperationalError("connection to secret-host failed")

    with connection.execute_wrapper(gone):
        reply = call.get("/requests")
    assert "secret-host" not in json.dumps(problem(reply, 503))
    assert reply.headers["retry-after"]


def test_what_nobody_expected_is_500_without_details(call, caplog):
    def broken(execute, sql, params, many, context):
        raise RuntimeError("inner detail")

    with connection.execute_wrapper(broken):
        body = problem(call.get("/requests"), 500)
    assert "inner detail" not in json.dumps(body)
    assert body["request_id"] in caplog.text


def test_a_foreign_host_is_a_problem_below_api_and_a_page_elsewhere(client):
    problem(client.get("/api/v1/requests", headers={"host": "evil.example"}), 400)
    page = client.get("/login/", headers={"host": "evil.example"})
    assert (page.status_code, page.headers["content-type"]) == (400, "text/html; charset=utf-8")


def test_no_login_and_no_csrf_token_is_asked_for(call, project):
    strict = Client(enforce_csrf_checks=True)
    reply = strict.post("/api/v1/pairs", b"{}", content_type="application/json")
    problem(reply, 401)
    assert not Request.objects.exists()
