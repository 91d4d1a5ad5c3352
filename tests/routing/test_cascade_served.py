"""Cheap first: kept or escalated, the client gets one answer, and both calls are paid for."""

import json
from decimal import Decimal

import httpx2 as httpx
import pytest

from routing import shifts
from routing.live import live
from routing.models import ApiKey, Completion, Decision, Request, ShadowJob, ShadowPair
from tests.routing import cascades
from tests.routing.cascades import ANSWER, CHEAP_USD, EXPENSIVE_USD, answer, sure
from tests.routing.conformance.provider import TEXT

pytestmark = pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")

KINDS = ["anthropic", "openai"]
ASKED = {"messages": [{"role": "user", "content": "Why is the sky blue?"}], "max_tokens": 200}


@pytest.fixture
def cheap_first(point, provider):
    """Return a function that makes a cascade live and has CHEAP answer with these texts."""

    def deploy(*texts, kind="anthropic", options=None, **more):
        said = {"threshold": 0.5, "rate": 1.0, "price": cascades.PRICE, **more}
        router = cascades.version(**(options or {}))
        point(f"{kind}:small", f"{kind}:large", router=router, **said)
        for text in texts:
            provider.play(answer(kind, text))

    return deploy


@pytest.fixture
def ask(service, api_key):
    """Return a function that posts to a wire and returns the reply."""

    def post(wire="/v1/messages", **more):
        body = {**ASKED, "model": "auto", **more}
        if wire == "/api/v1/route":
            body.pop("stream", None)
        return httpx.post(service + wire, json=body, headers={"x-api-key": api_key}, timeout=20)

    return post


def text_of(got):
    said = got.json()
    if "answer" in said:
        return said["answer"]
    return said["content"][0]["text"] if "content" in said else said["choices"][0]["message"][
        "content"
    ]  # fmt: skip


def recorded(eventually):
    row = eventually(lambda: Request.objects.first())
    return Decision.objects.get(request=row)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wire", ["/v1/messages", "/v1/chat/completions", "/api/v1/route"])
def test_a_sure_answer_is_served_without_its_line(
    kind, wire, cheap_first, ask, provider, eventually
):
    cheap_first(sure(90), kind=kind)
    got = ask(wire)
    headers = got.headers
    assert text_of(got) == ANSWER
    assert (headers["x-shadoweval-tier"], headers["x-shadoweval-model"]) == ("cheap", "small")
    assert headers["x-shadoweval-reason"] == "below_threshold"
    assert float(headers["x-shadoweval-score"]) == pytest.approx(0.1)
    assert headers["x-shadoweval-confidence"] == "0.9"
    assert Decimal(headers["x-shadoweval-cost-usd"]) == CHEAP_USD
    assert "x-shadoweval-escalated" not in headers
    (call,) = provider.seen
    assert "CONFIDENCE" in call.body.decode()
    decision = recorded(eventually)
    assert (decision.confidence, decision.probe_usd) == (0.9, CHEAP_USD)
    assert decision.probe_ms > 0
    completion = Completion.objects.get()
    assert (completion.text, completion.is_shadow, completion.is_probe) == (ANSWER, False, False)
    assert "CONFIDENCE" not in json.dumps(completion.body)
    assert (ShadowJob.objects.get().state, ShadowJob.objects.get().tier) == ("pending", "expensive")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wire", ["/v1/messages", "/v1/chat/completions", "/api/v1/route"])
def test_an_unsure_answer_is_escalated_and_its_pair_is_there_at_once(
    kind, wire, cheap_first, ask, provider, eventually
):
    cheap_first(sure(20), kind=kind, rate=0.0)
    got = ask(wire)
    headers = got.headers
    assert text_of(got) == TEXT
    assert (headers["x-shadoweval-tier"], headers["x-shadoweval-model"]) == ("expensive", "large")
    assert (headers["x-shadoweval-reason"], headers["x-shadoweval-escalated"]) == (
        "escalated",
        "true",
    )
    assert float(headers["x-shadoweval-score"]) == pytest.approx(0.8)
    assert Decimal(headers["x-shadoweval-cost-usd"]) == CHEAP_USD + EXPENSIVE_USD
    assert headers["x-shadoweval-shadow"] == "none"
    assert [call.json["model"] for call in provider.seen] == ["small", "large"]
    assert "CONFIDENCE" not in provider.last.body.decode()
    pair = eventually(lambda: ShadowPair.objects.first())
    assert (pair.cheap.text, pair.expensive.text) == (ANSWER, TEXT)
    assert (pair.cheap.is_shadow, pair.cheap.is_probe) == (True, True)
    assert (pair.expensive.is_shadow, pair.expensive.is_probe) == (False, False)
    assert (pair.score, pair.rate, pair.probe_usd) == (pytest.approx(0.8), 1.0, CHEAP_USD)
    decision = pair.request.decision
    assert (decision.confidence, decision.probe_usd) == (0.2, CHEAP_USD)
    assert decision.probe_ms == pair.probe_ms > 0
    job = ShadowJob.objects.get()
    assert (job.state, job.reason, job.rate, job.attempts) == ("done", "", 1.0, 0)
    assert shifts.run() == 0


@pytest.mark.parametrize(
    ("text", "rule"), [("I'm sorry, but I can't help with that.", "refusal"), (ANSWER, "")]
)
def test_a_gate_or_a_missing_line_escalates_whatever_was_said(text, rule, cheap_first, ask):
    cheap_first(sure(99, text) if rule else text)
    got = ask("/api/v1/route").json()
    said = got["decision"]
    assert (said["reason"], said["rule"]) == ("escalated", rule or "no_confidence")
    assert (said["score"], said["confidence"]) == (1.0, 0.99 if rule else None)
    assert Decimal(said["probe_usd"]) == CHEAP_USD
    assert Decimal(got["cost_usd"]) == CHEAP_USD + EXPENSIVE_USD


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_answer_is_told_as_anthropics_stream(
    kind, cheap_first, claude, provider, eventually
):
    cheap_first(sure(90), kind=kind)
    with claude.messages.stream(model="auto", **ASKED) as stream:
        message, headers = stream.get_final_message(), stream.response.headers
    assert (message.content[0].text, message.stop_reason) == (ANSWER, "end_turn")
    assert message.usage.output_tokens == 10
    assert Decimal(headers["x-shadoweval-cost-usd"]) == CHEAP_USD
    assert "stream" not in provider.last.json
    completion = eventually(lambda: Completion.objects.first())
    assert (completion.text, completion.is_partial, completion.cost_usd) == (
        ANSWER,
        False,
        CHEAP_USD,
    )
    assert (Request.objects.get().is_stream, Request.objects.get().error) == (True, "")


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_answer_is_told_as_openais_stream(kind, asks, cheap_first, gpt, eventually):
    cheap_first(sure(90), kind=kind)
    options = {"stream_options": {"include_usage": True}} if asks else {}
    chunks = list(gpt.chat.completions.create(model="auto", stream=True, **ASKED, **options))
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == ANSWER
    assert [c.usage.completion_tokens for c in chunks if c.usage] == [10] * asks
    assert eventually(lambda: Completion.objects.first()).output_tokens == 10


@pytest.mark.parametrize("kind", KINDS)
def test_an_escalated_stream_is_the_expensive_one(kind, cheap_first, claude, provider, eventually):
    cheap_first(sure(10), kind=kind)
    with claude.messages.stream(model="auto", **ASKED) as stream:
        assert stream.get_final_text() == TEXT
        assert stream.response.headers["x-shadoweval-escalated"] == "true"
        assert stream.response.headers["x-shadoweval-cost-usd"] == "pending"
    assert [call.json.get("stream") for call in provider.seen] == [None, True]
    pair = eventually(lambda: ShadowPair.objects.first())
    assert (pair.cheap.text, pair.expensive.text) == (ANSWER, TEXT)


@pytest.mark.parametrize(("second", "tier"), [("42", "cheap"), ("17", "expensive")])
def test_two_samples_are_both_paid_for_and_compared(second, tier, cheap_first, ask, eventually):
    texts = (sure(90, "42"), sure(90, second))
    cheap_first(*texts, options={"samples": 2})
    got = ask()
    assert got.headers["x-shadoweval-tier"] == tier
    both = 2 * CHEAP_USD
    total = both if tier == "cheap" else both + EXPENSIVE_USD
    assert Decimal(got.headers["x-shadoweval-cost-usd"]) == total
    assert recorded(eventually).probe_usd == both
    rows = Completion.objects.order_by("tier", "ordinal")
    stored = list(rows.values_list("tier", "ordinal", "is_shadow", "is_probe"))
    first = ("cheap", 1, tier != "cheap", tier != "cheap")
    rest = [("expensive", 1, False, False)] if tier == "expensive" else []
    assert stored == [first, ("cheap", 2, True, True), *rest]


@pytest.mark.parametrize("fault", ["fault-500", "fault-429", "malformed"])
def test_a_failing_cheap_tier_falls_back_as_ever(fault, point, ask, provider, eventually):
    mine = cascades.version()
    point(f"anthropic:{fault}", router=mine, threshold=0.5, rate=1.0, price=cascades.PRICE)
    got = ask()
    assert (got.status_code, text_of(got)) == (200, TEXT)
    assert got.headers["x-shadoweval-reason"] == "fallback"
    assert got.headers["x-shadoweval-score"] == ""
    assert Decimal(got.headers["x-shadoweval-cost-usd"]) == EXPENSIVE_USD
    decision = recorded(eventually)
    assert (decision.probe_usd, decision.score) == (0, None)
    assert ShadowJob.objects.get().state == "pending"


def test_a_cheap_tier_that_hangs_leaves_time_for_the_other(point, ask, provider, settings):
    settings.SHADOWEVAL_CHEAP_TIMEOUT_S = 0.3
    provider.first_byte_s = 10
    point("anthropic:slow-first-byte", router=cascades.version(), threshold=0.5)
    assert ask().headers["x-shadoweval-reason"] == "fallback"


def test_of_two_samples_one_that_fails_sends_to_the_other_tier(
    cheap_first, ask, provider, eventually
):
    cheap_first(sure(90), options={"samples": 2})
    provider.play(b"{}", status=500)
    assert ask().headers["x-shadoweval-reason"] == "fallback"
    assert recorded(eventually).probe_usd in (0, CHEAP_USD)  # whichever came first
    assert not Completion.objects.filter(is_probe=True).exists()


def test_what_costs_both_calls_counts_for_the_keys_day(cheap_first, ask, eventually):
    cheap_first(sure(20))
    ApiKey.objects.update(daily_usd=CHEAP_USD + EXPENSIVE_USD)
    live.refresh()
    assert ask().status_code == 200
    eventually(lambda: ask().status_code == 429)


@pytest.mark.parametrize(
    "headers", [{"x-shadoweval-tier": "expensive"}, {"x-shadoweval-tier": "cheap"}]
)
def test_a_forced_request_is_not_asked_twice(
    headers, cheap_first, service, api_key, provider, eventually
):
    cheap_first()
    url, body = service + "/v1/messages", {**ASKED, "model": "auto"}
    got = httpx.post(url, json=body, headers={"x-api-key": api_key, **headers}, timeout=20)
    assert (got.headers["x-shadoweval-reason"], len(provider.seen)) == ("forced", 1)
    assert "CONFIDENCE" not in provider.last.body.decode()


def test_a_session_stays_with_the_tier_that_served_it(cheap_first, service, api_key, provider):
    cheap_first(sure(10))
    headers = {"x-api-key": api_key, "x-shadoweval-session": "s-1"}
    url, body = service + "/v1/messages", {**ASKED, "model": "auto"}
    first, second = (httpx.post(url, json=body, headers=headers, timeout=20) for _ in range(2))
    assert [one.headers["x-shadoweval-reason"] for one in (first, second)] == [
        "escalated",
        "sticky",
    ]
    assert second.headers["x-shadoweval-tier"] == "expensive"
    assert len(provider.seen) == 3


def test_decide_says_that_the_answer_will(cheap_first, service, api_key, provider):
    cheap_first()
    headers, body = {"x-api-key": api_key}, {"query": "Why is the sky blue?"}
    got = httpx.post(service + "/api/v1/decide", json=body, headers=headers, timeout=20).json()
    assert (got["decision"]["tier"], got["decision"]["reason"]) == ("cheap", "cheap_first")
    assert (got["decision"]["confidence"], got["decision"]["probe_ms"]) == (None, None)
    assert provider.seen == []


def test_what_may_have_no_shadow_call_makes_no_pair_either(
    cheap_first, service, api_key, eventually
):
    cheap_first(sure(10))
    headers = {"x-api-key": api_key, "x-shadoweval-shadow": "off"}
    url, body = service + "/v1/messages", {**ASKED, "model": "auto"}
    httpx.post(url, json=body, headers=headers, timeout=20)
    job = eventually(lambda: ShadowJob.objects.first())
    assert (job.state, job.reason.split(":")[0]) == ("skipped", "client_off")
    assert not ShadowPair.objects.exists()
    assert Completion.objects.filter(is_probe=True).count() == 1


def test_an_escalation_that_fails_is_an_error_whose_first_call_is_kept(
    cheap_first, ask, provider, eventually
):
    cheap_first(sure(10))
    provider.play(b'{"type": "error"}', status=529)
    got = ask()
    assert (got.status_code, got.headers["x-shadoweval-escalated"]) == (529, "true")
    decision = recorded(eventually)
    assert decision.probe_usd == CHEAP_USD
    assert (Completion.objects.get().is_probe, ShadowJob.objects.get().state) == (True, "skipped")


def test_a_client_that_leaves_while_cheap_is_asked_cancels_it(
    point, service, api_key, provider, eventually
):
    provider.first_byte_s = 10
    point("anthropic:slow-first-byte", router=cascades.version(), threshold=0.5, rate=1.0)
    headers, body = {"x-api-key": api_key}, {**ASKED, "model": "auto"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(service + "/v1/messages", json=body, headers=headers, timeout=0.5)
    eventually(lambda: provider.cancelled == 1)
    decision = recorded(eventually)
    assert (decision.reason, decision.probe_usd) == ("cheap_first", None)
    assert decision.probe_ms > 0  # asked, and nobody knows what it cost
    assert decision.request.error.startswith("client_left")


def test_a_client_that_leaves_during_the_second_call_leaves_the_first_paid_for(
    point, service, api_key, provider, eventually
):
    provider.first_byte_s = 10
    said = {"router": cascades.version(), "threshold": 0.5, "rate": 1.0, "price": cascades.PRICE}
    point("anthropic:small", "anthropic:slow-first-byte", **said)
    provider.play(answer("anthropic", sure(10)))
    headers, body = {"x-api-key": api_key}, {**ASKED, "model": "auto"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(service + "/v1/messages", json=body, headers=headers, timeout=1)
    eventually(lambda: provider.cancelled == 1)
    decision = recorded(eventually)
    assert (decision.reason, decision.probe_usd) == ("escalated", CHEAP_USD)
    assert Completion.objects.get().is_probe
    assert not ShadowPair.objects.exists()


def test_the_ledger_adds_both_calls_up(cheap_first, ask, service, api_key, provider, eventually):
    cheap_first(sure(20))
    ids = [ask().headers["x-shadoweval-request-id"]]
    provider.play(answer("anthropic", sure(90)))
    ids.append(ask().headers["x-shadoweval-request-id"])
    eventually(lambda: Request.objects.count() == 2)
    headers = {"x-api-key": api_key}
    url = f"{service}/api/v1/requests"
    first, second = (httpx.get(f"{url}/{one}", headers=headers, timeout=20).json() for one in ids)
    assert [Decimal(one["cost_usd"]) for one in (first, second)] == [
        CHEAP_USD + EXPENSIVE_USD,
        CHEAP_USD,
    ]
    assert [one["is_escalated"] for one in (first, second)] == [True, False]
    assert [one["served"]["text"] for one in (first, second)] == [TEXT, ANSWER]
    assert [Decimal(one["decision"]["probe_usd"]) for one in (first, second)] == [CHEAP_USD] * 2
    assert (first["has_pair"], first["decision"]["confidence"]) == (True, 0.2)
    listed = httpx.get(url, headers=headers, timeout=20).json()["items"]
    assert {Decimal(one["cost_usd"]) for one in listed} == {CHEAP_USD + EXPENSIVE_USD, CHEAP_USD}
