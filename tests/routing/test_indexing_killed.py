"""A real indexer, killed amid its work."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.utils import timezone

from routing import collections, indexing
from routing.models import Chunk, Document, Upload
from tests.routing import stacks

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
_INDEXER = """
import sys, django; django.setup()
from routing import indexing
indexing._CHUNKS = 8
indexing.work(int(sys.argv[1]))
"""


def test_an_indexer_killed_amid_embedding_loses_nothing(project, settings):
    texts = {f"doc{number}": f"Passage {number} of many. " * 30 for number in range(150)}
    collection = stacks.collection(project)
    upload = stacks.upload(collection, texts)
    url = urlsplit(os.environ["DATABASE_URL"])
    url = url._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    env = os.environ | {
        "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "shadoweval.settings",
        "SHADOWEVAL_INDEX_DIR": str(settings.SHADOWEVAL_INDEX_DIR),
    }  # fmt: skip
    indexer = subprocess.Popen([sys.executable, "-c", _INDEXER, str(upload.pk)], env=env)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and indexer.poll() is None:
        upload.refresh_from_db()
        if upload.embedded:
            break
        time.sleep(0.02)
    indexer.send_signal(signal.SIGKILL)
    assert indexer.wait() == -signal.SIGKILL
    upload.refresh_from_db()
    done = Chunk.objects.exclude(vector=None).count()
    assert upload.state == "running"
    assert 0 < done == upload.embedded < upload.chunks
    kept = set(Chunk.objects.exclude(vector=None).values_list("pk", flat=True))
    assert indexing.claim() is None  # its lease holds
    Upload.objects.update(lease_until=timezone.now())
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.embedded) == ("done", upload.chunks)
    assert kept <= set(Chunk.objects.values_list("pk", flat=True))
    assert Document.objects.count() == len(texts)
    assert stacks.opened(upload.version).size == upload.chunks


@pytest.mark.parametrize("is_published", [False, True])
def test_deleting_amid_a_step_waits_for_it_and_neither_is_aborted(
    project, monkeypatch, is_published
):
    """The worker holds its upload, and is about to need the collection that deleting has locked."""
    collection = stacks.collection(project)
    upload = stacks.upload(collection, {"a": "Cats purr."})
    told: list[BaseException] = []

    def delete():
        try:
            collections.delete(collection)
        except BaseException as exc:
            told.append(exc)
        finally:
            connection.close()

    deleting = threading.Thread(target=delete)
    step = indexing._Hold.step

    @contextmanager
    def slow(hold, **progress):
        with step(hold, **progress):
            is_mine = "content" in progress if is_published else "chunks" in progress
            if is_mine and deleting.ident is None:
                deleting.start()
                _wait_for_a_lock()
            yield

    monkeypatch.setattr(indexing._Hold, "step", slow)
    indexing.work(upload.pk)
    deleting.join(10)
    assert told == []
    assert not Document.objects.exists()
    collection.refresh_from_db()
    assert collection.deleted_at is not None


def _wait_for_a_lock():
    with connection.cursor() as cursor:
        for _ in range(500):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")
