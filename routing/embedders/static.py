"""The static table distilled from all-MiniLM-L6-v2: a text is the mean of its tokens' vectors.

model2vec's `StaticModel` computes the same vectors from this table. It does not serve them: its
`encode` sets the tokenizer's truncation anew in every call, while another thread may use it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from routing.embedders import files
from routing.embedders.pieces import Pieces

MAX_TOKENS = 512
#: Tokens are found in the whole text before it is cut: first this, or a long text takes long.
MAX_CHARS = 4096


class Static:
    """A look-up and a mean: a tenth of a millisecond for most texts."""

    dimensions = 256
    is_instant = True

    def __init__(self, id: str, folder: Path) -> None:
        self.id = id
        tensors = load_file(files.verified(folder, files.TABLE))
        # Stored in half of the memory; to widen each row when it is read takes as long as all else.
        self._table = tensors["embeddings"].astype(np.float32)
        tokenizer = Tokenizer.from_file(str(files.verified(folder, files.TOKENIZER)))
        self._pieces = Pieces(tokenizer, MAX_TOKENS)

    def embed(self, text: str) -> np.ndarray:
        """Return the vector of one text, shape (256,): unit length, or zeros without a known token.

        A text is cut at 4,096 characters, then at 512 word pieces.
        """
        unknown = self._pieces.unknown
        ids = [piece for piece in self._pieces.of(text[:MAX_CHARS]) if piece != unknown]
        if not ids:
            return np.zeros(self.dimensions, dtype=np.float32)
        # As long as the mean is not looked at.
        total = np.add.reduce(self._table.take(ids, axis=0), axis=0)
        unit: np.ndarray = total / max(math.sqrt(float(total @ total)), 1e-12)
        return unit
