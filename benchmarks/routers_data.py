"""Recorded pairs of answers of known quality, cut into folds; routers fit and scored on them."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT.parent / "shared" / "data"
MATRIX = "zeroeval_matrix"
#: By name: file, and the names that its two models have in the matrix of many models.
FILES = {
    "haiku/opus": ("zeroeval_claude3_haiku_opus", ("claude-3-haiku", "claude-3-opus")),
    "3.5 haiku/sonnet": (
        "zeroeval_claude35_haiku_sonnet",
        ("claude-3-5-haiku", "claude-3-5-sonnet-20241022"),
    ),
    "MMLU": ("routellm_mmlu", None),
    "GSM8K": ("routellm_gsm8k", None),
    "MT-Bench": ("routellm_mtbench", None),
    "Gemini": ("mmlupro_gemini15_flash_pro", None),
}
FOLDS = 5
SEED = 7


@dataclass(frozen=True, eq=False)
class Recorded:
    """One set: n queries, the quality of both answers, and what the set calls their subject."""

    name: str
    queries: tuple[str, ...]
    cheap: np.ndarray
    expensive: np.ndarray
    subject: np.ndarray
    vectors: np.ndarray
    outcomes: object = None

    def part(self, rows):
        """Return labelled examples of some rows, as routers are fit on them."""
        from routing.routers.kinds import Examples

        rows = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else rows
        outcomes = self.outcomes and replace(self.outcomes, quality=self.outcomes.quality[rows])
        return Examples(
            tuple(self.queries[row] for row in rows),
            self.cheap[rows],
            self.expensive[rows],
            np.ones(len(rows)),
            outcomes=outcomes,
            vectors=self.vectors[rows],
        )

    def folds(self, salt: str = "") -> np.ndarray:
        """Return each row's fold; a query that comes twice is in one only."""
        digests = (hashlib.sha256((salt + query).encode()).digest() for query in self.queries)
        return np.array([int.from_bytes(digest[:8], "big") % FOLDS for digest in digests])


def set_up() -> None:
    os.environ.setdefault("SHADOWEVAL_MODELS", str(ROOT / ".models"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shadoweval.settings")
    import django

    django.setup()


def rows_of(file: str, folder: Path = FOLDER) -> list[dict]:
    with gzip.open(folder / f"{file}.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row for row in rows if not (row.get("extra") or {}).get("contaminated")]


def read(name: str, folder: Path = FOLDER) -> Recorded:
    """Return a set without the rows that its source calls contaminated."""
    from routing import embedders
    from routing.embedders import ids

    file, models = FILES[name]
    rows = rows_of(file, folder)
    static = embedders.get(ids.STATIC)
    return Recorded(
        name,
        tuple(row["query"] for row in rows),
        np.array([row["quality_cheap"] for row in rows], dtype=float),
        np.array([row["quality_expensive"] for row in rows], dtype=float),
        np.array([row["subtask"] or row["task"] for row in rows]),
        np.stack([static.embed(row["query"]) for row in rows]),
        outcomes(rows, models, folder) if models else None,
    )


def outcomes(rows: list[dict], models: tuple[str, str], folder: Path):
    """Return how many models did on the same prompts; the two in question as this set has them."""
    from routing.routers.kinds import Outcomes

    known = {row["id"]: row["correct"] for row in rows_of(MATRIX, folder)}
    others = sorted({name for said in known.values() for name in said} - set(models))
    names = (*models, *others)
    quality = np.full((len(rows), len(names)), np.nan)
    for place, row in enumerate(rows):
        said = known.get(row["id"], {})
        quality[place] = [said.get(name, np.nan) for name in names]
        quality[place, :2] = row["quality_cheap"], row["quality_expensive"]
    return Outcomes(names, quality, *models)


def held_out(kind: str, data: Recorded, folds: np.ndarray) -> np.ndarray:
    """Return each row's score by a router that was fit without its fold."""
    scores = np.empty(len(data.queries))
    for fold, router in fitted(kind, data, folds):
        for row in np.flatnonzero(folds == fold):
            scores[row] = router.score(data.queries[row]).value
    return scores


def fitted(kind: str, data: Recorded, folds: np.ndarray) -> Iterator[tuple[int, object]]:
    for fold in np.unique(folds):
        yield int(fold), router_of(kind, data.part(folds != fold))


def router_of(kind: str, examples):
    """Return a router fit, stored and loaded as the service does it."""
    from routing import routers
    from routing.embedders import ids

    used = routers.kinds()[kind]
    embedder = ids.STATIC if used.has_embedder else ""
    artifact = used.fit(examples, embedder, SEED, {}) if used.fit else used.make({})
    return routers.load(kind, artifact, embedder)
