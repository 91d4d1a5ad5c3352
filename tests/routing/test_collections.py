"""Collections: made, filled, emptied, deleted."""

import shutil
from datetime import timedelta

import pytest
from django.utils import timezone

from routing import collections, indexes, indexing, retention
from routing.errors import NotFound
from routing.models import Chunk, CollectionVersion, Document, Upload
from tests.routing import stacks

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection(project):
    return stacks.collection(project)


def test_one_is_found_by_its_name(project, demo, collection):
    assert collections.find(project, "handbook") == collection
    with pytest.raises(NotFound, match="no collection 'handbook'"):
        collections.find(demo, "handbook")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"name": "has space"}, "A name has 1 to 60"),
        ({"name": "x" * 61}, "A name has 1 to 60"),
        ({"embedder": "word2vec"}, "There is no embedder “word2vec”; there are minilm, static"),
        ({"chunk_tokens": 15}, "Chunks have 16 to 512 tokens"),
        ({"embedder": "minilm", "chunk_tokens": 255}, "Chunks have 16 to 254 tokens"),
        ({"strategy": "magic"}, "A strategy is one of auto, bm25, dense, hybrid."),
        ({"k": 0}, "An answer has 1 to 50 sources."),
        ({"name": "handbook"}, "There is a collection “handbook” already"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(project, collection, fields, why):
    with pytest.raises(ValueError) as raised:
        collections.create(project, **{"name": "other", "embedder": "static", **fields})
    assert str(raised.value).startswith(why)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.txt", b"", "“a.txt” is empty."),
        ("a.txt", b"\0\1\2", "“a.txt” is binary"),
        ("a.exe", b"MZ", "What kind of file “a.exe” is cannot be told"),
        ("a.txt", b"x" * 1001, "“a.txt” has 0.0 MB, and an upload at most 0.001 MB: split it."),
    ],
)
def test_a_file_that_cannot_be_read_is_not_taken(collection, settings, name, content, why):
    settings.SHADOWEVAL_UPLOAD_MAX_BYTES = 1000
    with pytest.raises(ValueError) as raised:
        collections.upload(collection, name, content)
    assert str(raised.value).startswith(why)
    assert not Upload.objects.exists()


def test_fifty_megabytes_are_too_much(collection):
    with pytest.raises(ValueError, match=r"has 50\.0 MB, and an upload at most 20 MB: split it"):
        collections.upload(collection, "a.txt", b"x" * 50_000_000)


def test_one_document_is_put_and_put_again(collection):
    for text in ("Cats purr.", "Cats hiss."):
        indexing.work(collections.put(collection, "a", text, metadata={"page": 1}).pk)
    (held,) = collections.documents(collection)
    assert (held.text, held.metadata, held.added_in) == ("Cats hiss.", {"page": 1}, 2)
    with pytest.raises(ValueError, match="It has no text"):
        collections.put(collection, "a", " ")


def test_what_is_removed_is_in_older_versions_only(collection):
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    version = collections.remove(collection, ["a", "unknown"])
    assert (version.number, version.documents, version.chunks) == (2, 1, 1)
    assert [row.key for row in collections.documents(collection)] == ["b"]
    assert [row.key for row in collections.documents(collection, 1)] == ["a", "b"]
    with pytest.raises(NotFound, match="no such document"):
        collections.remove(collection, ["a"])
    assert stacks.opened(version).size == 1


def test_deleting_erases_texts_and_keeps_the_name_to_be_told(project, collection):
    stacks.indexed(collection, {"a": "Cats purr."})
    waiting = stacks.upload(collection, {"b": "Dogs bark."})
    collections.delete(collection)
    collections.delete(collection)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.content) == ("cancelled", None)
    assert not Document.objects.exists()
    assert not Chunk.objects.exists()
    assert CollectionVersion.objects.count() == 1
    with pytest.raises(NotFound, match="was deleted on"):
        collections.find(project, "handbook")
    with pytest.raises(NotFound, match="was deleted on"):
        stacks.upload(collection, {"c": "Cows moo."})
    with pytest.raises(NotFound, match="was deleted on"):
        collections.remove(collection, ["a"])
    again = stacks.collection(project)
    assert collections.find(project, "handbook") == again


def test_a_cancelled_upload_that_waits_is_never_begun(collection):
    upload = stacks.upload(collection, {"a": "Cats purr."})
    assert collections.cancel(upload)
    assert not collections.cancel(upload)
    assert not collections.retry(upload)
    assert not indexing.run_due()


def test_retention_takes_what_left_long_ago_and_what_failed(collection, settings):
    settings.SHADOWEVAL_RETENTION_DAYS = 30
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    version = collections.remove(collection, ["a"])
    failed = stacks.upload(collection, {"c": " "})
    indexing.work(failed.pk)
    retention.run()
    assert Document.objects.count() == 2
    retention.run(now=timezone.now() + timedelta(days=31))
    assert [row.key for row in Document.objects.all()] == ["b"]
    failed.refresh_from_db()
    assert failed.content is None
    assert stacks.opened(version).size == 1
    first = collection.versions.get(number=1)
    shutil.rmtree(indexes.folder(first))
    with pytest.raises(ValueError, match="was deleted since"):
        indexes.ensure(first)


def test_too_many_waiting_uploads_are_turned_away(collection, monkeypatch):
    monkeypatch.setattr(collections, "MOST_WAITING", 1)
    stacks.upload(collection, {"a": "Cats purr."})
    with pytest.raises(ValueError, match="come back later"):
        stacks.upload(collection, {"a": "Cats purr."})
