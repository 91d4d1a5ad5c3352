"""One check of a study's health: what was found, how grave it is, what to do.

"fail" is kept for what blocks the certificate: the design was not kept, and no statistic repairs
that. "warn" is what a reader must know. Too little to tell is "unknown", never a pass. The checks
themselves are in `frame_checks` and `rater_checks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail", "unknown"]

#: Below so many of what a check counts, it says nothing.
FEWEST = 30
#: What is known to hold fails by chance once in 1000 looks.
P = 0.001


@dataclass(frozen=True)
class Check:
    """One check of a study's health.

    Attributes:
        text: what was found, for whoever decides.
        n: of what the check counts.
        todo: what to do; empty where there is nothing to be done.
    """

    name: str
    label: str
    level: Level
    text: str
    n: int
    todo: str = ""


def too_few(about: tuple[str, str], n: int, what: str, least: int = FEWEST) -> Check:
    """Return the check of too little to tell."""
    return Check(*about, "unknown", f"Too early to tell: {n:,} {what}, of {least} at least.", n)


def p_words(p_value: float) -> str:
    """Return a p-value for the end of a sentence."""
    return f" (p = {p_value:.1g})"


def listed(words: list[str]) -> str:
    """Return words as a sentence lists them: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
