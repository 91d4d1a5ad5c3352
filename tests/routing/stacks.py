"""Collections for tests, with the embedder that takes no time."""

import json

from routing import collections, embedders, indexes, indexing
from routing.embedders import ids
from routing.models import Upload
from routing.retrieval.index import Index


def collection(project, name="handbook", **fields):
    """Return an empty collection with the static embedder."""
    return collections.create(project, name, embedder="static", **fields)


def lines(texts, **more):
    """Return documents by key as JSON lines."""
    rows = ({"id": key, "text": text, **more} for key, text in texts.items())
    return "\n".join(map(json.dumps, rows)).encode()


def upload(into, texts, *, replaces_all=False, **more):
    """Return an upload of documents by key that waits; all of them have what is said more."""
    content = lines(texts, **more)
    return collections.upload(into, "docs.jsonl", content, replaces_all=replaces_all)


def indexed(into, texts, **options):
    """Return an upload of documents by key that is done."""
    made = upload(into, texts, **options)
    indexing.work(made.pk)
    made.refresh_from_db()
    assert made.state == Upload.State.DONE, made.reason
    return made


def opened(version):
    """Return a version's index."""
    return Index.open(indexes.ensure(version))


def embed(text):
    """Return the static embedder's vector."""
    return embedders.get(ids.STATIC).embed(text)
