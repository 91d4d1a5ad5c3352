"""On which terms a judge begins: no player of a tier, a price above 0, and never twice at once."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest

from reviews import judging, sampling
from reviews.errors import BadInput, Conflict
from reviews.models import JudgeRun, JudgeSpec
from routing import policy
from routing.types import Price, TierSpec
from tests.reviews.race import after

pytestmark = pytest.mark.django_db

PRICE = Price(Decimal(1), Decimal(5))


def study_played_by(project, model):
    """Start a study whose cheap tier is played by a model of this name."""
    played = policy.create(
        project=project,
        router=policy.live(project).router,
        threshold=policy.ALWAYS_EXPENSIVE,
        cheap=TierSpec("anthropic", model, price=PRICE),
        expensive=TierSpec("anthropic", "claude-opus-5-5", price=PRICE),
    )
    return sampling.start(played, name="S", seed="s", rate=1.0)


@pytest.fixture
def study(project):
    return study_played_by(project, "claude-haiku-5-5")


def judge_of(study, provider="anthropic", cap="1", price=PRICE):
    return judging.create(study, TierSpec(provider, "judge", price=price), cap_usd=Decimal(cap))


@pytest.mark.parametrize(
    ("player", "model"),
    [
        ("claude-haiku-5-5", "anthropic/claude-haiku-5-5"),
        ("claude-haiku-5-5", "openrouter/anthropic/claude-haiku-5.5"),
        ("claude-haiku-5-5", "claude-haiku-5-5-20251001"),
        ("claude-haiku-5-5", "claude-haiku-5-5@20251001"),
        ("claude-haiku-5-5", "Claude-Haiku-5-5-latest"),
        ("claude-haiku-5-5-20251001", "anthropic/claude-haiku-5-5-latest"),
        ("gpt-5-mini", "openai/gpt-5-mini-2025-08-07"),
        ("名", "名"),
    ],
)
def test_a_model_that_plays_a_tier_is_refused_by_any_of_its_ids(project, player, model):
    study = study_played_by(project, player)
    with pytest.raises(BadInput, match="plays the cheap tier"):
        judging.create(study, TierSpec("openai", model, price=PRICE), cap_usd=Decimal(1))


@pytest.mark.parametrize("model", ["claude-haiku-5", "claude-haiku-4-5", "claude-sonnet-5-5", "名"])
def test_a_model_that_plays_none_may_judge(study, model):
    asked = TierSpec("anthropic", model, price=PRICE)
    assert judging.create(study, asked, cap_usd=Decimal(1)).model == model


@pytest.mark.parametrize(
    "price",
    [
        replace(PRICE, input_usd=Decimal(0)),
        replace(PRICE, output_usd=Decimal("0.000")),
        replace(PRICE, cache_read_usd=Decimal(0)),
        replace(PRICE, cache_write_usd=Decimal(0)),
        replace(PRICE, cache_write_1h_usd=Decimal(0)),
    ],
)
@pytest.mark.parametrize("provider", ["anthropic", "openai"])
def test_a_price_of_0_keeps_no_cap(study, provider, price):
    with pytest.raises(BadInput, match="above 0"):
        judge_of(study, provider, price=price)
    assert not JudgeSpec.objects.exists()


def test_a_simulated_judge_is_free(study):
    assert judge_of(study, "simulated", price=None).asked.price.input_usd == 0


def test_nobody_pays_for_a_book_with_every_call(study):
    asked = TierSpec("anthropic", "judge", price=PRICE)
    with pytest.raises(BadInput, match="at most 20,000 characters"):
        judging.create(study, asked, cap_usd=Decimal(1), prompt="x" * 20_001)


def test_a_judge_is_not_started_beside_the_same(study):
    one = judge_of(study)
    judging.stop(one, "enough")
    other = judge_of(study, cap="2")
    with pytest.raises(Conflict, match="same judge"):
        judging.start(one)
    judging.start(other)  # it runs already
    judging.stop(other, "enough")
    judging.start(one)


@pytest.mark.django_db(transaction=True)
def test_of_two_starts_at_once_one_is_refused(study):
    one = judge_of(study)
    judging.stop(one, "enough")
    other = judge_of(study, cap="2")
    judging.stop(other, "enough")

    def second():
        with suppress(Conflict):
            judging.start(other)

    after(lambda: judging.start(one), second)
    assert JudgeRun.objects.get(spec=one).state == "running"
    assert JudgeRun.objects.get(spec=other).state == "stopped"
