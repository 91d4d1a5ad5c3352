"""Does what was built embed like the original? Only here is sentence-transformers used.

More than three hundred texts: the starter queries and some that are hard on a tokenizer or on int8.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from routing.embedders import files, ids, minilm
from routing.embedders.static import Static

_QUERIES = Path(__file__).parent.parent / "data" / "starter_queries.jsonl"
#: Nothing is fetched, whatever the libraries' defaults are.
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
_HARD = (
    "?",
    "a",
    "Why",
    "1234567890",
    "3.14159 * (2 + 7) / 0.5 = ?",
    "SELECT name FROM people WHERE age > 30;",
    "def square(x):\n    return x ** 2",
    "https://example.org/orders?id=17&page=2",
    "ERROR 12:03:04.123 [main] connection reset by peer",
    "😀 👍",
    "你好，世界",
    "Привет, как дела?",
    "Où est la bibliothèque, s'il vous plaît ?",
    "Guten Tag, ich hätte gern eine Auskunft über meine Rechnung.",
    "word " * 400,
)
_PADDED = 64
FP32_MAX_DIFFERENCE = 1e-4
INT8_MEAN_COSINE, INT8_MIN_COSINE = 0.99, 0.98
#: First and last three coordinates of two texts under ids.STATIC: other vectors need another id.
_PINNED = {
    "What is a VAT return?": (0.1413, -0.1817, -0.2686, -0.0264, 0.0769, -0.0073),
    "Prove that the square root of two is irrational.": (
        0.1244,
        -0.3790,
        -0.0877,
        0.0428,
        0.0218,
        -0.0512,
    ),
}
_PIN_TOLERANCE = 2e-3


class Disagreement(Exception):
    """The files that were built do not embed as they should; they must not be used."""


@dataclass(frozen=True)
class Measured:
    """How far what was built is from sentence-transformers.

    Attributes:
        fp32_max_difference: largest difference of a coordinate, one text at a time.
        fp32_max_difference_padded: the same with texts of all lengths in one padded batch.
        int8_mean_cosine: mean cosine over the texts, one at a time.
        int8_min_cosine: the worst text's.
    """

    texts: int
    fp32_max_difference: float
    fp32_max_difference_padded: float
    int8_mean_cosine: float
    int8_min_cosine: float


def texts() -> list[str]:
    """Return the texts that are compared, 1 to 400 words long."""
    with _QUERIES.open(encoding="utf-8") as lines:
        queries: list[str] = [json.loads(line)["query"] for line in lines]
    long = [" ".join(queries[start : start + 6]) for start in range(0, 60, 6)]
    return [*_HARD, *long, *queries]


def measure(folder: Path, weights_dir: Path) -> dict[str, float]:
    """Return what was measured, for the manifest.

    Args:
        folder: of the finished files with their manifest.
        weights_dir: of the original.

    Raises:
        Disagreement: when it is more than the limits above.
    """
    compared = texts()
    reference = _reference(compared, weights_dir)
    fp32, int8 = (
        np.stack([embedder.embed(text) for text in compared])
        for embedder in (minilm.MiniLM(id, folder) for id in (ids.MINILM_FP32, ids.MINILM))
    )
    padded = _padded(compared[:_PADDED], folder)
    cosines = (int8 * reference).sum(axis=1)
    measured = Measured(
        texts=len(compared),
        fp32_max_difference=float(np.abs(fp32 - reference).max()),
        fp32_max_difference_padded=float(np.abs(padded - reference[:_PADDED]).max()),
        int8_mean_cosine=float(cosines.mean()),
        int8_min_cosine=float(cosines.min()),
    )
    require(measured)
    _require_pinned(Static(ids.STATIC, folder))
    return asdict(measured)


def require(measured: Measured) -> None:
    """Refuse what is too far from the original; a figure that is no number is too far.

    Raises:
        Disagreement: saying which figure it is.
    """
    limits = (
        ("fp32", measured.fp32_max_difference <= FP32_MAX_DIFFERENCE),
        ("fp32 with padding", measured.fp32_max_difference_padded <= FP32_MAX_DIFFERENCE),
        ("int8 in the mean", measured.int8_mean_cosine >= INT8_MEAN_COSINE),
        ("int8 at worst", measured.int8_min_cosine >= INT8_MIN_COSINE),
    )
    failed = [name for name, holds in limits if not holds]
    if failed:
        raise Disagreement(
            f"not the vectors of sentence-transformers: {', '.join(failed)}: {measured}"
        )


def _require_pinned(static: Static) -> None:
    for text, pinned in _PINNED.items():
        got = static.embed(text)[[0, 1, 2, -3, -2, -1]]
        if not np.allclose(got, pinned, atol=_PIN_TOLERANCE):
            raise Disagreement(f"not the vectors that {ids.STATIC} names: {got} for {text!r}")


def _reference(compared: list[str], weights_dir: Path) -> np.ndarray:
    """Return the original's vectors; its own padding moves them by 1e-7 at most."""
    os.environ.update(_OFFLINE)
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    logging.disable_progress_bar()
    model = SentenceTransformer(str(weights_dir), device="cpu")
    model.max_seq_length = minilm.MAX_TOKENS
    vectors = model.encode(
        compared, batch_size=16, normalize_embeddings=True, show_progress_bar=False
    )
    return np.asarray(vectors, dtype=np.float32)


def _padded(compared: list[str], folder: Path) -> np.ndarray:
    """Return fp32 vectors of one batch, padded to its longest text."""
    tokenizer: Tokenizer = minilm.tokenizer(folder / files.TOKENIZER)
    tokenizer.enable_padding()
    found = tokenizer.encode_batch(compared)
    tokens = np.array([one.ids for one in found], dtype=np.int64)
    mask = np.array([one.attention_mask for one in found], dtype=np.int64)
    return minilm.run(minilm.session(folder / files.FP32), tokens, mask)
