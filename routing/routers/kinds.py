"""What a kind of router is: how it is described, fitted and loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from routing.routers.base import Router

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """How several models did on n prompts: what a factorisation learns from.

    Attributes:
        models: M names.
        quality: shape (n, M), in [0, 1]; nan where a model was not asked.
        cheap: the model that plays the cheap tier; one of `models`.
        expensive: the one that plays the other.
    """

    models: tuple[str, ...]
    quality: FloatArray
    cheap: str
    expensive: str


@dataclass(frozen=True, eq=False)
class Examples:
    """n labelled queries.

    Attributes:
        queries: n texts.
        cheap_ok: shape (n,), in [0, 1]: how well the cheap answer does.
        expensive_ok: shape (n,), the same of the expensive one.
        weight: shape (n,), above 0: 1 / P(the pair was drawn), or ones.
        outcomes: of several models, where they are known; row by row the same queries.
        vectors: shape (n, dimensions), of the queries, by the embedder that the router is fit
            with, where somebody made them already. Folds then cost no embedding.
        confidence: shape (n,), of what was looked up for each; nan where nothing was.
    """

    queries: tuple[str, ...]
    cheap_ok: FloatArray
    expensive_ok: FloatArray
    weight: FloatArray
    outcomes: Outcomes | None = None
    vectors: NDArray[np.float32] | None = None
    confidence: FloatArray | None = None

    @property
    def needs_expensive(self) -> FloatArray:
        """Return what a router's score estimates, (n,): the cheap fails and the other does not."""
        return (1 - self.cheap_ok) * self.expensive_ok


class Fit(Protocol):
    """Fits a kind: examples, embedder id or "", seed and the kind's own options to an artifact."""

    def __call__(
        self, examples: Examples, embedder: str, seed: int, options: Mapping[str, Any]
    ) -> bytes:
        """Return the artifact, an .npz without objects; the same bytes for the same inputs.

        Raises:
            ValueError: with a sentence for people, when these examples cannot be learnt from.
        """
        ...


class Make(Protocol):
    """Writes a version of a kind that is configured instead of trained."""

    def __call__(self, options: Mapping[str, Any]) -> bytes:
        """Return the artifact; options that are left out are the kind's defaults.

        Raises:
            ValueError: with a sentence for people, when these options cannot be.
        """
        ...


class Wrap(Protocol):
    """Writes a version of a kind that asks another version first."""

    def __call__(
        self, options: Mapping[str, Any], kind: str, embedder: str, artifact: bytes
    ) -> bytes:
        """Return the artifact around the inner version's kind, embedder id or "", and artifact.

        Raises:
            ValueError: with a sentence for people, when these options cannot be.
        """
        ...


@dataclass(frozen=True)
class Kind:
    """One kind of router, with its card.

    Attributes:
        name: as versions store it.
        title: for people.
        what: what it is, in a sentence or two.
        when: when to use it.
        cost: what a request pays for it, in time and money.
        loads: artifact and embedder id to router; raises ValueError for what is no such artifact.
        fit: how it is trained; None for one that is configured instead.
        has_embedder: whether it needs vectors.
        is_control: it decides nothing sensible, and is there to compare with.
        asks: it asks the cheap model before it decides: both calls are paid for.
        defaults: its options, with what they are when nobody says otherwise.
        make: how one that is not trained is written.
        wrap: how one is written that asks another version first; its embedder is that one's.
        is_offered: new versions can be made; others are only loaded.
    """

    name: str
    title: str
    what: str
    when: str
    cost: str
    loads: Callable[[bytes, str], Router]
    fit: Fit | None = None
    has_embedder: bool = False
    is_control: bool = False
    asks: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    make: Make | None = None
    wrap: Wrap | None = None
    is_offered: bool = True


def chosen(kind: Kind, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a kind's options with the defaults for those left out.

    Raises:
        ValueError: when an option is none of the kind's.
    """
    unknown = sorted(options.keys() - kind.defaults.keys())
    if unknown:
        known = ", ".join(kind.defaults) or "none"
        raise ValueError(f"{kind.title} has no option {unknown[0]!r}; there are: {known}.")
    return {**kind.defaults, **options}
