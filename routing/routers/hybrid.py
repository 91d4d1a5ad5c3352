"""Hybrid: a classifier decides what it is sure of, a cascade what lies in its band of doubt.

Inside the band the final score stays inside it: low + (high - low) x the cascade's. So scores of
asked and unasked queries are on one scale, and one score serves every threshold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from routing.routers import cascade
from routing.routers.asking import Ask, Judged, Seen, is_asking
from routing.routers.base import Router
from routing.routers.cascade import CascadeRouter
from routing.routers.kinds import Kind
from routing.types import Score

KIND = "hybrid"
_BAND = {"low": 0.4, "high": 0.6}


@dataclass(frozen=True)
class Inner:
    """The version that a hybrid asks first.

    Attributes:
        kind: of a router that does not ask.
        embedder: the id its vectors come from, or "".
        artifact: as it is stored.
    """

    kind: str
    embedder: str
    artifact: bytes


@dataclass(frozen=True)
class HybridRouter:
    """Asks the cheap model where the inner router's score lies in [low, high).

    What a rule said, the inner router's own or "unfamiliar", is never asked about.
    """

    inner: Router
    low: float
    high: float
    cascade: CascadeRouter

    @property
    def is_instant(self) -> bool:
        """Whether the inner router is."""
        return self.inner.is_instant

    @property
    def is_trusted(self) -> bool:
        """Whether the inner router is one of ours; else a hang is to be reckoned with."""
        return getattr(self.inner, "is_trusted", True)

    @property
    def asks(self) -> Ask:
        """How the cheap model is to be asked."""
        return self.cascade.asks

    def score(self, query: str) -> Score:
        """Return the inner router's score, or the band's low end with `needs_answer`."""
        return self._banded(self.inner.score(query))

    def recall(self, query: str) -> Score | None:
        """Return the score if the inner router has it without work."""
        score = self.inner.recall(query)
        return None if score is None else self._banded(score)

    def _banded(self, score: Score) -> Score:
        if score.rule or not self.low <= score.value < self.high:
            return score
        return Score(self.low, needs_answer=True)

    def judge(self, query: str, before: Score, seen: Seen) -> Judged:
        """Return the cascade's score of what was seen, as a point of the band."""
        judged = self.cascade.judge(query, before, seen)
        # The sum of both ends: exact where the cascade's score is 0 or 1.
        doubt = judged.score.value
        value = self.low * (1.0 - doubt) + self.high * doubt
        return replace(judged, score=replace(judged.score, value=value))


def dumps(said: Mapping[str, Any], inner: Inner) -> bytes:
    """Return the artifact: options and the inner artifact, in an .npz without objects.

    Args:
        said: `low` and `high`, and any option of a cascade.
        inner: what is asked first; its artifact is checked when the hybrid is loaded.

    Raises:
        ValueError: with a sentence for people, when an option is unknown or out of its range.
    """
    (low, high), rest = _options(said)
    options = {"low": low, "high": high, **asdict(rest)}
    named = {"options": options, "kind": inner.kind, "embedder": inner.embedder}
    return cascade.pack(named, inner.artifact)


def _wrap(options: Mapping[str, Any], kind: str, embedder: str, artifact: bytes) -> bytes:
    return dumps(options, Inner(kind, embedder, artifact))


def _options(said: Mapping[str, Any]) -> tuple[tuple[float, float], cascade.Options]:
    given = {**_BAND, **said}
    low = cascade.share("The low end of the band", given.pop("low"))
    high = cascade.share("The high end of the band", given.pop("high"))
    if not low < high:
        raise ValueError(f"The band must have a low end below its high end, not {low} and {high}.")
    return (low, high), cascade.options(given)


def inner_of(artifact: bytes) -> Inner:
    """Return the version that a stored hybrid asks first.

    Raises:
        ValueError: when the artifact is no hybrid's.
    """
    said, inner = cascade.unpack(artifact)
    kind, embedder = said.get("kind"), said.get("embedder")
    if not isinstance(kind, str) or not isinstance(embedder, str):
        raise ValueError("The artifact is not of a hybrid: it names no inner router.")
    return Inner(kind, embedder, inner)


def loads(artifact: bytes, embedder: str = "") -> HybridRouter:
    """Return the router of an artifact.

    Args:
        artifact: of `dumps`.
        embedder: the inner router's, or "".

    Raises:
        KeyError: when there is no such inner kind or embedder.
        ModelsMissing: when the embedder's files are not there and cannot be built.
        ValueError: when options or the inner artifact do not fit, or the inner router asks too.
    """
    from routing import routers  # which lists this module

    said, _ = cascade.unpack(artifact)
    first = inner_of(artifact)
    if embedder not in ("", first.embedder):
        raise ValueError(f"The inner router's embedder is {first.embedder!r}, not {embedder!r}.")
    (low, high), options = _options(said["options"])
    if first.kind == KIND:
        raise ValueError("A hybrid inside a hybrid would ask twice.")
    inner = routers.load(first.kind, first.artifact, first.embedder)
    if is_asking(inner):
        raise ValueError(f"The inner router of a hybrid decides by itself; {first.kind} asks.")
    return HybridRouter(inner, low, high, CascadeRouter(options))


_CARD = Kind(
    name=KIND,
    title="Hybrid",
    what="Rules and a trained router decide what they are sure of; in the band of scores between, "
    "the cheap model answers first and its answer decides, as in a cascade.",
    when="When a trained router is good at both ends and a coin toss in the middle.",
    cost="As the inner router; requests in the band pay as in a cascade: for both calls when they "
    "are escalated. A wider band asks more.",
    loads=loads,
    has_embedder=True,
    asks=True,
    defaults={**_BAND, **asdict(cascade.Options())},
    wrap=_wrap,
)

KINDS = (_CARD,)
