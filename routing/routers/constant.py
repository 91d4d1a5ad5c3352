"""One score for everything that no rule catches: a router without embedder and training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from routing.routers import arrays, assembled, rules
from routing.routers.kinds import Kind, chosen
from routing.types import Score

KIND = "rules"
CONTROL = "constant"


@dataclass(frozen=True)
class ConstantRouter:
    """Always the same.

    Attributes:
        value: the score in [0, 1].
    """

    value: float
    is_instant: bool = True

    def score(self, query: str) -> Score:
        """Return the constant."""
        return Score(self.value)

    def recall(self, query: str) -> Score | None:
        """Return the constant."""
        return Score(self.value)


def dumps(value: float) -> bytes:
    """Return the artifact: an .npz of one number, no objects."""
    return arrays.dumps({"value": np.float64(value)})


def loads(artifact: bytes, embedder: str = "") -> ConstantRouter:
    """Return the router of an artifact; `embedder` must be empty.

    Raises:
        ValueError: when an embedder is named, or the value lies outside [0, 1].
    """
    if embedder:
        raise ValueError(f"A router of rules has no embedder, but this one names {embedder}.")
    held = arrays.loads(artifact)
    if "value" not in held:
        raise ValueError("The artifact holds no score.")
    value = float(held["value"])
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"The artifact's score is {value}, outside [0, 1].")
    return ConstantRouter(value)


def _score(options: Mapping[str, Any]) -> float:
    value = options["score"]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ValueError("The score lies between 0 and 1.")
    return float(value)


def make_rules(options: Mapping[str, Any]) -> bytes:
    """Return the artifact of rules and one score for the rest.

    Raises:
        ValueError: when the score lies outside [0, 1], or a rule cannot be.
    """
    said = chosen(RULES, options)
    told = said["rules"]
    used = None if told is None else rules.Rules.from_json(told)
    return assembled.dumps(dumps(_score(said)), rules=used)


def make_control(options: Mapping[str, Any]) -> bytes:
    """Return the artifact of a constant without any rule.

    Raises:
        ValueError: when the score lies outside [0, 1].
    """
    return assembled.dumps(dumps(_score(chosen(CONSTANT, options))), rules=rules.NONE)


RULES = Kind(
    KIND,
    "Rules",
    "Patterns such as greetings, long texts and code; one score for everything else.",
    "As a start, or where nothing may be learnt.",
    "Nothing to pay, far below a millisecond.",
    loads,
    defaults={"score": 0.5, "rules": None},
    make=make_rules,
)
CONSTANT = Kind(
    CONTROL,
    "Constant",
    "The same score for every request, without rules: 0 is always cheap, 1 always expensive.",
    "To compare with: what no routing at all costs and breaks.",
    "Nothing.",
    loads,
    is_control=True,
    defaults={"score": 1.0},
    make=make_control,
)
KINDS = (RULES, CONSTANT)
