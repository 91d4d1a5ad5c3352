"""The hot routes, asked by the real client: answers, headers, and each refusal in its shape."""

import json
import time
from dataclasses import replace

import anthropic
import httpx2 as httpx
import pytest

from routing.live import live
from routing.models import ApiKey, Decision, Request, ShadowJob

pytestmark = pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")

HELLO = [{"role": "user", "content": "When is my invoice due?"}]


def client(service, key):
    return anthropic.Anthropic(base_url=service, api_key=key, max_retries=0)


def post(service, key, content, path="/v1/messages"):
    headers = {"content-type": "application/json"} | ({"x-api-key": key} if key else {})
    return httpx.post(service + path, content=content, headers=headers, timeout=30)


def wait_until_recorded(count):
    end = time.monotonic() + 10
    while Request.objects.count() < count:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_client_gets_an_answer_and_the_headers(service, api_key):
    raw = client(service, api_key).messages.with_raw_response.create(
        model="auto", max_tokens=20, messages=HELLO, system="Be brief."
    )
    assert "Simulated answer" in raw.parse().content[0].text
    headers = {k: v for k, v in raw.headers.items() if k.startswith("x-shadoweval-")}
    assert headers["x-shadoweval-tier"] == "expensive"
    assert headers["x-shadoweval-reason"] == "at_or_above_threshold"
    assert headers["x-shadoweval-score"] == "0.500000"
    assert headers["x-shadoweval-policy"] == "policy-1"
    assert headers["x-shadoweval-simulated"] == "true"
    assert {"request-id", "model", "threshold", "task", "cost-usd", "overhead-ms", "shadow"} <= {
        name.removeprefix("x-shadoweval-") for name in headers
    }
    wait_until_recorded(1)
    row = Request.objects.get(pk=headers["x-shadoweval-request-id"])
    assert (row.query, row.payload["system"]) == ("When is my invoice due?", "Be brief.")
    assert row.decision.score == 0.5
    assert row.shadow_job.tier == "cheap"
    assert ApiKey.objects.get().last_used_at is not None


def test_a_key_that_is_known_before_its_projects_router_is_loaded_gets_an_answer(service, api_key):
    body = json.dumps({"model": "auto", "max_tokens": 5, "messages": HELLO})
    assert post(service, api_key, body).status_code == 200
    live.snapshot = replace(live.snapshot, ramps={})  # as while a new project's is loaded
    assert post(service, api_key, body).status_code == 200


def test_a_tiers_model_by_name_is_served_and_kept_out_of_the_evidence(service, api_key, settings):
    raw = client(service, api_key).messages.with_raw_response.create(
        model=settings.SHADOWEVAL_CHEAP_MODEL, max_tokens=20, messages=HELLO
    )
    assert raw.headers["x-shadoweval-tier"] == "cheap"
    assert raw.headers["x-shadoweval-reason"] == "bypassed"
    assert raw.headers["x-shadoweval-shadow"] == "none"
    wait_until_recorded(1)
    job = ShadowJob.objects.get()
    assert (job.state, job.reason.split(":")[0]) == ("skipped", "bypassed")


REFUSED = [
    (b'{"model": ', 400, "invalid_request_error", anthropic.BadRequestError),
    (b"[1]", 400, "invalid_request_error", anthropic.BadRequestError),
    (
        b'{"model": "auto", "max_tokens": 5}',
        400,
        "invalid_request_error",
        anthropic.BadRequestError,
    ),
    (
        b'{"model": "auto", "max_tokens": 5, "messages": [{"role": ["user"], "content": "x"}]}',
        400,
        "invalid_request_error",
        anthropic.BadRequestError,
    ),
    (
        b'{"model": "auto", "max_tokens": 5, "system": 5, "messages": '
        b'[{"role": "user", "content": "x"}]}',
        400,
        "invalid_request_error",
        anthropic.BadRequestError,
    ),
    (
        b'{"model": "auto", "max_tokens": 5, "messages": '
        b'[{"role": "user", "content": "\xed\xa0\x80"}]}',
        400,
        "invalid_request_error",
        anthropic.BadRequestError,
    ),
    (
        '{"model": "auto"}'.encode("utf-16"),
        400,
        "invalid_request_error",
        anthropic.BadRequestError,
    ),
    (
        b'{"model": "gpt-0", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}',
        404,
        "not_found_error",
        anthropic.NotFoundError,
    ),
    (
        b'{"a": "' + b"x" * 11_000_000 + b'"}',
        413,
        "request_too_large",
        anthropic.RequestTooLargeError,
    ),
]


@pytest.mark.parametrize(("body", "status", "kind", "error"), REFUSED)
def test_bad_input_is_refused_in_the_apis_shape(service, api_key, body, status, kind, error):
    reply = post(service, api_key, body)
    assert reply.status_code == status
    assert reply.json()["type"] == "error"
    assert reply.json()["error"]["type"] == kind
    raised = client(service, api_key)._make_status_error_from_response(reply)
    assert type(raised) is error


@pytest.mark.parametrize(
    ("path", "header", "is_openais"),
    [
        ("/chat/completions", "authorization", True),
        ("/models", "authorization", True),
        ("/messages", "x-api-key", False),
        ("/v1/v1/messages", "x-api-key", False),
    ],
)
def test_a_base_url_of_the_other_sdk_is_told_as_json(service, path, header, is_openais):
    reply = httpx.post(service + path, headers={header: "Bearer x"}, json={})
    error = reply.json()["error"]
    assert (reply.status_code, error["type"], "code" in error) == (
        404,
        "not_found_error",
        is_openais,
    )
    assert (
        f"{path} does not exist here. An OpenAI client's base URL ends in /v1" in error["message"]
    )


@pytest.mark.parametrize("key", ["sk-shadow-wrong", "\u00e4".encode("latin-1").decode("latin-1")])
def test_a_wrong_key_is_refused(service, key):
    reply = httpx.post(service + "/v1/messages", headers=[(b"x-api-key", key.encode("latin-1"))])
    assert (reply.status_code, reply.json()["error"]["type"]) == (401, "authentication_error")


def test_the_client_raises_its_own_exceptions(service, api_key):
    with pytest.raises(anthropic.AuthenticationError):
        client(service, "sk-shadow-no").messages.create(model="auto", max_tokens=5, messages=HELLO)
    asking = client(service, api_key).messages
    big = [{"role": "user", "content": "x" * 11_000_000}]
    with pytest.raises(anthropic.NotFoundError):
        asking.create(model="nobody", max_tokens=5, messages=HELLO)
    with pytest.raises(anthropic.BadRequestError):
        asking.create(model="auto", max_tokens=5, messages=[])
    with pytest.raises(anthropic.RequestTooLargeError):
        asking.create(model="auto", max_tokens=5, messages=big)


def test_no_key_is_refused(service):
    assert post(service, "", b"{}").status_code == 401


def test_another_method_is_refused(service):
    reply = httpx.get(service + "/v1/messages")
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")


def test_the_native_route_answers_and_refuses_with_problem_details(service, api_key):
    good = post(service, api_key, b'{"query": "When is my invoice due?"}', "/api/v1/route")
    assert good.status_code == 200
    assert good.json()["decision"]["tier"] == "expensive"
    assert good.json()["simulated"] is True
    bad = post(service, api_key, b'{"question": "x"}', "/api/v1/route")
    assert bad.status_code == 400
    assert bad.headers["content-type"] == "application/problem+json"


def test_what_postgres_cannot_hold_is_recorded_all_the_same(service, api_key):
    body = rb'{"query": "nul \u0000 and a whole \ud83d\ude00 pair"}'
    assert post(service, api_key, body, "/api/v1/route").status_code == 200
    wait_until_recorded(1)
    assert "\0" not in Request.objects.get().query
    assert Decision.objects.count() == 1


def test_nesting_too_deep_to_store_is_refused_and_recording_lives_on(service, api_key):
    for depth in (700, 101):
        nested = b'{"query": "x", "metadata": ' + b'{"a": ' * depth + b"1" + b"}" * (depth + 1)
        reply = post(service, api_key, nested, "/api/v1/route")
        assert (reply.status_code, "nested" in reply.json()["detail"]) == (400, True)
    wide = b'{"query": "x", "metadata": {"a": [' + b"{}," * 500 + b"{}]}}"
    assert post(service, api_key, wide, "/api/v1/route").status_code == 200
    wait_until_recorded(1)


def test_half_a_character_is_refused(service, api_key):
    reply = post(service, api_key, rb'{"query": "half \ud800 of a pair"}', "/api/v1/route")
    assert (reply.status_code, "Unicode" in reply.json()["detail"]) == (400, True)


def test_headers_for_the_provider_are_recorded_and_a_repeated_one_keeps_both_values(
    service, api_key
):
    body = {"model": "auto", "max_tokens": 5, "messages": HELLO}
    names = ("x-api-key", "anthropic-version", "anthropic-beta", "anthropic-beta", "x-other")
    values = (api_key, "2023-06-01", "files-1", "mcp-2", "stays here")
    reply = httpx.post(
        f"{service}/v1/messages", json=body, headers=list(zip(names, values, strict=True))
    )
    assert reply.status_code == 200
    wait_until_recorded(1)
    expected = {"anthropic-version": "2023-06-01", "anthropic-beta": "files-1, mcp-2"}
    assert Request.objects.get().headers == expected


def test_a_large_body_is_read_like_a_small_one(service, api_key):
    long = [{"role": "user", "content": "word " * 100_000}]
    raw = client(service, api_key).messages.with_raw_response.create(
        model="auto", max_tokens=5, messages=long
    )
    assert raw.headers["x-shadoweval-reason"] == "rule"
    reply = post(service, api_key, b'{"a": ' + b"[" * 300_000)
    assert (reply.status_code, reply.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize("task", ["a\u0000b", "\u0007", "line\nbreak", "\u007f", "Übung"])
def test_a_task_that_no_header_can_carry_still_gets_its_reply(service, api_key, task):
    reply = httpx.post(
        f"{service}/api/v1/route",
        json={"query": "hi", "task": task},
        headers={"x-api-key": api_key},
        timeout=30,
    )
    assert reply.status_code == 200
    assert "?" in reply.headers["x-shadoweval-task"]
    wait_until_recorded(1)


def test_a_reply_can_be_looked_up_and_rated_as_soon_as_it_is_there(service, api_key):
    asked = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "q"}]}
    with httpx.Client(base_url=service, headers={"x-api-key": api_key}, timeout=20) as client:
        for _ in range(10):
            name = client.post("/v1/messages", json=asked).headers["x-shadoweval-request-id"]
            assert client.get(f"/api/v1/requests/{name}").status_code == 200
            name = client.post("/v1/messages", json=asked).headers["x-shadoweval-request-id"]
            told = client.post(f"/api/v1/requests/{name}/feedback", json={"thumb": "up"})
            assert told.status_code == 201
