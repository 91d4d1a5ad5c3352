"""all-MiniLM-L6-v2 by onnxruntime.

Texts are cut at 256 word pieces, the length the model was trained with. One text at a time, in
training as in serving: int8 scales its activations by what is in the batch, so that a text's
neighbours would move its vector.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from routing.embedders import files, ids

MAX_TOKENS = 256
_FILES = {ids.MINILM: files.INT8, ids.MINILM_FP32: files.FP32}


class MiniLM:
    """The sentence encoder; about 3 to 60 ms a text on one core, by its length."""

    dimensions = 384
    is_instant = False

    def __init__(self, id: str, folder: Path) -> None:
        self.id = id
        self._tokenizer = tokenizer(files.verified(folder, files.TOKENIZER))
        self._session = session(files.verified(folder, _FILES[id]))

    def embed(self, text: str) -> np.ndarray:
        """Return the vector of one text, shape (384,), unit length."""
        tokens = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        return run(self._session, tokens, np.ones_like(tokens))[0]


def tokenizer(path: Path) -> Tokenizer:
    """Return the model's tokenizer; its file says to pad all to 128 and cut there."""
    made = Tokenizer.from_file(str(path))
    made.no_padding()
    made.enable_truncation(MAX_TOKENS)
    return made


def session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return a session that leaves the other cores, and memory it needed once, to others."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # an arena keeps what the longest text needed
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(session: onnxruntime.InferenceSession, tokens: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return vectors of shape (batch, 384) for token ids and mask of shape (batch, length)."""
    vectors: np.ndarray = session.run(None, {"input_ids": tokens, "attention_mask": mask})[0]
    return vectors
