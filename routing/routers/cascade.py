"""Cascade: the cheap model answers first, and its answer says whether the other one is needed.

The score is 1 - confidence, as the model states it of its own answer; 1 when a gate fails. It is a
score like any other: the policy's threshold decides, and one stored score serves every threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from routing.routers import arrays, gates
from routing.routers.asking import Ask, Judged, Seen
from routing.routers.kinds import Kind
from routing.types import Score

KIND = "cascade"
#: The rule of a score when the model was asked for its confidence and gave none.
NO_CONFIDENCE = "no_confidence"
MOST_SAMPLES = 3
#: The client's own stop sequence ended the answer: the line was cut off, not left out.
_CUT_BY_CLIENT = "stop_sequence"


@dataclass(frozen=True)
class Options:
    """How a cascade asks and judges.

    Attributes:
        confidence: ask for the confidence line.
        samples: how many answers are compared; each one is paid for.
        missing: the score of an answer without the line that was asked for.
        unasked: the score of an answer that could not be asked for the line, when gates pass and
            there is no second sample to compare with.
        gates: the names of the gates that an answer must pass.
    """

    confidence: bool = True
    samples: int = 1
    missing: float = 1.0
    unasked: float = 0.5
    gates: tuple[str, ...] = tuple(gates.GATES)


def options(said: Mapping[str, Any]) -> Options:
    """Return options, the defaults where nothing is said.

    Raises:
        ValueError: with a sentence for people, when one is unknown or out of its range.
    """
    unknown = sorted(set(said) - set(asdict(Options())))
    if unknown:
        raise ValueError(f"A cascade has no option {', '.join(map(str, unknown))}.")
    given = {**asdict(Options()), **said}
    _check(given)
    return Options(**{**given, "gates": tuple(given["gates"])})


def _check(given: Mapping[str, Any]) -> None:
    if not isinstance(given["confidence"], bool):
        raise ValueError("Whether the confidence line is asked for must be true or false.")
    samples = given["samples"]
    if type(samples) is not int or not 1 <= samples <= MOST_SAMPLES:
        raise ValueError(f"A cascade compares 1 to {MOST_SAMPLES} answers, not {samples!r}.")
    for name in ("missing", "unasked"):
        share(f"The score of an answer that is {name}", given[name])
    named = given["gates"]
    is_list = isinstance(named, list | tuple)
    if not is_list or not all(name in tuple(gates.GATES) for name in named):
        raise ValueError(f"The gates are {', '.join(gates.GATES)}; these were named: {named!r}.")


def share(what: str, value: Any) -> float:
    """Return a number in [0, 1].

    Raises:
        ValueError: for anything else, in a sentence about `what`.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0.0 <= value <= 1.0:
        raise ValueError(f"{what} must be a number from 0 to 1, not {value!r}.")
    return float(value)


@dataclass(frozen=True)
class CascadeRouter:
    """Asks the cheap model about every query."""

    options: Options = field(default_factory=Options)
    is_instant: bool = True

    @property
    def asks(self) -> Ask:
        """How the cheap model is to be asked."""
        return Ask(self.options.confidence, self.options.samples)

    def score(self, query: str) -> Score:
        """Return 0, the lowest that the answer may lead to."""
        return Score(0.0, needs_answer=True)

    def recall(self, query: str) -> Score | None:
        """Return the same: it takes no work."""
        return self.score(query)

    def judge(self, query: str, before: Score, seen: Seen) -> Judged:
        """Return the score of what was seen; a gate that fails outweighs any confidence."""
        confidence = min((c for c in seen.confidences if c is not None), default=None)
        failed = gates.failed(seen, self.options.gates)
        if failed:
            return Judged(Score(1.0, failed), confidence)
        return Judged(self._passed(seen), confidence)

    def _passed(self, seen: Seen) -> Score:
        doubts = self._doubts(seen)
        if len(seen.texts) > 1:
            agreement = min(_agreement(seen, n) for n in range(1, len(seen.texts)))
            doubts.append(Score(1.0 - agreement, "disagreement" if agreement == 0 else ""))
        if not doubts:
            return Score(self.options.unasked if self.options.confidence else 0.0)
        return max(doubts, key=lambda doubt: doubt.value)

    def _doubts(self, seen: Seen) -> list[Score]:
        """Return a score for each sample that was asked for its confidence."""
        if not (self.options.confidence and seen.was_asked):
            return []
        missing = Score(self.options.missing, NO_CONFIDENCE)
        said = [c for c in seen.confidences if c is not None]
        if seen.stop_reason == _CUT_BY_CLIENT:
            return [Score(1.0 - c) for c in said]
        n_missing = max(len(seen.texts), 1) - len(said)
        return [Score(1.0 - c) for c in said] + [missing] * (n_missing > 0)


def _agreement(seen: Seen, n: int) -> float:
    """Return how far sample n agrees with the first: by what they call, if either calls tools."""
    first, other = (seen.calls[0], seen.calls[n]) if seen.calls else ("", "")
    if first or other:
        return gates.agreement(first, other, is_json=True)
    return gates.agreement(seen.texts[0], seen.texts[n], seen.wants_json)


def dumps(said: Mapping[str, Any]) -> bytes:
    """Return the artifact of options: an .npz of JSON as bytes; the same for the same options.

    Raises:
        ValueError: as `options`.
    """
    return pack({"options": asdict(options(said))})


def make(options: Mapping[str, Any]) -> bytes:
    """Return the artifact of options; raises as `dumps`."""
    return dumps(options)


def loads(artifact: bytes, embedder: str = "") -> CascadeRouter:
    """Return the router of an artifact; `embedder` must be empty.

    Raises:
        ValueError: when an embedder is named, or the artifact is of another kind.
    """
    if embedder:
        raise ValueError(f"A cascade has no embedder, but this one names {embedder}.")
    said, _ = unpack(artifact)
    return CascadeRouter(options(said["options"]))


def pack(said: Mapping[str, Any], inner: bytes = b"") -> bytes:
    """Return what is said, and another artifact, as one artifact."""
    held = {"configured": arrays.of_json(said), "inner": np.frombuffer(inner, np.uint8)}
    return arrays.dumps(held)


def unpack(artifact: bytes) -> tuple[dict[str, Any], bytes]:
    """Return what `pack` was given; `options` are there.

    Raises:
        ValueError: when it is nothing of the kind.
    """
    held = arrays.loads(artifact)
    if not {"configured", "inner"} <= set(held):
        raise ValueError("The artifact is not of a cascade or hybrid.")
    said = arrays.to_json(held["configured"])
    if not isinstance(said, dict) or not isinstance(said.get("options"), dict):
        raise ValueError("The artifact has no options.")
    return said, held["inner"].astype(np.uint8).tobytes()


_CARD = Kind(
    name=KIND,
    title="Cascade",
    what="The cheap model answers first and says how sure it is. Its answer is served when it is "
    "sure enough and passes the gates; else the expensive model is asked too.",
    when="When the question does not show how hard it is, but the answer does: code that must "
    "parse, facts that a model knows or does not.",
    cost="Every escalated request pays for both calls and waits for both. A reply streams only "
    "after the cheap answer is whole. More samples cost as many cheap calls.",
    loads=loads,
    asks=True,
    defaults=asdict(Options()),
    make=make,
)

KINDS = (_CARD,)
