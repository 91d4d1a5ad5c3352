"""RouteLLM's own routers behind ours: an optional extra, imported when such a version is loaded.

Nothing of it is trained here. What a checkpoint is, how it is fetched and what reading it runs is
RouteLLM's; and its `mf` and `sw_ranking` send each prompt to OpenAI for an embedding.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from routing.routers import arrays, assembled, rules
from routing.routers.kinds import Kind, chosen
from routing.types import Score

NAME = "routellm"
#: Those that RouteLLM knows by name, without the random one.
ROUTERS = ("mf", "bert", "causal_llm", "sw_ranking")


class Foreign(Protocol):
    """What RouteLLM's routers have in common (`routellm/routers/routers.py`)."""

    def calculate_strong_win_rate(self, prompt: str) -> float:
        """Return in [0, 1] how surely the strong model wins."""
        ...


@dataclass(frozen=True)
class RouteLLMRouter:
    """The strong model's win rate as the score; it is always scored in a thread.

    Attributes:
        turn: held while it scores, where RouteLLM says that it can do only one at a time.
    """

    foreign: Foreign
    turn: AbstractContextManager[Any]
    is_instant: bool = False

    def score(self, query: str) -> Score:
        """Return the win rate; whatever else it says is the gateway's to refuse."""
        with self.turn:
            return Score(self.foreign.calculate_strong_win_rate(query))

    def recall(self, query: str) -> Score | None:
        """Return nothing: it remembers none."""
        return None


def make(options: Mapping[str, Any]) -> bytes:
    """Return the artifact: which router, from which checkpoint, with which further settings.

    Raises:
        ValueError: when the router has another name, or the settings are no JSON object.
    """
    said = chosen(ROUTELLM, options)
    if said["router"] not in ROUTERS:
        raise ValueError(f"RouteLLM's router is one of {', '.join(ROUTERS)}.")
    config, checkpoint = said["config"], said["checkpoint"]
    if not isinstance(config, dict) or not isinstance(checkpoint, str):
        raise ValueError("The checkpoint is a text, and config an object of settings.")
    try:
        json.dumps(config)
    except (TypeError, ValueError) as exc:
        raise ValueError("The settings in config are no JSON.") from exc
    if checkpoint:
        config = {**config, "checkpoint_path": checkpoint}
    own = arrays.dumps({"routellm": arrays.of_json({"router": said["router"], "config": config})})
    return assembled.dumps(own, rules=rules.NONE)


def loads(artifact: bytes, embedder: str = "") -> RouteLLMRouter:
    """Return the router of an artifact; `embedder` must be empty.

    Raises:
        ValueError: when RouteLLM is not installed or has no such router, or the artifact is none.
    """
    held = arrays.loads(artifact)
    if embedder or "routellm" not in held:
        raise ValueError("A router of RouteLLM names a router and no embedder.")
    told = arrays.to_json(held["routellm"])
    try:
        known = import_module("routellm.routers.routers").ROUTER_CLS
    except ImportError as exc:
        raise ValueError(
            f"This router needs RouteLLM, which cannot be imported ({exc}). "
            "It comes with: pip install 'shadoweval[routellm]'"
        ) from exc
    if told["router"] not in known:
        raise ValueError(f"The RouteLLM that is installed has no router {told['router']!r}.")
    foreign = known[told["router"]](**told["config"])
    turn = threading.Lock() if getattr(foreign, "NO_PARALLEL", False) else nullcontext()
    return RouteLLMRouter(foreign, turn)


ROUTELLM = Kind(
    NAME,
    "RouteLLM",
    "A router of the package RouteLLM, from its checkpoint: how surely the strong model wins.",
    "To compare with what others trained on public battles of other models.",
    "Milliseconds to seconds, and gigabytes of memory; mf and sw_ranking send each prompt to "
    "OpenAI for an embedding. Needs the extra shadoweval[routellm].",
    loads,
    defaults={"router": "mf", "checkpoint": "routellm/mf_gpt4_augmented", "config": {}},
    make=make,
)
KINDS = (ROUTELLM,)
