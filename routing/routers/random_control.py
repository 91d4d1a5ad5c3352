"""A coin for every query, always the same for the same one: what a router has to beat."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from routing.routers import arrays, assembled, rules
from routing.routers.kinds import Kind, chosen
from routing.types import Score

NAME = "random"


@dataclass(frozen=True)
class RandomRouter:
    """Scores by a hash of seed and query, evenly over [0, 1).

    Attributes:
        seed: another seed is another coin.
    """

    seed: int
    is_instant: bool = True

    def score(self, query: str) -> Score:
        """Return the query's own share of [0, 1)."""
        # A lone surrogate, which JSON can carry, has no UTF-8.
        text = f"{self.seed}\n{query}".encode("utf-8", "surrogatepass")
        drawn = int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())
        return Score((drawn >> 11) / 2**53)

    def recall(self, query: str) -> Score | None:
        """Return nothing: a long text takes its time, and there is none to save."""
        return None


def dumps(seed: int) -> bytes:
    """Return the artifact: the seed."""
    return arrays.dumps({"seed": np.int64(seed)})


def loads(artifact: bytes, embedder: str = "") -> RandomRouter:
    """Return the router of an artifact; `embedder` must be empty.

    Raises:
        ValueError: when an embedder is named, or there is no seed.
    """
    held = arrays.loads(artifact)
    if embedder or "seed" not in held:
        raise ValueError("A random router has a seed and no embedder.")
    return RandomRouter(int(held["seed"]))


def make(options: Mapping[str, Any]) -> bytes:
    """Return the artifact of a coin without any rule.

    Raises:
        ValueError: when the seed is no whole number.
    """
    seed = chosen(RANDOM, options)["seed"]
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ValueError("The seed is a whole number from 0.")
    return assembled.dumps(dumps(seed), rules=rules.NONE)


RANDOM = Kind(
    NAME,
    "Random",
    "A coin for every query; the same query always gets the same score. It has no rules.",
    "To compare with: a router that is no better knows nothing.",
    "Nothing.",
    loads,
    is_control=True,
    defaults={"seed": 0},
    make=make,
)
KINDS = (RANDOM,)
