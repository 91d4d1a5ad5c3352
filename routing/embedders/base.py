"""What a router asks of an embedder."""

from typing import Protocol

import numpy as np


class Embedder(Protocol):
    """Turns a text into a vector.

    Attributes:
        id: names model and version; stored with every artifact fit on its vectors.
        dimensions: length of a vector.
        is_instant: a text takes about a millisecond at most, whatever its length: it may be
            embedded on the event loop.
    """

    id: str
    dimensions: int
    is_instant: bool

    def embed(self, text: str) -> np.ndarray:
        """Return a float32 vector of shape (dimensions,) with unit length.

        A static embedder that knows none of the text's tokens returns zeros.
        """
        ...
