"""Tiers from settings and forms: any pair, each fault one sentence."""

from decimal import Decimal

import pytest
from django.core.exceptions import ImproperlyConfigured

from routing import bootstrap, tiers
from routing.types import Tier, TierSpec

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
    said = {"input": "0.1", "output": "2", "cache_read": "0.01", "source": "list", "date": "2026"}
    price = tiers.read(said, DEFAULT).price
    assert (price.input_usd, price.cache_read_usd) == (Decimal("0.1"), Decimal("0.01"))
    assert (price.cache_write_usd, price.source, price.date) == (None, "list", "2026")


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
    ],
)
def test_each_fault_is_one_sentence_without_what_was_typed(said):
    with pytest.raises(ValueError, match=r"\.$") as refused:
        tiers.read(said, DEFAULT)
    assert "secret" not in str(refused.value)
    assert "sk-ant" not in str(refused.value)


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
