"""A ramp as clients see it: who decided is in the header, the reply, the record and the ledger."""

import httpx2 as httpx
import pytest

from routing import access, policy
from routing.live import live
from routing.models import Decision
from routing.types import Scope, Tier

QUERY = "Compare two ways to store a basket"


@pytest.fixture
def ramp(project, server):
    """Policy 1 is always expensive and decides the rest, policy 2 all but always cheap."""
    rest = policy.live(project)
    target = policy.with_threshold(rest, 1.01, "test", {"coding": 0.25, "math": 0.5})
    policy.deploy(target, by=None, reason="test", share=0.5, rest=rest)
    live.refresh()
    return target, rest


@pytest.fixture
def ask(service, api_key):
    """Return a function that asks the native API and returns the reply."""

    def post(path="/api/v1/route", headers=(), **body):
        said = {"x-api-key": api_key, **dict(headers)}
        return httpx.post(f"{service}{path}", json={"query": QUERY, **body}, headers=said)

    return post


def ours(reply, *names):
    return tuple(reply.headers[f"x-shadoweval-{name}"] for name in names)


def test_headers_reply_and_record_name_the_policy_and_the_threshold(ask, ramp, eventually):
    for model, tier, threshold in (("policy-2", "cheap", 1.01), ("policy-1", "expensive", 0.0)):
        reply = ask(model=model, task="factual")
        assert ours(reply, "policy", "tier", "threshold") == (model, tier, f"{threshold:g}")
        decision = reply.json()["decision"]
        assert (decision["policy"], decision["threshold"]) == (model, threshold)
        made = eventually(
            Decision.objects.filter(request=reply.json()["request_id"])
            .select_related("policy")
            .first
        )
        assert (made.policy.name, made.threshold, made.tier) == (model, threshold, tier)


@pytest.mark.parametrize(
    ("task", "tier", "threshold"),
    [("coding", "expensive", "0.25"), ("math", "expensive", "0.5"), ("chat", "cheap", "1.01")],
)
def test_a_task_types_threshold_is_in_the_header(ask, ramp, task, tier, threshold):
    reply = ask(model="policy-2", task=task)
    assert ours(reply, "score", "tier", "threshold") == ("0.500000", tier, threshold)


def test_auto_draws_and_a_session_keeps_its_policy(ask, ramp):
    drawn = {}
    for session in map(str, range(16)):
        replies = [ask(headers={"x-shadoweval-session": session}) for _ in range(2)]
        (drawn[session],) = {ours(reply, "policy") for reply in replies}
    assert set(drawn.values()) == {("policy-1",), ("policy-2",)}


def test_a_larger_share_keeps_who_was_in_and_a_session_keeps_its_model(ask, ramp):
    target, rest = ramp
    sessions = [{"x-shadoweval-session": str(i)} for i in range(16)]
    before = [ours(ask(headers=said), "policy", "tier") for said in sessions]
    policy.deploy(target, by=None, reason="test", share=0.99, rest=rest)
    live.refresh()
    after = [ours(ask(headers=said), "policy", "tier", "reason") for said in sessions]
    for (policy_then, tier), (policy_now, tier_now, reason) in zip(before, after, strict=True):
        assert (tier_now, reason) == (tier, "sticky")
        assert policy_then == "policy-1" or policy_now == "policy-2"
    assert any(then[0] != now[0] for then, now in zip(before, after, strict=True))


def test_deciding_alone_draws_alike(ask, ramp):
    for session in map(str, range(8)):
        said = {"x-shadoweval-session": session}
        decided = ask("/api/v1/decide", said).json()["decision"]["policy"]
        assert ours(ask(headers=said), "policy") == (decided,)


def test_both_names_are_listed_and_no_other(service, api_key, ramp):
    listed = httpx.get(f"{service}/v1/models", headers={"x-api-key": api_key}).json()["data"]
    names = [model["id"] for model in listed]
    assert names[:3] == ["auto", "policy-2", "policy-1"]
    assert len(names) == 3 + len(Tier)


@pytest.mark.parametrize(
    ("path", "said", "kind"),
    [
        ("/v1/messages", {"max_tokens": 5}, lambda body: body["error"]["type"]),
        ("/v1/chat/completions", {}, lambda body: body["error"]["code"]),
        ("/api/v1/route", {"query": QUERY}, lambda body: body["status"]),
    ],
)
def test_a_name_that_does_not_decide_is_not_found_in_each_apis_shape(
    service, api_key, ramp, path, said, kind
):
    messages = {} if "query" in said else {"messages": [{"role": "user", "content": QUERY}]}
    body = {"model": "policy-3", **said, **messages}
    reply = httpx.post(f"{service}{path}", json=body, headers={"x-api-key": api_key})
    assert reply.status_code == 404
    assert kind(reply.json()) in ("not_found_error", "model_not_found", 404)


def test_an_ended_ramps_rest_is_not_found_any_more(ask, ramp):
    policy.deploy(ramp[0], by=None, reason="last step")
    live.refresh()
    assert ask(model="policy-1").status_code == 404
    assert {ours(ask(), "policy") for _ in range(8)} == {("policy-2",)}


def test_the_ledger_names_who_decided(ask, ramp, project, service, eventually):
    reader = access.create_key(project, "reader", scopes=[Scope.READ])[0]
    address = f"{service}/api/v1/requests/{ask(model='policy-1').json()['request_id']}"
    entry = eventually(
        lambda: (got := httpx.get(address, headers={"x-api-key": reader})).is_success and got.json()
    )
    assert (entry["policy"], entry["threshold"]) == ("policy-1", 0.0)
