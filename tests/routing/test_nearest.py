"""Both ways to exact neighbours give the same chunks."""

import numpy as np
import psycopg
import pytest
from django.db import connection

from routing import collections, indexes, nearest
from routing.models import Chunk, Document
from shadoweval.embedded.postgres import SUPERUSER
from tests import servers
from tests.routing import stacks

pytestmark = pytest.mark.django_db
D, QUERIES = 64, 200


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def server(db):
    """A database with the extension, which our own server lets only its superuser make."""
    if servers.are_ours("DATABASE_URL"):
        where = {name: connection.settings_dict[name.upper()] for name in ("host", "name")}
        with psycopg.connect(
            host=where["host"], dbname=where["name"], user=SUPERUSER, autocommit=True
        ) as superuser:
            superuser.execute("CREATE EXTENSION IF NOT EXISTS vector")
    if not nearest.prepare():
        pytest.skip("the server has no pgvector")


@pytest.fixture
def version(server, project):
    """A version of 600 chunks, a third of which are there twice, and some almost."""
    drawn = np.random.default_rng(7)
    vectors = unit(drawn.standard_normal((600, D)))
    vectors[200:400] = vectors[:200]
    vectors[400:450] = unit(vectors[:50] + 1e-6 * drawn.standard_normal((50, D)))
    collection = stacks.collection(project)
    rows = [
        Document(collection=collection, key=str(key), sha256="", added_in=1) for key in range(60)
    ]
    Document.objects.bulk_create(rows)
    Chunk.objects.bulk_create(
        Chunk(
            document=rows[number % 60],
            ordinal=number // 60,
            start=0,
            text="x",
            vector=vector.tobytes(),
        )
        for number, vector in enumerate(vectors)
    )
    return collections.make_version(collection, 1, "")


def test_pgvector_and_numpy_name_the_same_chunks_in_the_same_order(version, monkeypatch):
    monkeypatch.setattr(nearest.indexes.embedders, "dimensions", lambda embedder: D)
    drawn = np.random.default_rng(8)
    queries = unit(drawn.standard_normal((QUERIES, D)))
    stored = Chunk.objects.order_by("pk").values_list("vector", flat=True)
    queries[:100] = [np.frombuffer(vector, "<f4") for vector in stored[:100]]  # ties at the top
    for number, query in enumerate(queries):
        k = 1 + number % 20
        by_server = nearest.search(version, query, k, nearest.PGVECTOR)
        by_files = nearest.search(version, query, k, nearest.NUMPY)
        assert by_server.chunks == by_files.chunks
        assert (by_server.scores == by_files.scores).all()
        assert len(by_files.chunks) == k


def test_chunks_that_are_not_in_the_version_are_not_found(server, project):
    collection = stacks.collection(project)
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    collections.remove(collection, ["a"])
    query = stacks.embed("Cats purr.")
    texts = dict(Chunk.objects.values_list("pk", "text"))
    for number, wanted in ((1, {"Cats purr.", "Dogs bark."}), (2, {"Dogs bark."})):
        version = collection.versions.get(number=number)
        for way in (nearest.PGVECTOR, nearest.NUMPY):
            found = nearest.search(version, query, 5, way)
            assert {texts[chunk] for chunk in found.chunks} == wanted


def test_an_empty_version_has_no_neighbours(server, project):
    collection = stacks.collection(project)
    stacks.indexed(collection, {"a": "Cats purr."})
    version = collections.remove(collection, ["a"])
    for way in (nearest.PGVECTOR, nearest.NUMPY):
        assert nearest.search(version, stacks.embed("Cats"), 3, way).chunks == []


def test_a_server_without_the_extension_is_served_by_the_files(project, settings):
    settings.SHADOWEVAL_VECTOR_INDEX = "numpy"
    collection = stacks.collection(project)
    version = stacks.indexed(collection, {"a": "Cats purr."}).version
    assert nearest.usual() == nearest.NUMPY
    assert len(nearest.search(version, stacks.embed("cats"), 3).chunks) == 1
    with pytest.raises(ValueError, match="no extension"):
        nearest.search(version, stacks.embed("cats"), 3, nearest.PGVECTOR)


def test_vectors_made_before_the_extension_came_are_kept_too(server, project, settings):
    settings.SHADOWEVAL_VECTOR_INDEX = "numpy"
    collection = stacks.collection(project)
    version = stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."}).version
    settings.SHADOWEVAL_VECTOR_INDEX = "auto"
    query = stacks.embed("Dogs bark.")
    by_files = nearest.search(version, query, 2, nearest.NUMPY)
    assert nearest.search(version, query, 2).chunks == by_files.chunks
    assert indexes.is_built(version)
