"""From an upload to a version, whatever happens on the way."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from routing import collections, indexes, indexing
from routing.models import Chunk, Document, Upload
from tests.routing import stacks

pytestmark = pytest.mark.django_db


@pytest.fixture
def collection(project):
    return stacks.collection(project)


def test_an_upload_becomes_a_version_that_can_be_searched(collection):
    upload = stacks.upload(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.documents, upload.chunks, upload.embedded) == ("done", 2, 2, 2)
    assert upload.content is None
    assert upload.version.number == 1
    assert (upload.version.documents, upload.version.chunks) == (2, 2)
    index = stacks.opened(upload.version)
    assert index.keys(index.bm25.search("dogs", 5).rows) == ["b"]
    assert index.source(0).chunk == Chunk.objects.get(document__key="a").pk
