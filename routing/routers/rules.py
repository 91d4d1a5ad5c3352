"""Patterns that need no model: a rule answers with a score, so that thresholds still govern it.

A rule that sent its requests past the threshold would fall outside the curve that people sign.
Scores of 0 and 1 keep it inside: at threshold 0 (always expensive) even the easiest request goes
to EXPENSIVE.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from routing.routers import rulefields, rulepatterns
from routing.routers.rulefields import BadRules
from routing.types import Score

__all__ = ["DEFAULT", "BadRules", "Rule", "Rules"]

#: Counting looks at this much of a text.
COUNTED_CHARS = 50_000
_GREETING = re.compile(
    r"^\W*(hi|hello|hey|thanks|thank you|good (morning|afternoon|evening)|bye|goodbye|ok(ay)?)"
    r"( there| all| again| so much| very much)?\W*$",
    re.IGNORECASE,
)
_GREETING_CHARS = 20_000


@dataclass(frozen=True)
class Rule:
    """One pattern and the score of what it fits.

    Attributes:
        name: stored with every decision that it makes.
        kind: one of `rulefields.KINDS`.
        value: 0.0, the cheap model will do, or 1.0, the expensive one is needed.
        pattern: of `template` and `matches`.
        limit: of `longer_than`, `code_blocks` and `documents`.
        is_on: others are kept, and asked nothing.
    """

    name: str
    kind: str
    value: float
    pattern: str = ""
    limit: int = 0
    is_on: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return the rule as it is stored and edited."""
        told = {"name": self.name, "kind": self.kind, "value": self.value, "on": self.is_on}
        for field in rulefields.KINDS[self.kind].fields:
            told[field] = getattr(self, field)
        return told


#: What every router had in front of it from the start, then what may be switched on.
DEFAULT = (
    Rule("long_input", "longer_than", 1.0, limit=12_000),
    Rule("greeting", "greeting", 0.0),
    Rule("many_code_blocks", "code_blocks", 1.0, limit=3),
    Rule("no_text", "no_text", 1.0),
    Rule("several_documents", "documents", 1.0, limit=3, is_on=False),
    Rule("capital_of", "template", 0.0, pattern="What is the capital of {country}?", is_on=False),
    Rule("how_to_spell", "template", 0.0, pattern="How do you spell {word}?", is_on=False),
    Rule("translate_word", "template", 0.0, pattern="Translate {word} to {language}", is_on=False),
    Rule("proof", "matches", 1.0, pattern=r"(?i)\b(prove|derive) (that|rigorously)\b", is_on=False),
)


@dataclass(frozen=True)
class Rules:
    """The pre-filter in front of a router: the first rule that fits has the word.

    Attributes:
        rules: checked ones; see `from_json` for what came from people.
    """

    rules: tuple[Rule, ...] = DEFAULT

    def score(self, query: str) -> Score | None:
        """Return the score of the first rule that fits, or None when no rule has a word to say."""
        for rule, fits in self._fitted:
            if fits(query):
                return Score(rule.value, rule.name)
        return None

    def to_json(self) -> list[dict[str, Any]]:
        """Return the rules in their order, those that are off too."""
        return [rule.to_json() for rule in self.rules]

    @classmethod
    def from_json(cls, told: Any) -> Rules:
        """Return the rules that were told, ready to use.

        Raises:
            BadRules: a ValueError, with a sentence for each rule that cannot be.
        """
        rulefields.check(told)
        rules = cls(
            tuple(
                Rule(
                    one["name"],
                    one["kind"],
                    float(one["value"]),
                    one.get("pattern", ""),
                    one.get("limit", 0),
                    one.get("on", True),
                )
                for one in told
            )
        )
        _ = rules._fitted  # compiled here, and not by the first request
        return rules

    @cached_property
    def _fitted(self) -> tuple[tuple[Rule, Callable[[str], bool]], ...]:
        return tuple((rule, _fit(rule)) for rule in self.rules if rule.is_on)


#: No rule at all: for controls, which must not be wiser than they say.
NONE = Rules(())


def _fit(rule: Rule) -> Callable[[str], bool]:
    """Return the question that a rule asks of a text."""
    if rule.kind == "longer_than":
        return lambda text: len(text) > rule.limit
    if rule.kind == "code_blocks":
        return lambda text: text.count("```", 0, COUNTED_CHARS) >= 2 * rule.limit
    if rule.kind == "documents":
        return lambda text: rulepatterns.documents(text[:COUNTED_CHARS]) >= rule.limit
    if rule.kind == "no_text":
        return lambda text: not text.strip()
    if rule.kind == "greeting":
        return lambda text: len(text) <= _GREETING_CHARS and bool(_GREETING.match(text))
    if rule.kind == "template":
        return rulepatterns.template(rule.pattern)
    return rulepatterns.matches(rule.pattern, whole=rule.value == 0.0)
