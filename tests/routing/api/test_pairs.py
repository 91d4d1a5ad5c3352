"""Imported pairs: whole rows, once each, only of the models that the project compares."""

import threading
from datetime import timedelta
from decimal import Decimal

import httpx2 as httpx
import pytest
from django.db import connection
from django.utils import timezone

from routing import access, policy
from routing.models import Completion, Request, ShadowJob, ShadowPair

CHEAP, EXPENSIVE = "claude-haiku-5-5", "claude-sonnet-5-5"


def pair(number=1, **more):
    return {
        "id": f"log-{number}",
        "query": "What is 2 + 2?",
        "score": 0.25,
        "cheap": {"model": CHEAP, "text": "4", "input_tokens": 8, "output_tokens": 1},
        "expensive": {"model": EXPENSIVE, "text": "Four.", "cost_usd": "0.0123", "latency_ms": 80},
    } | more


@pytest.mark.django_db
def test_a_pair_becomes_every_row_of_a_served_request(call, project):
    reply = call.post("/pairs", {"pairs": [pair(task="math", rate=0.5)]})
    assert (reply.status_code, reply.json()) == (200, {"imported": 1, "already_there": 0})
    row = Request.objects.get()
    assert (row.wire, row.task, row.status, row.query) == ("import", "math", 200, "What is 2 + 2?")
    assert row.payload == {"messages": [{"role": "user", "content": "What is 2 + 2?"}]}
    assert row.metadata == {"import_id": "log-1"}
    assert (row.decision.reason, row.decision.tier) == ("imported", "expensive")
    assert (row.decision.score, row.decision.policy) == (0.25, policy.live(project))
    assert (row.shadow_job.state, row.shadow_job.tier, row.shadow_job.rate) == (
        "done",
        "cheap",
        0.5,
    )
    made = ShadowPair.objects.get()
    assert (made.cheap.text, made.expensive.text, made.score, made.rate) == (
        "4",
        "Four.",
        0.25,
        0.5,
    )
    assert (made.cheap.is_shadow, made.expensive.is_shadow) == (True, False)
    assert made.router == policy.live(project).router


@pytest.mark.django_db
def test_costs_are_given_or_by_price_and_tokens_or_unknown(call):
    unknown = {"model": CHEAP, "text": "4", "output_tokens": 1}
    free = {"model": EXPENSIVE, "text": "x", "cost_usd": 0, "input_tokens": 5, "output_tokens": 5}
    call.post("/pairs", {"pairs": [pair(1), pair(2, cheap=unknown, expensive=free)]})
    first, second = ShadowPair.objects.order_by("id")
    # 8 and 1 tokens at 0.10 and 0.50 USD a million
    assert first.cheap.cost_usd == Decimal("0.0000013")
    assert first.expensive.cost_usd == Decimal("0.0123")
    assert (second.cheap.cost_usd, second.expensive.cost_usd) == (None, Decimal(0))


@pytest.mark.django_db
def test_served_by_the_cheap_tier_turns_the_shadow_round(call):
    call.post("/pairs", {"pairs": [pair(served="cheap")]})
    row = Request.objects.get()
    assert (row.decision.tier, row.shadow_job.tier) == ("cheap", "expensive")
    assert row.completions.get(is_shadow=False).tier == "cheap"
    entry = call.get(f"/requests/{row.pk}").json()
    assert (entry["latency_ms"], entry["served"]["latency_ms"]) == (None, None)
    assert (entry["has_pair"], entry["asked_model"]) == (True, CHEAP)


@pytest.mark.django_db
def test_messages_and_system_are_kept(call):
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
        {"role": "user", "content": [{"type": "text", "text": "Write a regex"}]},
    ]
    one = pair(messages=turns, system="Be brief.")
    del one["query"]
    assert call.post("/pairs", {"pairs": [one]}).status_code == 200
    row = Request.objects.get()
    assert row.payload == {"messages": turns, "system": "Be brief."}
    assert (row.query, row.task) == ("Write a regex", "coding")


@pytest.mark.django_db
def test_a_second_import_changes_nothing(call):
    batch = {"pairs": [pair(1), pair(2), pair(1)]}
    assert call.post("/pairs", batch).json() == {"imported": 2, "already_there": 1}
    batch = {"pairs": [pair(1, query="Another text"), pair(3)]}
    assert call.post("/pairs", batch).json() == {"imported": 1, "already_there": 1}
    assert Request.objects.filter(query="Another text").count() == 0
    assert (Completion.objects.count(), ShadowJob.objects.count()) == (6, 3)


@pytest.mark.django_db
def test_the_same_id_in_two_projects_is_two_requests(call, other_project):
    theirs = access.create_key(other_project, "theirs")[0]
    for more in ({}, {"key": theirs}):
        assert call.post("/pairs", {"pairs": [pair()]}, **more).json()["imported"] == 1
    assert Request.objects.count() == 2


@pytest.mark.django_db
def test_other_models_are_a_conflict_that_says_which_and_nothing_is_written(call):
    wrong = pair(2, cheap={"model": "gpt-0", "text": "4"})
    reply = call.post("/pairs", {"pairs": [pair(1), wrong]})
    assert reply.status_code == 409
    for name in ("gpt-0", CHEAP, EXPENSIVE, "log-2"):
        assert name in reply.json()["detail"]
    assert not Request.objects.exists()


@pytest.mark.django_db
def test_without_a_loaded_router_a_pair_needs_its_score(call):
    one = pair()
    del one["score"]
    reply = call.post("/pairs", {"pairs": [one]})
    assert (reply.status_code, "score" in reply.json()["detail"]) == (503, True)


def test_the_live_policys_router_scores_what_has_no_score(service, api_key):
    plain, greeting = pair(1), pair(2, query="hello")
    del plain["score"], greeting["score"]
    reply = httpx.post(
        f"{service}/api/v1/pairs",
        json={"pairs": [plain, greeting]},
        headers={"x-api-key": api_key},
        timeout=60,
    )
    assert (reply.status_code, reply.json()["imported"]) == (200, 2)
    made = ShadowPair.objects.order_by("id").values_list("score", "request__decision__rule")
    assert list(made) == [(0.5, ""), (0.0, "greeting")]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("more", "location"),
    [
        ({"query": " "}, "body.pairs.0"),
        ({"messages": [{"role": "user", "content": "x"}]}, "body.pairs.0"),
        ({"score": 1.1}, "body.pairs.0.score"),
        ({"rate": 0}, "body.pairs.0.rate"),
        ({"served": "both"}, "body.pairs.0.served"),
        ({"occurred_at": "2026-01-01T00:00:00"}, "body.pairs.0.occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "body.pairs.0.occurred_at"),
        ({"occurred_at": "soon"}, "body.pairs.0.occurred_at"),
        ({"id": ""}, "body.pairs.0.id"),
        ({"cheap": {"model": CHEAP}}, "body.pairs.0.cheap.text"),
        (
            {"cheap": {"model": CHEAP, "text": "", "input_tokens": 2**40}},
            "body.pairs.0.cheap.input_tokens",
        ),
        (
            {"cheap": {"model": CHEAP, "text": "", "cost_usd": "NaN"}},
            "body.pairs.0.cheap.cost_usd",
        ),
        ({"answers": []}, "body.pairs.0.answers"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(call, more, location):
    reply = call.post("/pairs", {"pairs": [pair(**more)]})
    assert reply.status_code == 400, reply.content
    assert location in [error["location"] for error in reply.json()["errors"]]


@pytest.mark.django_db
def test_the_future_is_refused_and_clocks_may_differ_a_little(call):
    now = timezone.now()
    late = call.post(
        "/pairs", {"pairs": [pair(occurred_at=(now + timedelta(hours=1)).isoformat())]}
    )
    assert (late.status_code, "future" in late.json()["detail"]) == (400, True)
    soon = (now + timedelta(seconds=20)).isoformat()
    assert call.post("/pairs", {"pairs": [pair(occurred_at=soon)]}).status_code == 200
    assert Request.objects.get().received_at <= timezone.now()


@pytest.mark.django_db
@pytest.mark.parametrize("count", [0, 501])
def test_a_batch_has_1_to_500_pairs(call, count):
    assert call.post("/pairs", {"pairs": [pair(n) for n in range(count)]}).status_code == 400


@pytest.mark.django_db
def test_500_pairs_take_the_queries_of_one(call, django_assert_max_num_queries):
    with django_assert_max_num_queries(25):
        reply = call.post("/pairs", {"pairs": [pair(n) for n in range(500)]})
    assert reply.json() == {"imported": 500, "already_there": 0}


@pytest.mark.django_db
def test_nul_characters_are_stored_as_what_postgres_can_hold(call):
    side = {"model": CHEAP, "text": "a\0b"}
    reply = call.post("/pairs", {"pairs": [pair("\0", query="nul \0", task="\0", cheap=side)]})
    assert reply.status_code == 200
    assert ShadowPair.objects.get().cheap.text == "a\ufffdb"


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_write_each_pair_once(call):
    batch, outcomes = {"pairs": [pair(n) for n in range(50)]}, []
    gate = threading.Barrier(4)

    def send():
        gate.wait()
        try:
            outcomes.append(call.post("/pairs", batch).json())
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome["imported"] for outcome in outcomes) == [0, 0, 0, 50]
    assert ShadowPair.objects.count() == 50
