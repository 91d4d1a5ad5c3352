"""Fit the starter router: the one that decides from the first minute, before there are labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from routing import embedders
from routing.models import RouterVersion
from routing.routers import embedding

STARTER_QUERIES = Path(__file__).parent / "data" / "starter_queries.jsonl"
_SEED = 7


def starter_rows() -> list[dict[str, Any]]:
    """Return the labelled queries that come with the project."""
    with STARTER_QUERIES.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def starter_name() -> str:
    """Return the name of the starter version; it tells the embedder, so that none clash."""
    return f"starter-{settings.SHADOWEVAL_EMBEDDER}-1"


def fit_starter(progress: Callable[[int, int], None] = lambda done, total: None) -> RouterVersion:
    """Write the starter router of the settings' embedder; a second run returns the first one's row.

    Each embedder has a starter of its own, so that a changed setting writes another and leaves the
    one that policies use. Its labels are a person's guess at what a small model can do
    (proxy labels). It is a place to start from, not evidence.
    """
    name = starter_name()
    known = RouterVersion.objects.filter(name=name).first()
    if known:
        return known
    rows = starter_rows()
    embedder = embedders.get(embedders.NAMES[settings.SHADOWEVAL_EMBEDDER])
    vectors = []
    for done, row in enumerate(rows, start=1):
        vectors.append(embedder.embed(row["query"]))
        progress(done, len(rows))
    labels = [row["needs_expensive"] for row in rows]
    coef, intercept = embedding.fit(np.stack(vectors), labels, _SEED)
    artifact = embedding.dumps(coef, intercept)
    return RouterVersion.objects.create(
        name=name,
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
