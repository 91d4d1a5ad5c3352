"""Name the task type of a query: what the client said, else what a small classifier is sure of.

The classifier reads the static vector of the text, which the router may need too and which is then
remembered, and some signs of its form. A policy may have a threshold for each task type, so that a
wrong name is a wrong threshold: where the chance of being right is under a half, and wherever the
classifier is not at hand, the type is `unknown`. Clients that know their task types say them.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import math
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import re2

from routing import embedders
from routing.embedders import ids
from routing.embedders.memory import Remembering

log = logging.getLogger(__name__)

UNKNOWN = "unknown"
#: What can be detected; clients may say others.
NAMES = ("chat", "coding", "factual", "math", "rag", "reasoning", "writing")
#: Under an even chance no name is better than one.
LEAST_CHANCE = 0.5
EMBEDDER = ids.STATIC
ARTIFACT = Path(__file__).parent / "data" / "task_types.npz"
CARD = ARTIFACT.with_suffix(".json")

#: The form is read off the beginning of a text: the reading of signs takes time by its length.
_HEAD = 2048
#: re2 takes time linear in the text, whatever somebody sends; of bytes, it copies nothing.
_SIGNS = tuple(
    re2.compile(pattern.encode())
    for pattern in (
        # What is asked for, in words.
        r"(?i)\b(based on|according to|using only|given) (the|this|these) (text|context|passage|document|article|source)",
        r"(?i)```|\bdef \w+\(|\b(python|javascript|typescript|java|sql|regex|bash|rust|golang|c\+\+|api endpoint|stack trace|unit test|function that|segfault|compile|refactor)\b",
        r"(?i)\b(solve|integral|derivative|equation|probability|prove that|how many|how much|percent|sum of|square root|matrix|triangle)\b|\d\s*[+*/^=]\s*\d|\$\\?\w",
        r"(?i)\b(write|draft|rewrite|rephrase|summari[sz]e|translate|poem|essay|e-?mail|letter|blog post|slogan|headline|proofread)\b",
        r"(?i)\b(why|explain|compare|trade-?offs?|pros and cons|should (i|we)|plan|strategy|analy[sz]e|what would happen|argue)\b",
        r"(?i)^\W*(hi|hello|hey|thanks|thank you|good (morning|evening)|how are you)\b",
        r"(?i)^\W*(who|what|when|where|which|is|are|does|do|did|can|how)\b",
        # Code, formulas, a text that is handed over, a quotation or a table, a question.
        r"(?m)```|^\s{2,}\w.*[;{}:]\s*$|\w+\([^)]*\)\s*[;{]|</?\w+>",
        r"\$[^$\n]+\$|\\(frac|sum|int|mathbb|sqrt)|[∫√≤≥∑π]|\d\s*[-+*/^=]\s*\d|\bx\^?\d?\s*[-+=]",
        r"(?im)\b(context|passage|document|excerpt|article|transcript|source|knowledge base|abstract|text)s?\b\W{0,6}(:|\n|below|above)|\[\d\]|^#+ ?(context|question)",
        r"(?m)[\"“„«].{60,}[\"”»]|\n\s*\n|^>|\|.*\|",
        r"\?\s*$",
    )
)
_CODE_SIGNS, _DIGITS = b"{}();=<>_[]", b"0123456789"


@dataclass(frozen=True, eq=False)
class Model:
    """The classifier: softmax(coef . features + intercept).

    Attributes:
        coef: shape (types, features), rows as in `NAMES`.
        intercept: shape (types,).
    """

    embedder: Remembering
    coef: np.ndarray
    intercept: np.ndarray

    def chances(self, query: str) -> np.ndarray:
        """Return the chance of each type in `NAMES`: shape (types,), summing to one."""
        logits = self.coef @ features(query, self.embedder.embed(query)) + self.intercept
        odds = np.exp(logits - logits.max())
        return np.asarray(odds / odds.sum())

    def name(self, query: str) -> str:
        """Return the likeliest type, or `unknown` where it is likelier to be wrong."""
        chances = self.chances(query)
        best = int(chances.argmax())
        return NAMES[best] if chances[best] >= LEAST_CHANCE else UNKNOWN


def features(query: str, vector: np.ndarray) -> np.ndarray:
    """Return what the classifier reads: the vector, then signs of the text's form, each about 1."""
    # A lone surrogate, which JSON can carry, has no UTF-8.
    head = query[:_HEAD].encode("utf-8", "replace")
    n = max(len(head), 1)
    form = [
        5 * _share(head, _CODE_SIGNS),
        3 * _share(head, _DIGITS),
        math.log1p(n) / 9,
        min(head.count(b"\n"), 20) / 20,
    ]
    signs = [float(sign.search(head) is not None) for sign in _SIGNS]
    return np.concatenate([vector, signs, form])


def _share(text: bytes, letters: bytes) -> float:
    return 1 - len(text.translate(None, letters)) / max(len(text), 1)


class _Holder:
    """The model of this process, once it is loaded; loading is tried once."""

    def __init__(self) -> None:
        self.model: Model | None = None
        self._lock = threading.Lock()
        self._is_tried = self._is_begun = False

    def warm(self) -> None:
        with self._lock:
            if self._is_tried:
                return
            try:
                self.model = load()
            except Exception as exc:
                log.warning("task types are not detected: %s", type(exc).__name__)
            self._is_tried = True

    def name(self, query: str) -> str:
        if self.model is None:
            self._begin()
            return UNKNOWN
        try:
            return self.model.name(query)
        except Exception as exc:
            log.warning("no task type: %s", type(exc).__name__)
            return UNKNOWN

    def _begin(self) -> None:
        """Load in a thread, since reading the embedder's files takes a moment."""
        if not self._is_begun:
            self._is_begun = True
            threading.Thread(target=self.warm, name="task-types", daemon=True).start()


_held = _Holder()


def warm() -> None:
    """Load the classifier now; does nothing when it is there, and raises nothing when it cannot."""
    _held.warm()


def detect(query: str, given: str = "") -> str:
    """Return the task type: the client's word when it is one, else what the classifier says.

    Never waits for the classifier to be loaded and never raises: the type is then `unknown`.
    """
    return given or _held.name(query)


def load(artifact: Path = ARTIFACT, card: Path = CARD) -> Model:
    """Return the stored classifier on its embedder.

    Raises:
        ModelsMissing: when the embedder's files are not there and cannot be built.
        ValueError, KeyError, OSError: when the files are not what was stored.
    """
    body, noted = artifact.read_bytes(), json.loads(card.read_text(encoding="utf-8"))
    if hashlib.sha256(body).hexdigest() != noted["sha256"]:
        raise ValueError(f"{artifact.name} is not the file that its card describes")
    if noted["embedder"] != EMBEDDER or tuple(noted["names"]) != NAMES:
        raise ValueError(f"{artifact.name} was fitted on another embedder or for other types")
    with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
        coef, intercept = arrays["coef"], arrays["intercept"]
    used = embedders.get(EMBEDDER)
    n_features = features("", np.zeros(used.dimensions)).size
    shapes = (coef.shape, intercept.shape)
    if shapes != ((len(NAMES), n_features), (len(NAMES),)) or not np.isfinite(coef).all():
        raise ValueError(f"{artifact.name} holds arrays of shapes {shapes}")
    return Model(used, coef, intercept)
