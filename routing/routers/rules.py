"""Patterns that need no model: a rule answers with a score, so that thresholds still govern it.

A rule that sent its requests past the threshold would fall outside the curve that people sign.
Scores of 0 and 1 keep it inside: at threshold 0 (always expensive) even the easiest request goes
to EXPENSIVE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from routing.types import Score

_GREETING = re.compile(
    r"^\W*(hi|hello|hey|thanks|thank you|good (morning|afternoon|evening)|bye|goodbye|ok(ay)?)"
    r"( there| all| again| so much| very much)?\W*$",
    re.IGNORECASE,
)
_CODE_FENCE = re.compile(r"```")


@dataclass(frozen=True)
class Rules:
    """The pre-filter in front of a trained router.

    Attributes:
        long_chars: a query longer than this needs the expensive tier.
        many_fences: a query with at least this many code blocks does too.
    """

    long_chars: int = 12_000
    many_fences: int = 3

    def score(self, query: str) -> Score | None:
        """Return the score of the first rule that fits, or None when no rule has a word to say."""
        if len(query) > self.long_chars:
            return Score(1.0, "long_input")
        if _GREETING.match(query):
            return Score(0.0, "greeting")
        if len(_CODE_FENCE.findall(query)) >= 2 * self.many_fences:
            return Score(1.0, "many_code_blocks")
        if not query.strip():
            return Score(1.0, "no_text")
        return None
