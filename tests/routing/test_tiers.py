"""Tiers from settings and forms: any pair, each fault one sentence."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured

from routing import bootstrap, policy, tiers
from routing.types import Price, Tier, TierSpec

DEFAULT = TierSpec(
    "anthropic", "claude-haiku-5-5", "https://api.anthropic.com", "ANTHROPIC_API_KEY"
)


def test_nothing_said_is_the_default_at_its_list_price():
    got = tiers.read({}, DEFAULT)
    assert got.identity == DEFAULT.identity
    assert got.price.input_usd == Decimal("0.10")


def test_another_provider_takes_nothing_from_the_default():
    said = {"provider": "openai", "model": "llama", "url": "http://127.0.0.1:11434/v1/"}
    got = tiers.read(said, DEFAULT)
    assert (got.base_url, got.key_name, got.price) == ("http://127.0.0.1:11434/v1", "", None)


def test_a_price_has_its_source_and_date():
    said = {
        "input": "0.1",
        "output": "2",
        "cache_read": "0.01",
        "source": "list",
        "date": "2026-10-07",
    }
    price = tiers.read(said, DEFAULT).price
    assert (price.input_usd, price.cache_read_usd) == (Decimal("0.1"), Decimal("0.01"))
    assert (price.cache_write_usd, price.source, price.date) == (None, "list", "2026-10-07")


@pytest.mark.parametrize(
    "said",
    [
        {"provider": "nobody"},
        {"provider": "openai"},
        {"url": "ftp://x"},
        {"url": "https://user:secret@x"},
        {"key_name": "sk-ant-a-key-itself"},
        {"input": "1"},
        {"input": "x", "output": "1"},
        {"input": "-1", "output": "1"},
        {"input": "NaN", "output": "1"},
        {"model": "a\r\nx: secret"},
        {"url": "http://x/v1"},
        {"provider": "openai", "model": "m", "url": "http://x:99999"},
        {"provider": "openai", "model": "m", "url": "http://[x"},
        {"provider": "openai", "model": "m", "key_name": "SHADOWEVAL_SECRET_KEY"},
        {"provider": "openai", "model": "m", "key_name": "AWS_SECRET_ACCESS_KEY"},
        {"provider": "openai", "model": "m", "key_name": "sk_live_secret"},
        {"source": "a price list"},
        {"input": "1", "output": "1", "date": "7 Oct"},
    ],
)
def test_each_fault_is_one_sentence_without_what_was_typed(said):
    with pytest.raises(ValueError, match=r"\.$") as refused:
        tiers.read(said, DEFAULT)
    assert "secret" not in str(refused.value)
    assert "sk-ant" not in str(refused.value)


def test_another_address_never_gets_the_defaults_key():
    got = tiers.read({"provider": "anthropic", "url": "https://elsewhere.example"}, DEFAULT)
    assert (got.base_url, got.key_name) == ("https://elsewhere.example", "")


def test_a_price_from_the_settings_holds_for_its_model_only():
    priced = replace(DEFAULT, price=Price(Decimal(7), Decimal(8)))
    assert tiers.read({}, priced).price.input_usd == 7
    assert tiers.read({"model": "another"}, priced).price is None


def test_two_tiers_must_differ():
    with pytest.raises(ValueError, match="same model"):
        tiers.check_differ(DEFAULT, DEFAULT)


def test_the_settings_name_the_first_policys_tiers(settings):
    settings.SHADOWEVAL_TIERS = {
        "cheap": {"provider": "openai", "model": "small", "url": "http://x/v1"},
        "expensive": {"provider": "", "model": "large"},
    }
    assert bootstrap.tier_spec(Tier.CHEAP).provider == "openai"
    assert bootstrap.tier_spec(Tier.EXPENSIVE).provider == "simulated"
    settings.SHADOWEVAL_TIERS["cheap"]["url"] = "x"
    with pytest.raises(ImproperlyConfigured, match="SHADOWEVAL_CHEAP_"):
        bootstrap.tier_spec(Tier.CHEAP)


def providers_of(live):
    return [live.tier_spec(tier).provider for tier in (Tier.CHEAP, Tier.EXPENSIVE)]


def test_tiers_that_nobody_named_follow_the_key(project, settings):
    settings.SHADOWEVAL_SIMULATED = False
    live = bootstrap.follow_provider(project)
    assert (live.number, providers_of(live), live.threshold) == (2, ["anthropic"] * 2, 0)
    assert live.tier_spec(Tier.CHEAP).key_name == "ANTHROPIC_API_KEY"
    assert bootstrap.follow_provider(project).number == 2  # a second start changes nothing
    settings.SHADOWEVAL_SIMULATED = True
    assert providers_of(bootstrap.follow_provider(project)) == ["simulated"] * 2


def test_a_ramp_ends_when_the_key_comes(project, settings):
    rest = policy.live(project)
    target = policy.with_threshold(rest, 0.5, "signed", {"math": 0.2})
    policy.deploy(target, by=None, reason="test", share=0.5, rest=rest)
    assert bootstrap.follow_provider(project) == target
    settings.SHADOWEVAL_SIMULATED = False
    safe = bootstrap.follow_provider(project)
    row = policy.deployment(project)
    assert (row.policy, row.share, row.rest) == (safe, 1.0, None)
    assert safe.is_always_expensive


@pytest.mark.parametrize("provider", ["anthropic", "openai", "simulated"])
@pytest.mark.parametrize("has_key", [True, False])
def test_tiers_that_somebody_named_stay(starter, settings, provider, has_key):
    own = [tiers.read({"provider": provider, "model": name}, DEFAULT) for name in ("a", "b")]
    shop = bootstrap.ensure_project("shop", "Shop", starter, cheap=own[0], expensive=own[1])
    first = policy.with_threshold(policy.live(shop), 0.5, "signed")
    policy.deploy(first, by=None, reason="test")
    settings.SHADOWEVAL_SIMULATED = not has_key
    assert bootstrap.follow_provider(shop) == first
