"""What stands around every kind's own part: rules, familiarity, calibration, weighing."""

from __future__ import annotations

import numbers
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from routing.embedders.memory import Remembering
from routing.routers import arrays, weighing
from routing.routers.base import UNFAMILIAR, Router
from routing.routers.calibration import Calibration
from routing.routers.familiar import Familiar
from routing.routers.rules import Rules
from routing.routers.weighing import Weighing
from routing.types import Score

#: What a decision can store as its rule.
_RULE = re.compile(r"[A-Za-z0-9_.-]{0,60}")


class Parts(NamedTuple):
    """What an artifact carries beside its kind's own arrays; None where it carries none."""

    rules: Rules | None = None
    familiar: Familiar | None = None
    calibration: Calibration | None = None
    weighing: Weighing | None = None


def dumps(
    inner: bytes,
    *,
    rules: Rules | None = None,
    familiar: Familiar | None = None,
    calibration: Calibration | None = None,
    weighing: Weighing | None = None,
) -> bytes:
    """Return an artifact with these parts; one that it has already is replaced, None leaves it.

    Raises:
        ValueError: when `inner` is no artifact.
    """
    held: dict[str, Any] = {**arrays.loads(inner)}
    if rules is not None:
        held["rules"] = arrays.of_json(rules.to_json())
    if familiar is not None:
        held["familiar_vectors"] = familiar.vectors.astype(np.float32)
        held["familiar_limit"] = np.float64(familiar.limit)
        held["familiar_k"] = np.int64(familiar.k)
    if calibration is not None:
        held["calibration_x"], held["calibration_y"] = calibration.x, calibration.y
    if weighing is not None:
        held["weighing"] = np.array(weighing.lines, np.float64)
    return arrays.dumps(held)


def parts(artifact: bytes) -> Parts:
    """Return what an artifact carries beside its kind's own arrays.

    Raises:
        ValueError: when it is no artifact, or a part of it is none.
    """
    held = arrays.loads(artifact)
    try:
        return Parts(_rules(held), _familiar(held), _calibration(held), _weighing(held))
    except KeyError as exc:
        raise ValueError(f"The artifact lacks {exc.args[0]}.") from exc


def _rules(held: dict[str, np.ndarray]) -> Rules | None:
    return Rules.from_json(arrays.to_json(held["rules"])) if "rules" in held else None


def _familiar(held: dict[str, np.ndarray]) -> Familiar | None:
    if "familiar_vectors" not in held:
        return None
    vectors = held["familiar_vectors"]
    limit, k = float(held["familiar_limit"]), int(held["familiar_k"])
    if vectors.ndim != 2 or not 0 < k <= len(vectors) or not np.isfinite(vectors).all():
        raise ValueError("The artifact's familiar vectors are none.")
    return Familiar(vectors.astype(np.float32), limit, k)


def _calibration(held: dict[str, np.ndarray]) -> Calibration | None:
    if "calibration_x" not in held:
        return None
    return Calibration(held["calibration_x"], held["calibration_y"])


def _weighing(held: dict[str, np.ndarray]) -> Weighing | None:
    if "weighing" not in held:
        return None
    if held["weighing"].shape != (4,):
        raise ValueError("The artifact's weighing is none.")
    return Weighing(*(float(one) for one in held["weighing"]))


@dataclass(frozen=True)
class Assembled:
    """Rules, then what is far from all training queries, then the calibrated score.

    Attributes:
        inner: the kind's own router.
        weighing: what a retrieval's confidence does to a score that is told already.
        embedder: of the familiar vectors; None without them.
        is_trusted: the inner router is one of ours. A plug-in is always scored in a thread,
            and asked nothing before: what it says of its speed may be wrong.
    """

    inner: Router
    rules: Rules
    familiar: Familiar | None = None
    calibration: Calibration | None = None
    weighing: Weighing = field(default_factory=Weighing)
    embedder: Remembering | None = None
    is_trusted: bool = True

    @property
    def is_instant(self) -> bool:
        """Whether every part of it is."""
        embeds = self.embedder is None or self.embedder.is_instant
        return self.is_trusted and embeds and self.inner.is_instant

    def score(self, query: str) -> Score:
        """Return the first score that a part has.

        Raises:
            Exception: what the inner router raises, or when it says what no decision can keep.
        """
        ruled = self.rules.score(query)
        if ruled is not None:
            return ruled
        near = self.familiar
        if near and self.embedder and near.is_far(self.embedder.embed(query)):
            return Score(1.0, UNFAMILIAR)
        return self.told(self.inner.score(query))

    def recall(self, query: str) -> Score | None:
        """Return the score if it takes no work."""
        ruled = self.rules.score(query)
        if ruled is not None or not self.is_trusted:
            return ruled
        if self.familiar is not None and self.embedder is not None:
            vector = self.embedder.recall(query)
            if vector is None:
                return None
            if self.familiar.is_far(vector):
                return Score(1.0, UNFAMILIAR)
        known = self.inner.recall(query)
        return None if known is None else self.told(known)

    def weigh(self, score: Score, confidence: float | None) -> Score:
        """Return a score of this router beside a retrieval's confidence; None leaves it."""
        return weighing.applied(self.weighing, score, confidence)

    def told(self, score: Any) -> Score:
        """Return the inner router's score calibrated, as plain values.

        A score of 0 or 1 by a rule is no estimate and stays. One outside [0, 1] stays too: the
        gateway refuses it, and no map may make it look right.

        Raises:
            TypeError: when it is no score.
        """
        value, rule = score.value, score.rule
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            raise TypeError("a router's score must be a number")
        if not isinstance(rule, str) or not _RULE.fullmatch(rule):
            raise TypeError("a router's rule must be a short name")
        if score.needs_answer and not hasattr(self.inner, "judge"):
            raise TypeError("a router that cannot judge an answer cannot ask for it")
        told = float(value)
        if self.calibration is not None and not rule and 0.0 <= told <= 1.0:
            told = self.calibration.of(told)
        return Score(told, rule, bool(score.needs_answer))


class AssembledAsking(Assembled):
    """The same around a router that wants to see the cheap answer before it decides."""

    @property
    def asks(self) -> Any:
        """How the cheap model is to be asked."""
        return self.inner.asks  # type: ignore[attr-defined]

    def judge(self, query: str, before: Score, seen: Any) -> Any:
        """Return what the inner router makes of the cheap answer."""
        return self.inner.judge(query, before, seen)  # type: ignore[attr-defined]


def assemble(
    inner: Router, held: Parts, embedder: Remembering | None, is_trusted: bool = True
) -> Assembled:
    """Put the parts around a kind's router; without rules of its own it has the usual ones.

    Raises:
        ValueError: when a part cannot be used with this router.
    """
    rules = Rules() if held.rules is None else held.rules
    uses = embedder if held.familiar is not None else None
    if held.familiar is not None and (
        uses is None or held.familiar.vectors.shape[1] != uses.dimensions
    ):
        raise ValueError("The artifact's familiar vectors do not fit the router's embedder.")
    is_asking = hasattr(inner, "judge")
    if is_asking and held.calibration is not None:
        raise ValueError("A router that asks first is not calibrated: what it asks about is.")
    made = AssembledAsking if is_asking else Assembled
    usual = held.weighing or Weighing()
    return made(inner, rules, held.familiar, held.calibration, usual, uses, is_trusted)
