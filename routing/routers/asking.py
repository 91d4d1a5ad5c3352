"""Routers that see the cheap answer before they decide: what they are given, what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard

from routing.routers.base import Router
from routing.types import Score


@dataclass(frozen=True)
class Ask:
    """How the cheap model is to be asked.

    Attributes:
        confidence: for the confidence line too, where the request allows it.
        samples: how many answers; the first one is the one that may be served.
    """

    confidence: bool
    samples: int


@dataclass(frozen=True)
class Seen:
    """What the cheap model answered.

    Attributes:
        texts: of each sample, without its confidence line; the first one may be served.
        confidences: of each sample, in [0, 1]; None where it said none that can be read.
        stop_reason: why the first one ended, in either API's words.
        was_asked: for the confidence line.
        schema: the JSON schema that the client wants the answer to follow, or None.
        wants_json: the client wants JSON, whether it gave a schema or not.
        calls: of each sample, the tools that it calls, as JSON; "" for none. Empty where nobody
            looked.
    """

    texts: tuple[str, ...]
    confidences: tuple[float | None, ...]
    stop_reason: str = ""
    was_asked: bool = True
    schema: dict[str, Any] | None = None
    wants_json: bool = False
    calls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """What a router says once it has seen the answer.

    Attributes:
        score: its final one; `rule` names the gate that failed, or `no_confidence`.
        confidence: the lowest that a sample said of itself; None when none did.
    """

    score: Score
    confidence: float | None


class Asking(Router, Protocol):
    """A router whose score may need the cheap answer.

    `score` then returns the lowest value that it may come to, with `needs_answer`.
    """

    @property
    def asks(self) -> Ask:
        """How the cheap model is to be asked."""
        ...

    def judge(self, query: str, before: Score, seen: Seen) -> Judged:
        """Return the score of a query whose cheap answer was seen.

        Args:
            query: as it was scored.
            before: what `score` returned, with `needs_answer`.
            seen: at least one answer.
        """
        ...


def is_asking(router: Router) -> TypeGuard[Asking]:
    """Return whether a router may want to see the cheap answer."""
    return getattr(router, "asks", None) is not None
