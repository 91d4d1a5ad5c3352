"""Fit the starter router: the one that decides from the first minute, before there are labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from routing.embedders import minilm
from routing.models import RouterVersion
from routing.routers import embedding

STARTER_NAME = "starter-1"
STARTER_QUERIES = Path(__file__).parent / "data" / "starter_queries.jsonl"
_SEED = 7


def starter_rows() -> list[dict[str, Any]]:
    """Return the labelled queries that come with the project."""
    with STARTER_QUERIES.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def fit_starter(progress: Callable[[int, int], None] = lambda done, total: None) -> RouterVersion:
    """Write the starter router; a second run returns the first one's row.

    Its labels are a person's guess at what a small model can do (proxy labels). It is a place to
    start from, not evidence.
    """
    known = RouterVersion.objects.filter(name=STARTER_NAME).first()
    if known:
        return known
    rows, embedder = starter_rows(), minilm.shared()
    vectors = []
    for done, row in enumerate(rows, start=1):
        vectors.append(embedder.embed(row["query"]))
        progress(done, len(rows))
    labels = [row["needs_expensive"] for row in rows]
    coef, intercept = embedding.fit(np.stack(vectors), labels, _SEED)
    artifact = embedding.dumps(coef, intercept)
    return RouterVersion.objects.create(
        name=STARTER_NAME,
        kind=embedding.KIND,
        embedder=embedder.id,
        artifact=artifact,
        sha256=hashlib.sha256(artifact).hexdigest(),
        is_starter=True,
        card={
            "labels": "proxy: a person's guess, no model was asked",
            "n": len(rows),
            "positives": int(sum(labels)),
            "seed": _SEED,
            "training_sha256": hashlib.sha256(STARTER_QUERIES.read_bytes()).hexdigest(),
        },
    )
