"""Controls know nothing and have no rules: what a router has to beat."""

import numpy as np
import pytest

from routing import routers
from routing.routers.rules import Rules
from routing.types import Score

LONG = "x" * 20_000


def made(kind, **options):
    known = routers.kinds()[kind]
    assert known.is_control
    return routers.load(kind, known.make(options), "")


@pytest.mark.parametrize("value", [0.0, 1.0, 0.3])
@pytest.mark.parametrize("query", ["hello", LONG, "", "When is my invoice due?"])
def test_a_constant_says_the_same_whatever_comes(value, query):
    router = made("constant", score=value)
    assert router.score(query) == router.recall(query) == Score(value)
    assert router.is_instant


def test_a_coin_is_even_seeded_and_remembers_its_side():
    first, again, other = (made("random", seed=seed) for seed in (1, 1, 2))
    queries = [f"question {n}" for n in range(4_000)]
    scores = np.array(
        [[router.score(q).value for q in queries] for router in (first, again, other)]
    )
    assert (scores[0] == scores[1]).all()
    assert abs(np.corrcoef(scores[0], scores[2])[0, 1]) < 0.06
    assert np.abs(np.sort(scores[0]) - np.linspace(0, 1, 4_000)).max() < 0.04  # far over KS's .999
    assert scores.max() < 1
    assert first.score("\ud800").value >= 0
    assert first.score("hello").rule == ""


def test_rules_with_one_score_for_the_rest_are_made_of_options():
    kind = routers.kinds()["rules"]
    own = [{"name": "shout", "kind": "matches", "value": 1, "pattern": "!!!"}]
    router = routers.load("rules", kind.make({"score": 0.2, "rules": own}), "")
    assert (router.score("hello"), router.score("Now!!!")) == (Score(0.2), Score(1.0, "shout"))
    assert routers.load("rules", kind.make({}), "").rules == Rules()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("constant", {"score": 1.1}),
        ("constant", {"score": "0"}),
        ("constant", {"score": float("nan")}),
        ("constant", {"rules": []}),
        ("random", {"seed": -1}),
        ("random", {"seed": 1.5}),
        ("rules", {"score": True}),
        ("rules", {"rules": [{"name": "x"}]}),
    ],
)
def test_options_that_cannot_be_are_refused(kind, options):
    with pytest.raises(ValueError):
        routers.kinds()[kind].make(options)
