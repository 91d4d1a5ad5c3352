"""Vectors of the texts that came last: people and programs repeat themselves."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict

import numpy as np

from routing.embedders.base import Embedder

#: With 384 float32 a vector this is 6 MB.
ENTRIES = 4096
#: No embedder reads beyond its first hundreds of tokens; splitting megabytes into tokens, or taking
#: their digest, would hold up everybody else.
MOST_CHARS = 65_536


class Remembering:
    """An embedder that looks first whether it met the text lately; safe between threads.

    Texts are kept as digests only: memory stays bounded, and no prompt stays in it.
    """

    def __init__(self, embedder: Embedder, entries: int = ENTRIES) -> None:
        self.id, self.dimensions = embedder.id, embedder.dimensions
        self.is_instant = embedder.is_instant
        self._embedder = embedder
        self._entries = entries
        self._vectors: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, text: str) -> np.ndarray:
        """Return the vector, which must not be written to: others share it.

        A text is cut at 65,536 characters.
        """
        text = text[:MOST_CHARS]
        digest = _digest(text)
        known = self._look_up(digest)
        if known is not None:
            return known
        vector = self._embedder.embed(
            _whole(text)
        )  # unlocked: two threads may do the same work once
        vector.setflags(write=False)
        with self._lock:
            self._vectors[digest] = vector
            while len(self._vectors) > self._entries:
                self._vectors.popitem(last=False)
        return vector

    def recall(self, text: str) -> np.ndarray | None:
        """Return the vector when it is remembered; never embeds."""
        return self._look_up(_digest(text[:MOST_CHARS]))

    def _look_up(self, digest: bytes) -> np.ndarray | None:
        with self._lock:
            vector = self._vectors.get(digest)
            if vector is not None:
                self._vectors.move_to_end(digest)
            return vector


def _whole(text: str) -> str:
    """Return a text as tokenizers take it: for half a character, which JSON can carry, a mark."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def _digest(text: str) -> bytes:
    # A lone surrogate, which JSON can carry, has no UTF-8.
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
