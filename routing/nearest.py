"""Exact neighbours in a version of a collection, by pgvector or by the mapped files.

Off the hot path only: evaluations, and whoever compares the two. Both ways name candidates and
leave no true one out; `dense.scores` then ranks them: the same chunks come in the same order.
Requests are always answered from the files; why: docs/adr/0041.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from routing import indexes
from routing.models import Chunk, CollectionVersion
from routing.retrieval import dense
from routing.retrieval.index import Index

PGVECTOR, NUMPY = "pgvector", "numpy"
_BATCH = 1000
#: Two creators at once would trip over each other.
_LOCK = 0x5EC70
_CANDIDATES = """
WITH scored AS MATERIALIZED (
    SELECT chunk.id, document.id AS document_id, chunk.ordinal,
        -(chunk.embedding <#> %(vector)s::vector) AS score
    FROM routing_chunk AS chunk JOIN routing_document AS document ON document.id = document_id
    WHERE document.collection_id = %(collection)s AND document.added_in <= %(number)s
        AND (document.removed_in IS NULL OR document.removed_in > %(number)s)
), edge AS (
    SELECT min(score) AS score
    FROM (SELECT score FROM scored ORDER BY score DESC LIMIT %(k)s) AS first
)
SELECT scored.id, chunk.vector FROM scored JOIN routing_chunk AS chunk USING (id)
WHERE scored.score >= (SELECT score FROM edge) - %(slack)s
ORDER BY scored.document_id, scored.ordinal
"""


class Near(NamedTuple):
    """Chunks, best first: their numbers in the database, and scores of shape (n,), float32."""

    chunks: list[int]
    scores: np.ndarray


def search(version: CollectionVersion, vector: np.ndarray, k: int, way: str = "") -> Near:
    """Return the k chunks of a version whose inner product with a vector is highest.

    Args:
        version: what is searched.
        vector: shape (d,), float32, of unit length or zero.
        k: how many, at least 1.
        way: pgvector or numpy; by SHADOWEVAL_VECTOR_INDEX when empty.

    Raises:
        ValueError: when pgvector is asked for and the server has none, or the version's documents
            were deleted since.
    """
    if (way or usual()) == NUMPY:
        found = Index.open(indexes.ensure(version))
        near = found.dense.search(vector, k)
        return Near(found.chunks(near.rows), near.scores)
    if not prepare():
        raise ValueError("The database server has no extension “vector” that this user may use.")
    fill(version.collection_id)
    return _by_server(version, vector, k)


def usual() -> str:
    """Return the way that SHADOWEVAL_VECTOR_INDEX leads to here."""
    if settings.SHADOWEVAL_VECTOR_INDEX != "auto":
        return str(settings.SHADOWEVAL_VECTOR_INDEX)
    return PGVECTOR if prepare() else NUMPY


def _by_server(version: CollectionVersion, vector: np.ndarray, k: int) -> Near:
    told: dict[str, Any] = {
        "vector": _written(vector), "collection": version.collection_id, "number": version.number,
        "k": k, "slack": dense.slack(len(vector)),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES, told)
        rows = cursor.fetchall()
    if not rows:
        return Near([], np.empty(0, np.float32))
    vectors = np.stack([np.frombuffer(stored, "<f4") for _, stored in rows])
    found = dense.best(vectors, np.arange(len(rows)), vector, k)
    return Near([rows[row][0] for row in found.rows], found.scores)


def _written(vector: np.ndarray) -> str:
    """Return a vector as pgvector reads it; float32 survives as its shortest decimal."""
    return "[" + ",".join(map(str, vector.astype(np.float32))) + "]"


def prepare() -> bool:
    """Return whether the server keeps vectors too; makes extension and column if it may.

    No migration needs them: a server without the extension, or a user who may not make it, is
    served by the files alone.
    """
    if settings.SHADOWEVAL_VECTOR_INDEX == NUMPY:
        return False
    if _has_column():
        return True
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            cursor.execute("CREATE EXTENSION IF NOT EXISTS vector")
            cursor.execute("ALTER TABLE routing_chunk ADD COLUMN IF NOT EXISTS embedding vector")
            # Random numbers do not compress; trying takes longer than reading them.
            cursor.execute("ALTER TABLE routing_chunk ALTER embedding SET STORAGE EXTERNAL")
    except DatabaseError:
        return False
    return True


def _has_column() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'routing_chunk'::regclass"
            " AND attname = 'embedding' AND NOT attisdropped)"
        )
        return bool(cursor.fetchone()[0])


def keep(ids: Sequence[int], vectors: Sequence[np.ndarray]) -> None:
    """Write the server's own form of vectors that chunks were given; needs `prepare`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE routing_chunk SET embedding = told.vector::vector"
            " FROM unnest(%s::bigint[], %s::text[]) AS told(id, vector)"
            " WHERE routing_chunk.id = told.id",
            [list(ids), [_written(vector) for vector in vectors]],
        )


def fill(collection_id: int) -> None:
    """Have the server keep the vectors that were made before it could."""
    while True:
        rows = Chunk.objects.filter(document__collection=collection_id, vector__isnull=False)
        rows = rows.extra(where=["routing_chunk.embedding IS NULL"])  # noqa: S610 - no value in it
        some = list(rows.order_by("pk").values_list("pk", "vector")[:_BATCH])
        if not some:
            return
        keep([pk for pk, _ in some], [np.frombuffer(stored or b"", "<f4") for _, stored in some])
