"""What a router asks of an embedder."""

from typing import Protocol

import numpy as np


class Embedder(Protocol):
    """Turns a text into a vector.

    Attributes:
        id: names model and version; stored with every artifact fit on its vectors.
        dimensions: length of a vector.
    """

    id: str
    dimensions: int

    def embed(self, text: str) -> np.ndarray:
        """Return a float32 vector of shape (dimensions,) with unit length."""
        ...
