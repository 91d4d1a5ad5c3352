"""What a key may do, how often, for how much; and that a repeated request is answered once."""

import concurrent.futures
import socket
from decimal import Decimal
from urllib.parse import urlsplit

import anthropic
import httpx2 as httpx
import openai
import pytest
import redis as redis_client
from django.utils import timezone

from routing import access, policy
from routing.live import live
from routing.models import Completion
from routing.shared import PREFIX, shared
from routing.types import Price, Scope, TierSpec
from tests.routing.conformance.provider import TEXT

HI = [{"role": "user", "content": "Why is the sky blue?"}]
ASKED = {"model": "auto", "max_tokens": 20, "messages": HI}


@pytest.fixture
def key_for(project, point, service):
    """Return a function that makes a key and has it known."""
    point()

    def make(**limits):
        key, row = access.create_key(project, "limited", **limits)
        live.refresh()
        return key, row

    return make


def post(service, key, body=None, path="/v1/messages", **headers):
    sent = {"x-api-key": key} | {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(service + path, json=body or ASKED, headers=sent, timeout=20)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions", "/api/v1/route"])
def test_a_key_without_the_scope_is_refused_in_each_shape(path, key_for, service):
    key, _ = key_for(scopes=[Scope.READ])
    got = post(service, key, path=path)
    assert got.status_code == 403
    said = got.json()
    assert "route" in (said["error"]["message"] if "error" in said else said["detail"])


def test_each_client_raises_its_rate_limit_error(key_for, service):
    key, _ = key_for(requests_per_minute=1)
    claude = anthropic.Anthropic(base_url=service, api_key=key, max_retries=0)
    gpt = openai.OpenAI(base_url=f"{service}/v1", api_key=key, max_retries=0)
    with claude, gpt:
        claude.messages.create(**ASKED)
        with pytest.raises(anthropic.RateLimitError) as first:
            claude.messages.create(**ASKED)
        with pytest.raises(openai.RateLimitError) as second:
            gpt.chat.completions.create(model="auto", messages=HI)
    for refused in (first, second):
        assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60
    cold = httpx.get(service + "/api/v1/requests", headers={"x-api-key": key})
    assert (cold.status_code, cold.headers["content-type"]) == (429, "application/problem+json")
    assert int(cold.headers["retry-after"]) >= 1


def test_a_day_of_money_is_spent_once(key_for, service, provider, settings):
    key, row = key_for(daily_usd=Decimal("0.5"))
    redis = redis_client.Redis.from_url(settings.REDIS_URL)
    name = f"{PREFIX}:spend:{row.pk}:{timezone.now():%Y%m%d}"
    redis.set(name, 499_999_999)
    assert post(service, key).status_code == 200
    redis.set(name, 500_000_000)
    got = post(service, key)
    redis.close()
    assert (got.status_code, len(provider.seen)) == (429, 1)
    assert "0.5 USD" in got.json()["error"]["message"]
    assert 0 < int(got.headers["retry-after"]) <= 86_400


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_call_cost_is_counted(stream, project, service, provider, eventually, settings):
    one = Decimal(1)
    price = Price(one, Decimal(1_000_000), one, one, one)
    priced = TierSpec("anthropic", "m", provider.url, price=price)
    router = policy.live(project).router
    mine = policy.create(
        project=project, router=router, threshold=0.0, cheap=priced, expensive=priced
    )
    policy.deploy(mine, by=None, reason="test")
    key, row = access.create_key(project, "capped", daily_usd=Decimal(1000))
    live.refresh()
    assert post(service, key, {**ASKED, "stream": stream}).status_code == 200
    redis = redis_client.Redis.from_url(settings.REDIS_URL)
    spent = int(eventually(lambda: redis.get(f"{PREFIX}:spend:{row.pk}:{timezone.now():%Y%m%d}")))
    redis.close()
    cost = eventually(lambda: Completion.objects.first()).cost_usd
    assert spent == int(cost * 10**9) > 10**9


def test_with_redis_away_limits_are_open_and_it_is_logged(
    key_for, service, settings, caplog, monkeypatch
):
    key, _ = key_for(requests_per_minute=1, daily_usd=Decimal("0.01"))
    sock = socket.create_server(("127.0.0.1", 0))  # takes connections, never answers
    broken = type(shared)()
    settings.REDIS_URL = f"redis://127.0.0.1:{sock.getsockname()[1]}/0"
    broken.open()
    monkeypatch.setattr(shared, "_redis", broken._redis)
    monkeypatch.setattr(shared, "_limiter", broken._limiter)
    with sock:
        codes = [post(service, key, idempotency_key="k").status_code for _ in range(3)]
    assert codes == [200, 200, 200]
    assert "limits are open" in caplog.text


def test_a_repeated_key_gets_the_first_reply(key_for, service, provider, eventually):
    key, _ = key_for()
    first = post(service, key, idempotency_key="a")
    eventually(lambda: post(service, key, idempotency_key="a").headers.get("x-shadoweval-replayed"))
    again = post(service, key, idempotency_key="a")
    assert (again.content, len(provider.seen)) == (first.content, 1)
    assert again.headers["x-shadoweval-request-id"] == first.headers["x-shadoweval-request-id"]
    assert post(service, key, idempotency_key="b").status_code == 200
    assert len(provider.seen) == 2


@pytest.mark.parametrize(
    "change",
    [{"x_shadoweval_tier": "cheap"}, {"anthropic_beta": "x"}, {"path": "/v1/messages?beta=true"}],
)
def test_a_repeated_key_with_another_header_or_query_is_refused(key_for, service, change):
    key, _ = key_for()
    post(service, key, idempotency_key="a")
    assert post(service, key, idempotency_key="a", **change).status_code == 400


def test_a_repeated_key_with_another_body_is_refused(key_for, service):
    key, _ = key_for()
    post(service, key, idempotency_key="a")
    got = post(service, key, {**ASKED, "max_tokens": 21}, idempotency_key="a")
    assert (got.status_code, "another request" in got.text) == (400, True)


def test_two_at_once_are_one_call(key_for, service, provider):
    key, _ = key_for()
    provider.gap_s = 0.3
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        replies = list(pool.map(lambda _: post(service, key, idempotency_key="a"), range(4)))
    assert len({reply.content for reply in replies}) == 1
    assert len(provider.seen) == 1


def test_a_stream_is_replayed_whole(key_for, service, provider, eventually):
    key, _ = key_for()
    asked = {**ASKED, "stream": True}
    first = post(service, key, asked, idempotency_key="a")
    assert TEXT[:3] in first.text
    again = eventually(
        lambda: (
            (r := post(service, key, asked, idempotency_key="a")).headers.get(
                "x-shadoweval-replayed"
            )
            and r
        )
    )
    assert (again.content, again.headers["content-type"]) == (
        first.content,
        first.headers["content-type"],
    )
    assert len(provider.seen) == 1


def test_a_failure_frees_the_key(key_for, service, provider, eventually):
    key, _ = key_for()
    provider.play(b'{"type":"error","error":{"type":"api_error","message":"x"}}', status=500)
    assert post(service, key, idempotency_key="a").status_code == 500
    eventually(lambda: post(service, key, idempotency_key="a").status_code == 200)


def test_keys_of_two_clients_do_not_meet(key_for, service, provider):
    for key, _ in (key_for(), key_for()):
        assert "x-shadoweval-replayed" not in post(service, key, idempotency_key="a").headers
    assert len(provider.seen) == 2


def test_a_body_that_never_comes_is_refused_in_time(service, api_key, settings):
    settings.SHADOWEVAL_BODY_TIMEOUT_S = 0.3
    live.refresh()
    where = urlsplit(service)
    with socket.create_connection((where.hostname, where.port), timeout=10) as sock:
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {api_key}\r\n"
        sock.sendall(f"{head}content-length: 50\r\n\r\n{{".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 408")


def test_a_stream_left_early_counts_at_least_what_was_sent(
    project, service, provider, eventually, settings
):
    one = Decimal(1_000)
    priced = TierSpec("anthropic", "m", provider.url, price=Price(one, one, one, one, one))
    router = policy.live(project).router
    mine = policy.create(
        project=project, router=router, threshold=0.0, cheap=priced, expensive=priced
    )
    policy.deploy(mine, by=None, reason="test")
    key, row = access.create_key(project, "capped", daily_usd=Decimal(1000))
    live.refresh()
    provider.gap_s = 0.2
    sent = {"x-api-key": key}
    asked = {**ASKED, "stream": True}
    with httpx.stream("POST", service + "/v1/messages", json=asked, headers=sent) as response:
        next(line for line in response.iter_lines() if "text_delta" in line)
    redis = redis_client.Redis.from_url(settings.REDIS_URL)
    spent = eventually(lambda: redis.get(f"{PREFIX}:spend:{row.pk}:{timezone.now():%Y%m%d}"))
    redis.close()
    assert int(spent) > 0
    assert eventually(lambda: Completion.objects.first()).cost_usd is None
