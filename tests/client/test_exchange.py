"""What the client does when a call fails, without a service: its transport is a function."""

import asyncio

import httpx2
import pytest

import shadoweval_client
from shadoweval_client import (
    AsyncClient,
    BadRequest,
    Client,
    Conflict,
    Limited,
    Unavailable,
    Unreachable,
    exchange,
)

DECIDED = {
    "request_id": "r",
    "decision": {
        "tier": "cheap", "reason": "rule", "threshold": 0.5, "task": "math", "policy": "p",
        "from_a_newer_service": 1,
    },
    "model": "small",
}  # fmt: skip


class Answers:
    """Gives one prepared answer after the other, and keeps what was asked."""

    def __init__(self, *answers):
        self.left = list(answers)
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(exchange, "_FIRST_PAUSE_S", 0.0)


def ask(answers, **options):
    transport = httpx2.MockTransport(answers)
    with Client("http://service", "key", transport=transport, **options) as client:
        return client.decide("How are you?")


def answer(status, **headers):
    problem = {"detail": "no", "errors": [{"location": "body.k", "message": "too much"}]}
    return httpx2.Response(status, json=problem, headers=headers)


def decided():
    return httpx2.Response(200, json=DECIDED)


def test_what_may_pass_is_tried_again():
    answers = Answers(answer(503), httpx2.ReadTimeout("late"), answer(429), decided())
    assert ask(answers).decision.tier == "cheap"
    assert len(answers.asked) == 4


def test_what_will_not_pass_is_told_at_once():
    answers = Answers(answer(400))
    with pytest.raises(BadRequest, match="400: no") as refused:
        ask(answers)
    assert refused.value.errors == [{"location": "body.k", "message": "too much"}]


def test_the_last_try_says_why():
    with pytest.raises(Unavailable):
        ask(Answers(answer(503), answer(502)), retries=1)
    with pytest.raises(Unreachable, match="gone"):
        ask(Answers(httpx2.ConnectError("gone")), retries=0)


def test_nobody_sleeps_until_the_daily_cap_is_over():
    answers = Answers(answer(429, **{"retry-after": "7200"}))
    with pytest.raises(Limited) as refused:
        ask(answers)
    assert refused.value.retry_after_s == 7200


def test_a_conflict_is_tried_again_only_after_a_lost_reply():
    with pytest.raises(Conflict):
        ask(Answers(answer(409)))
    assert ask(Answers(httpx2.ReadTimeout("late"), answer(409), decided())).model == "small"


def test_a_page_from_in_between_is_an_error_too():
    with pytest.raises(Unavailable, match="502: Bad Gateway"):
        ask(Answers(httpx2.Response(502, text="<html>")), retries=0)


def test_every_try_of_a_route_is_the_same_request():
    reply = {**DECIDED, "answer": "Well.", "stop_reason": "end_turn", "usage": {}}
    answers = Answers(answer(503), httpx2.Response(200, json={**reply, "cost_usd": "0.10"}))
    with Client("http://service", "key", transport=httpx2.MockTransport(answers)) as client:
        said = client.route("Hi", tier="cheap", shadow=False, max_tokens=5)
    first, second = answers.asked
    assert str(said.cost_usd) == "0.10"
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["x-shadoweval-tier"] == "cheap"
    assert first.headers["x-shadoweval-shadow"] == "off"
    assert first.content == b'{"query":"Hi","max_tokens":5}'


def test_the_ledger_is_read_to_its_end():
    pages = Answers(*(httpx2.Response(200, json=page) for page in PAGES))

    async def read():
        transport = httpx2.MockTransport(pages)
        async with AsyncClient("http://service", "key", transport=transport) as client:
            return [item.id async for item in client.requests(task="math", until=None)]

    assert asyncio.run(read()) == ["a", "b"]
    assert [dict(request.url.params) for request in pages.asked] == [
        {"task": "math", "limit": "200"},
        {"task": "math", "limit": "200", "cursor": "c"},
    ]


@pytest.mark.parametrize(
    ("limit", "found", "sizes"), [(2, "aa", ["2", "1"]), (1, "a", ["1"]), (0, "", [])]
)
def test_a_limit_is_how_many_are_read(limit, found, sizes):
    pages = Answers(*(httpx2.Response(200, json=PAGES[0]) for _ in sizes))
    transport = httpx2.MockTransport(pages)
    with Client("http://service", "key", transport=transport) as client:
        assert "".join(item.id for item in client.requests(limit=limit)) == found
    assert [request.url.params["limit"] for request in pages.asked] == sizes


def test_a_negative_limit_is_none():
    with Client("http://service", "key") as client, pytest.raises(ValueError, match="negative"):
        next(client.requests(limit=-1))


def test_reports_pass_as_the_service_says_them():
    answers = Answers(*(httpx2.Response(200, json={"groups": []}) for _ in range(2)))
    with Client("http://service", "key", transport=httpx2.MockTransport(answers)) as client:
        assert client.usage(by="tier") == client.monitoring() == {"groups": []}
    assert [request.url.path for request in answers.asked] == [
        "/api/v1/usage",
        "/api/v1/monitoring",
    ]


def test_address_and_key_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("SHADOWEVAL_URL", "http://elsewhere/")
    monkeypatch.delenv("SHADOWEVAL_API_KEY", raising=False)
    with pytest.raises(ValueError, match="SHADOWEVAL_API_KEY"):
        Client()
    monkeypatch.setenv("SHADOWEVAL_API_KEY", "key")
    with Client() as client:
        assert client.requests


def test_a_batch_of_nothing_is_refused_before_anything_is_sent():
    answers = Answers()
    transport = httpx2.MockTransport(answers)
    client = Client("http://service", "key", transport=transport)
    with client, pytest.raises(ValueError, match="at least one"):
        client.import_pairs([{"id": "one"}], batch=0)
    assert not answers.asked


def test_both_clients_offer_the_same():
    def methods(kind):
        return {name for name in vars(kind) if not name.startswith("_")}

    assert methods(AsyncClient) - {"aclose"} == methods(Client) - {"close"}
    assert all(hasattr(shadoweval_client, name) for name in shadoweval_client.__all__)


def _item(name):
    return {
        "id": name, "received_at": "2026-01-31T12:00:00Z", "task": "math", "status": 200,
        "tier": "cheap", "reason": "rule", "threshold": 0.5, "policy": "p",
    }  # fmt: skip


PAGES = (
    {"items": [_item("a")], "next_cursor": "c"},
    {"items": [_item("b")], "next_cursor": None},
)
