"""Rules by which no score decides: each by itself, in its order, and under every threshold."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from routing import abstain, eligibility, gateway, policy, pricing
from routing.models import Policy, Project
from routing.policy import spec_json
from routing.types import ChatRequest, Price, Reason, Score, Tier, TierSpec
from routing.wire import shape

PRICED = Price(Decimal(1), Decimal(2))
CHEAP = TierSpec("anthropic", "weak", price=PRICED, context_tokens=1000)
EXPENSIVE = TierSpec("anthropic", "strong", price=PRICED)


class Says:
    """A router that sends to CHEAP."""

    is_instant = True

    def score(self, query):
        return Score(0.0)


def row(*names, cheap=CHEAP, expensive=EXPENSIVE, threshold=1.0):
    return Policy(
        project=Project(slug="p", name="P"), number=3, threshold=threshold, abstain=list(names),
        cheap=spec_json(cheap), expensive=spec_json(expensive),
    )  # fmt: skip


def asking(text="q", *, is_raw=False, **more):
    payload = {"messages": [{"role": "user", "content": text}], "max_tokens": 5, **more}
    raw = json.dumps(payload).encode() if is_raw else b""
    return ChatRequest(payload, "q", "auto", task="t", raw=raw)


def said(request, policy_row):
    return abstain.reason(request, shape.of(request), policy_row)


TOOL = {"name": "look", "input_schema": {}}
CALLED = [{"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "look"}]}]


@pytest.mark.parametrize(
    "brings",
    [
        {"tools": [TOOL]},
        {"functions": [TOOL]},
        {"mcp_servers": [{"url": "x"}]},
        {"messages": CALLED},
    ],
)
def test_a_request_that_brings_tools(brings):
    assert said(asking(**brings), row("tools")) is Reason.TOOLS
    assert said(asking(**brings), row("context_length", "unpriced")) is None
    assert said(asking(tools=[]), row("tools")) is None


@pytest.mark.parametrize("is_raw", [False, True])
def test_a_prompt_that_may_not_fit_the_cheap_model(is_raw):
    rules = row("context_length")
    assert said(asking("x" * 2700, is_raw=is_raw), rules) is None
    assert said(asking("x" * 3100, is_raw=is_raw), rules) is Reason.CONTEXT_LENGTH
    assert said(asking("x" * 3100, is_raw=is_raw), row("tools", "unpriced")) is None
    # The answer needs room too, whatever the field that limits it is called.
    assert said(asking(max_tokens=1000, is_raw=is_raw), rules) is Reason.CONTEXT_LENGTH
    more = asking(max_completion_tokens=1000, is_raw=is_raw)
    assert said(more, rules) is Reason.CONTEXT_LENGTH
    # All of the prompt counts, not the last turn alone.
    assert said(asking(system="x" * 3100, is_raw=is_raw), rules) is Reason.CONTEXT_LENGTH


def test_images_count_less_than_text_and_plain_documents_as_text():
    def holding(source):
        return asking([{"type": "document", "source": source}], is_raw=True)

    base64 = {"type": "base64", "media_type": "image/png", "data": "x" * 10_000}
    plain = {"type": "text", "media_type": "text/plain", "data": "x" * 10_000}
    lengths = [abstain.tokens(one, shape.of(one)) for one in (holding(base64), holding(plain))]
    assert 400 < lengths[0] < 600
    assert 3300 < lengths[1] < 3500


def test_the_length_comes_from_the_policy_else_from_the_list_else_never():
    long = asking("x" * 700_000)
    known = replace(CHEAP, model="claude-haiku-4-5", context_tokens=None)
    assert said(long, row("context_length", cheap=known)) is Reason.CONTEXT_LENGTH
    wide = replace(known, context_tokens=1_000_000)
    assert said(long, row("context_length", cheap=wide)) is None
    unheard = replace(known, model="of nobody")
    assert said(long, row("context_length", cheap=unheard)) is None


@pytest.mark.parametrize("tier", ["cheap", "expensive"])
def test_a_tier_without_a_price(tier):
    free = {tier: replace(CHEAP if tier == "cheap" else EXPENSIVE, price=None)}
    assert said(asking(), row("unpriced", **free)) is Reason.UNPRICED
    assert said(asking(), row("context_length", "tools", **free)) is None
    assert said(asking(), row("unpriced")) is None
    zero = {tier: replace(CHEAP, model=tier, price=Price(Decimal(0), Decimal(0)))}
    assert said(asking(), row("unpriced", **zero)) is None


def test_what_the_prompt_cannot_fit_is_said_before_the_rest():
    everything = row(*abstain.RULES, cheap=replace(CHEAP, price=None))
    assert said(asking("x" * 4000, tools=[TOOL]), everything) is Reason.CONTEXT_LENGTH
    assert said(asking(tools=[TOOL]), everything) is Reason.TOOLS


@pytest.mark.parametrize(
    ("threshold", "tier"),
    [(0.0, Tier.EXPENSIVE), (1.0, Tier.EXPENSIVE), (1.01, Tier.CHEAP)],
)
async def test_the_threshold_governs_what_abstains(threshold, tier):
    request, rules = asking(tools=[TOOL]), row("tools", threshold=threshold)
    made = await gateway.decide(request, shape.of(request), rules, Says())
    assert (made.tier, made.reason, made.score, made.rule) == (tier, Reason.TOOLS, 1.0, "tools")


async def test_it_needs_no_router_and_comes_after_what_the_client_says():
    request, rules = asking(tools=[TOOL]), row("tools")
    assert (await gateway.decide(request, shape.of(request), rules, None)).reason is Reason.TOOLS
    forced = replace(request, forced=Tier.CHEAP)
    made = await gateway.decide(forced, shape.of(forced), rules, None)
    assert (made.tier, made.reason) == (Tier.CHEAP, Reason.FORCED)


async def test_only_what_does_not_fit_has_no_shadow_call():
    for request, reason in ((asking("x" * 4000), "context_length"), (asking(tools=[TOOL]), "")):
        made = await gateway.decide(request, shape.of(request), row(*abstain.RULES), Says())
        skipped = eligibility.skip_reason(request, shape.of(request), made)
        assert skipped.split(":")[0] == reason


def test_every_rule_is_a_reason_and_has_a_sentence():
    assert {Reason(name).value for name in abstain.RULES} == set(abstain.RULES)
    assert all(words.endswith(".") for words in abstain.RULES.values())
    assert set(abstain.USUAL) <= set(abstain.RULES)
    assert all(length > 0 for length in pricing.CONTEXT_TOKENS.values())


def test_a_first_policy_has_the_usual_rules_and_other_thresholds_keep_them(project):
    live = policy.live(project)
    assert (live.abstain, abstain.is_unpriced(live)) == (list(abstain.USUAL), False)
    assert policy.with_threshold(live, 0.4, "test").abstain == live.abstain


def test_other_rules_are_another_policy_that_is_always_expensive(project):
    before = policy.live(project)
    assert abstain.put(project, list(reversed(before.abstain)), by=None) == before
    after = abstain.put(project, ["unpriced", "tools"], by=None)
    assert policy.live(project) == after != before
    assert (after.abstain, after.threshold) == (["tools", "unpriced"], policy.ALWAYS_EXPENSIVE)
    assert (after.identity, after.repeat_rate) == (before.identity, before.repeat_rate)
    with pytest.raises(ValueError, match="'size' is no rule"):
        abstain.put(project, ["size"], by=None)


class AsksFirst(Says):
    """A router that wants to see the cheap answer."""

    asks = object()

    def score(self, query):
        return Score(0.0, needs_answer=True)


@pytest.mark.parametrize(
    ("brings", "reason"),
    [
        ({"tools": [TOOL]}, Reason.CHEAP_FIRST),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, Reason.TOOLS),
        ({"mcp_servers": [{"url": "x"}]}, Reason.TOOLS),
    ],
)
async def test_what_the_provider_does_itself_is_not_asked_for_twice(brings, reason):
    request, mine = asking(**brings), row()
    made = await gateway.decide(request, shape.of(request), mine, AsksFirst())
    assert (made.reason, made.needs_answer) == (reason, reason is Reason.CHEAP_FIRST)
    assert made.tier is (Tier.CHEAP if made.needs_answer else Tier.EXPENSIVE)
