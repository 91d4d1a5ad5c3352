"""Deciding never fails: what a router does wrong goes to EXPENSIVE, a failing tier is replaced."""

import asyncio
import math
import threading
import time
from dataclasses import replace

import pytest

from routing import gateway, providers, tasktypes
from routing.errors import NotFound
from routing.models import Policy, Project
from routing.policy import spec_json
from routing.routers.asking import Ask, Judged
from routing.types import ChatRequest, Dialect, Reason, Score, Tier, TierSpec
from routing.wire import shape
from tests.routing import standin


class Slow:
    """A router that is scored in a thread."""

    is_instant = False

    def recall(self, query):
        return None


class Says(Slow):
    """A router with one answer to everything."""

    def __init__(self, value, rule=""):
        self.value, self.rule = value, rule

    def score(self, query):
        return Score(self.value, self.rule)


class Raises(Slow):
    def score(self, query):
        raise ValueError(query)


class Sleeps(Slow):
    def score(self, query):
        time.sleep(0.3)
        return Score(0.0)


def policy(threshold, url="", **by_task):
    """An unsaved policy; deciding and answering need no database."""
    cheap, expensive = (TierSpec("anthropic", model, base_url=url) for model in ("weak", "strong"))
    return Policy(
        project=Project(slug="p", name="P"),
        number=3,
        threshold=threshold,
        thresholds=by_task,
        cheap=spec_json(cheap),
        expensive=spec_json(expensive),
    )


def asking(model="auto"):
    payload = {"messages": [{"role": "user", "content": "q"}], "max_tokens": 5}
    return ChatRequest(payload, "q", model)


async def decide(request, policy, router):
    return await gateway.decide(request, shape.of(request), policy, router)


class Asks(Says):
    """A router that wants to see the cheap answer, and then says this."""

    asks = Ask(confidence=False, samples=1)

    def __init__(self, value, said=0.5):
        super().__init__(value)
        self.said = said

    def score(self, query):
        return Score(self.value, needs_answer=True)

    def judge(self, query, before, seen):
        said = self.said() if callable(self.said) else self.said
        return Judged(Score(said), None)


BROKEN = [
    None,
    Raises(),
    Says(math.nan),
    Says(math.inf),
    Says(1.7),
    Says(-0.1),
    Says("0.2"),
    Sleeps(),
]


@pytest.mark.parametrize("router", BROKEN)
async def test_a_router_without_a_usable_score_sends_to_expensive(router, settings):
    settings.SHADOWEVAL_ROUTER_TIMEOUT_S = 0.1
    made = await decide(asking(), policy(1.01), router)
    assert (made.tier, made.reason, made.score) == (Tier.EXPENSIVE, Reason.ROUTER_ERROR, None)


@pytest.mark.parametrize(
    ("score", "threshold", "tier"),
    [
        (0.0, 0.0, Tier.EXPENSIVE),
        (0.5, 0.5, Tier.EXPENSIVE),
        (0.4999, 0.5, Tier.CHEAP),
        (1.0, 1.0, Tier.EXPENSIVE),
        (1.0, 1.01, Tier.CHEAP),
    ],
)
async def test_the_threshold_is_strict(score, threshold, tier):
    made = await decide(asking("policy-3"), policy(threshold), Says(score))
    assert (made.tier, made.score, made.threshold) == (tier, score, threshold)


@pytest.mark.parametrize(
    ("task", "score", "threshold", "tier"),
    [
        ("coding", 0.2, 0.2, Tier.EXPENSIVE),
        ("coding", 0.1999, 0.2, Tier.CHEAP),
        ("math", 0.0, 0.0, Tier.EXPENSIVE),
        ("chat", 1.0, 1.01, Tier.CHEAP),
        ("Coding", 0.5, 0.5, Tier.EXPENSIVE),
        ("never heard of", 0.4999, 0.5, Tier.CHEAP),
    ],
)
@pytest.mark.parametrize("rule", ["", "greeting"])
async def test_each_task_type_has_its_strict_threshold(task, score, threshold, tier, rule):
    by_task = policy(0.5, coding=0.2, math=0.0, chat=1.01)
    made = await decide(replace(asking(), task=task), by_task, Says(score, rule))
    assert (made.tier, made.threshold, made.task) == (tier, threshold, task)
    assert (made.reason is Reason.RULE, made.rule) == (bool(rule), rule)


async def test_a_detected_task_type_has_its_threshold_too():
    tasktypes.warm()
    request = replace(asking(), query="Solve the equation x + 2 = 5")
    made = await decide(request, policy(1.0, math=0.3), Says(0.4))
    assert (made.tier, made.threshold, made.task) == (Tier.EXPENSIVE, 0.3, "math")


@pytest.mark.parametrize(
    ("request_", "router", "reason"),
    [
        (asking("weak"), Says(0.4), Reason.BYPASSED),
        (replace(asking(), forced=Tier.CHEAP), Says(0.4), Reason.FORCED),
        (asking(), None, Reason.ROUTER_ERROR),
    ],
)
async def test_what_no_score_decided_names_its_task_types_threshold(request_, router, reason):
    made = await decide(replace(request_, task="math"), policy(1.0, math=0.3), router)
    assert (made.reason, made.threshold) == (reason, 0.3)


async def test_a_rule_obeys_the_threshold_and_is_named():
    made = await decide(asking(), policy(0.0), Says(0.0, "greeting"))
    assert (made.tier, made.reason, made.rule) == (Tier.EXPENSIVE, Reason.RULE, "greeting")


@pytest.mark.parametrize(
    ("threshold", "tier", "reason"),
    [
        (0.5, Tier.EXPENSIVE, Reason.UNFAMILIAR),
        (1.0, Tier.EXPENSIVE, Reason.UNFAMILIAR),
        (1.01, Tier.CHEAP, Reason.BELOW_THRESHOLD),
    ],
)
async def test_what_is_unfamiliar_obeys_the_threshold_and_says_so(threshold, tier, reason):
    made = await decide(asking(), policy(threshold), Says(1.0, "unfamiliar"))
    assert (made.tier, made.reason, made.rule) == (tier, reason, "unfamiliar")


@pytest.mark.parametrize(
    ("lowest", "threshold", "tier", "reason"),
    [
        (0.0, 0.0, Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD),
        (0.3, 0.3, Tier.EXPENSIVE, Reason.AT_OR_ABOVE_THRESHOLD),
        (0.3, 0.31, Tier.CHEAP, Reason.CHEAP_FIRST),
    ],
)
async def test_the_cheap_answer_decides_only_where_it_can(lowest, threshold, tier, reason):
    made = await decide(asking(), policy(threshold), Asks(lowest))
    assert (made.tier, made.reason, made.needs_answer) == (tier, reason, tier is Tier.CHEAP)


class Instant(Says):
    """Tells the thread it was asked in."""

    is_instant = True

    def score(self, query):
        self.thread = threading.current_thread()
        return super().score(query)


class Recalls(Sleeps):
    """Remembers every query."""

    def recall(self, query):
        return Score(0.2)


async def test_an_instant_router_is_asked_without_a_thread():
    router = Instant(0.1)
    made = await decide(asking(), policy(0.5), router)
    assert (made.score, made.reason) == (0.1, Reason.BELOW_THRESHOLD)
    assert router.thread is threading.current_thread()


async def test_an_instant_router_that_fails_sends_to_expensive_too():
    made = await decide(asking(), policy(0.5), Instant(math.nan))
    assert (made.tier, made.reason) == (Tier.EXPENSIVE, Reason.ROUTER_ERROR)


async def test_a_remembered_score_waits_for_nobody(settings):
    settings.SHADOWEVAL_ROUTER_TIMEOUT_S = 0.05  # scoring anew takes longer
    made = await decide(asking(), policy(0.5), Recalls())
    assert (made.score, made.tier) == (0.2, Tier.CHEAP)


async def test_while_every_scorer_is_busy_others_go_to_expensive_and_are_not_scored(settings):
    settings.SHADOWEVAL_ROUTER_TIMEOUT_S = 0.2
    release, begun = threading.Event(), []

    class Blocked(Slow):
        def score(self, query):
            begun.append(query)
            release.wait(10)
            return Score(0.0)

    asked = [decide(asking(), policy(0.5), Blocked()) for _ in range(6)]
    made = await asyncio.gather(*asked)
    release.set()
    assert {one.reason for one in made} == {Reason.ROUTER_ERROR}
    assert len(begun) == 2


async def test_a_named_model_is_not_scored():
    made = await decide(asking("weak"), policy(0.0), Raises())
    assert (made.tier, made.reason, made.score) == (Tier.CHEAP, Reason.BYPASSED, None)
    with pytest.raises(NotFound):
        await decide(asking("policy-2"), policy(0.5), Says(0.1))


@pytest.fixture
def provider():
    """A Messages API whose cheap model answers what it is given; lists who was asked."""
    weak_reply, asked = [529], []

    def reply_for(model):
        asked.append(model)
        reply = weak_reply[0] if model == "weak" else 200
        return reply() if callable(reply) else reply

    with standin.answering(reply_for) as url:
        yield url, weak_reply, asked


async def ask(url, model="auto"):
    mine = policy(0.5, url)
    made = await decide(asking(model), mine, Says(0.1))
    try:
        return await gateway.answer(asking(model), made, mine)
    finally:
        await providers.close_all()


async def ask_first(url, router, request=None):
    mine, request = policy(0.5, url), request or asking()
    made = await decide(request, mine, router)
    try:
        return await gateway.answer(request, made, mine, router)
    finally:
        await providers.close_all()


def hang():
    time.sleep(0.5)
    return 0.1


def fail():
    raise ValueError


@pytest.mark.parametrize("said", [fail, hang, math.nan, 1.7, -0.1, "0.2", None])
async def test_a_router_that_cannot_judge_sends_to_expensive(provider, said, settings):
    settings.SHADOWEVAL_ROUTER_TIMEOUT_S = 0.2
    url, weak_reply, asked = provider
    weak_reply[0] = 200
    got = await ask_first(url, Asks(0.0, said))
    assert (got.decision.tier, got.decision.reason) == (Tier.EXPENSIVE, Reason.ROUTER_ERROR)
    assert (got.decision.score, got.decision.needs_answer, got.reply.text) == (
        None,
        False,
        "recorded",
    )
    assert got.decision.probe_ms > 0
    assert asked == ["weak", "strong"]


async def test_a_router_that_asks_and_has_no_judge_costs_no_call(provider):
    url, _, asked = provider
    made = await decide(asking(), policy(0.5, url), Asks(0.0))
    got = await gateway.answer(asking(), made, policy(0.5, url), Says(0.0))
    await providers.close_all()
    assert (got.decision.reason, got.decision.probe_ms) == (Reason.ROUTER_ERROR, None)
    assert asked == ["strong"]


async def test_no_answer_makes_a_score_lower_than_it_could_be(provider):
    url, weak_reply, _ = provider
    weak_reply[0] = 200
    got = await ask_first(url, Asks(0.4, 0.1))
    assert (got.decision.score, got.decision.tier) == (0.4, Tier.CHEAP)
    assert (got.decision.probe_usd, got.cost_usd) == (None, None)  # no price is known


async def test_a_request_that_the_cheap_api_cannot_be_asked_is_not_asked_first(provider):
    url, _, asked = provider
    payload = {"messages": [{"role": "user", "content": "q"}], "n": 2, "logprobs": True}
    request = replace(asking(), payload=payload, dialect=Dialect.CHAT)
    made = await decide(request, policy(0.5, url), Asks(0.0))
    answer = await gateway.probe(request, made, policy(0.5, url), Asks(0.0))
    assert (answer.decision.reason, answer.decision.tier) == (
        Reason.UNTRANSLATABLE,
        Tier.EXPENSIVE,
    )
    assert asked == []


@pytest.mark.parametrize(
    "reply", [201, 301, 400, 401, 413, 429, 500, 529, 999, *standin.NO_MESSAGES.values()]
)
async def test_a_failing_cheap_tier_falls_back_visibly(provider, reply):
    url, weak_reply, asked = provider
    weak_reply[0] = reply
    got = await ask(url)
    assert got.reply.text == "recorded"
    assert (got.decision.tier, got.decision.reason) == (Tier.EXPENSIVE, Reason.FALLBACK)
    assert (got.decision.score, got.model, got.status) == (0.1, "strong", 200)
    assert asked == ["weak", "strong"]


async def test_a_cheap_tier_that_hangs_is_left_in_time_for_the_other(provider, settings):
    settings.SHADOWEVAL_CHEAP_TIMEOUT_S = 0.2
    url, weak_reply, _ = provider
    done = threading.Event()
    weak_reply[0] = lambda: done.wait(10) and 200
    got = await ask(url)
    done.set()
    assert (got.decision.reason, got.reply.text) == (Reason.FALLBACK, "recorded")


async def test_a_named_model_does_not_fall_back(provider):
    url, _, asked = provider
    got = await ask(url, "weak")
    assert (got.reply, got.status, got.decision.tier) == (None, 529, Tier.CHEAP)
    assert got.error == "provider_error: 529"
    assert got.retry_after_s is None  # what was asked for, for ever, is not believed
    assert asked == ["weak"]


async def test_a_status_that_is_no_error_is_not_passed_on(provider):
    url, weak_reply, _ = provider
    weak_reply[0] = 999
    got = await ask(url, "weak")
    assert (got.reply, got.status) == (None, 502)
    assert got.error == "provider_unreachable: the provider answered 999, not a message"


async def test_two_tiers_that_hang_end_in_an_error(settings):
    settings.SHADOWEVAL_PROVIDER_TIMEOUT_S = 0.4  # less than the cheap tier alone may take
    done = threading.Event()
    with standin.answering(lambda model: done.wait(10) and 200) as url:
        got = await asyncio.wait_for(ask(url), 8)
        done.set()
    assert (got.reply, got.status, got.decision.reason) == (None, 502, Reason.FALLBACK)


async def test_a_provider_that_does_not_exist_is_a_failure_of_the_tier():
    mine = policy(0.0)
    mine.expensive["provider"] = "nobody"
    made = await decide(asking(), mine, Says(0.1))
    got = await gateway.answer(asking(), made, mine)
    assert (got.reply, got.status, got.error) == (None, 502, "provider_failed: KeyError")
