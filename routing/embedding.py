"""Many passages as vectors, with all cores: each on its own, so that no neighbour moves it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np

from routing import embedders

#: More hardly help: an onnxruntime session keeps a core busy alone.
_MOST_THREADS = 4


def passage(title: str, text: str) -> str:
    """Return what stands for a passage: its title leads, unless it begins with it."""
    return text if not title or text.startswith(title) else f"{title}\n{text}"


@contextmanager
def pool(
    embedder: str, tick: Callable[[], None] = lambda: None
) -> Iterator[Callable[[Sequence[str]], list[np.ndarray]]]:
    """Yield what turns texts into vectors of shape (d,), float32, in their order.

    Args:
        embedder: its id.
        tick: called after each text; what it raises ends the work.

    Raises:
        ModelsMissing: when the embedder's files are missing or damaged and cannot be built.
    """
    made = embedders.get(embedder)
    threads = 1 if made.is_instant else min(os.cpu_count() or 1, _MOST_THREADS)
    with ThreadPoolExecutor(threads, "embed") as executor:

        def embed(texts: Sequence[str]) -> list[np.ndarray]:
            vectors = []
            for vector in executor.map(made.embed, texts):
                vectors.append(vector)
                tick()
            return vectors

        yield embed
