"""Which strategy a query gets when it may choose: by rules, or as trained on judgements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

#: From here a term is rare: fewer than about one in thirty texts of 1,000 hold it.
RARE = 0.5


class Chooser(Protocol):
    """Picks a strategy.

    Attributes:
        name: "rules" or "trained"; the ledger says so.
    """

    name: str

    def choose(self, features: Mapping[str, float]) -> str:
        """Return one of `STRATEGIES`, from the numbers of `features`."""
        ...


class Rules:
    """Words that must match go by words, questions in common words by meaning, the rest by both."""

    name = "rules"

    def choose(self, features: Mapping[str, float]) -> str:
        """Return a strategy; dense where no text holds any of the query's terms."""
        if not features["bm25_found"]:
            return "dense"
        marked = features["identifiers"] or features["quoted"] or features["keywords"]
        if marked and not features["question"] and features["rarity_max"] >= RARE:
            return "bm25"
        if features["question"] and not marked and features["rarity_max"] < RARE:
            return "dense"
        return "hybrid"


RULES = Rules()
