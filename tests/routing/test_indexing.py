"""From an upload to a version, whatever happens on the way."""

from datetime import timedelta
from unittest.mock import Mock

import pytest
from django.db.models import F
from django.utils import timezone

from routing import collections, indexing, upkeep
from routing.models import Chunk, Document, Upload
from routing.retrieval import pdf
from tests.routing import stacks

pytestmark = pytest.mark.django_db
MANY = {f"doc{number}": f"Passage number {number} of many." for number in range(150)}


@pytest.fixture
def collection(project):
    return stacks.collection(project)


def keys(collection, number=None):
    held = collections.documents(collection, number)
    return list(held.values_list("key", flat=True))


def expire(upload):
    Upload.objects.filter(pk=upload.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


class Killed(BaseException):
    """What ends a worker amid its work, as no handler sees it."""


def die(*args, **kwargs):
    raise Killed


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


def test_only_what_changed_is_read_again(collection):
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    second = stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs howl.", "c": "Cows moo."})
    assert (second.documents, second.embedded, second.version.number) == (2, 2, 2)
    assert keys(collection) == ["a", "b", "c"]
    assert keys(collection, 1) == ["a", "b"]
    index = stacks.opened(collection.versions.get(number=1))
    assert [index.source(row).text for row in range(index.size)] == ["Cats purr.", "Dogs bark."]


def test_another_title_or_other_metadata_is_a_change(collection):
    stacks.indexed(collection, {"a": "Cats purr."})
    stacks.indexed(collection, {"a": "Cats purr."}, title="Cats")
    last = stacks.indexed(collection, {"a": "Cats purr."}, title="Cats", metadata={"page": 1})
    assert last.version.number == 3


def test_the_same_file_twice_makes_no_version(collection):
    first = stacks.indexed(collection, {"a": "Cats purr."})
    second = stacks.indexed(collection, {"a": "Cats purr."})
    assert second.version == first.version
    assert second.documents == 0


def test_a_file_that_replaces_all_keeps_what_is_unchanged(collection):
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    last = stacks.indexed(collection, {"a": "Cats purr.", "c": "Cows moo."}, replaces_all=True)
    assert keys(collection) == ["a", "c"]
    assert last.documents == 1


def test_a_refused_document_leaves_the_others(collection):
    content = stacks.lines({"a": "Cats purr.", "b": " ", "c": "Cows moo."}) + b"\nno json"
    upload = collections.upload(collection, "docs.jsonl", content)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert keys(collection) == ["a", "c"]
    assert [(one["where"], one["key"]) for one in upload.refused] == [
        ("line 2", "b"),
        ("line 4", ""),
    ]


def test_a_document_that_cannot_be_read_any_more_is_not_dropped_by_a_file_that_replaces_all(
    collection,
):
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    stacks.indexed(collection, {"a": "Cats purr.", "b": " "}, replaces_all=True)
    assert keys(collection) == ["a", "b"]


def test_an_upload_without_a_readable_document_fails_with_the_reason(collection):
    upload = stacks.upload(collection, {"a": " "})
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert upload.state == "failed"
    assert upload.reason == "No document can be read: line 1: It has no text."


@pytest.mark.parametrize(("name", "content"), [("a.pdf", b"%PDF-1.7\n"), ("a.jsonl", b"no json")])
def test_what_can_never_be_read_is_not_tried_again(collection, name, content):
    upload = collections.upload(collection, name, content)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.content) == ("failed", None)
    assert not collections.retry(upload)


def test_what_a_busy_machine_could_not_read_may_be_tried_again(collection, monkeypatch):
    monkeypatch.setattr(pdf, "_WAIT_S", 0)
    upload = collections.upload(collection, "a.pdf", b"%PDF-1.7\n")
    indexing.work(upload.pk)
    assert collections.retry(upload)


def test_one_that_fails_after_it_was_embedded_is_read_anew(collection, monkeypatch):
    """A file that replaces everything is parsed once more at the end."""
    stacks.indexed(collection, {"a": "Cats purr."})
    upload = stacks.upload(collection, {"b": "Dogs bark."}, replaces_all=True)
    looks = iter([indexing._parsed, Mock(side_effect=indexing._Refused("Busy."))])
    with monkeypatch.context() as patched:
        patched.setattr(indexing, "_parsed", lambda row: next(looks)(row))
        indexing.work(upload.pk)
    assert collections.retry(upload)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.embedded) == ("done", 1)
    assert keys(collection) == ["b"]


@pytest.mark.parametrize(
    ("most", "texts"),
    [(3, {"c": "Cows moo.", "d": "Ducks quack."}), (160, MANY | {"doc149": "Some words. " * 999})],
)
def test_too_many_chunks_fail_and_leave_nothing(collection, settings, monkeypatch, most, texts):
    monkeypatch.setattr(indexing, "_DOCUMENTS", 20)
    settings.SHADOWEVAL_COLLECTION_MAX_CHUNKS = most
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    upload = stacks.upload(collection, texts)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert upload.state == "failed"
    assert f"at most {most} chunks" in upload.reason
    assert keys(collection) == ["a", "b"]
    assert not upload.rows.exists()
    assert collections.retry(upload)  # with others removed it may fit


@pytest.mark.parametrize("after", [0, 1, 3, 5, 6, 8, 9])
def test_whoever_comes_after_a_worker_that_died_goes_on_where_it_was(
    collection, monkeypatch, after
):
    """A worker makes nine steps here: one, three that read, three that embed, two to the end."""
    upload = stacks.upload(collection, MANY)
    step, made = indexing._Hold.step, []

    def counted(hold, **progress):
        if len(made) == after:
            raise Killed
        made.append(progress)
        return step(hold, **progress)

    monkeypatch.setattr(indexing._Hold, "step", counted)
    is_short = False
    try:
        indexing.work(upload.pk)
    except Killed:
        is_short = True
    monkeypatch.undo()
    embedded = Chunk.objects.exclude(vector=None).count()
    expire(upload)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert upload.state == "done"
    assert (upload.documents, upload.chunks, upload.embedded) == (150, 150, 150)
    assert collection.versions.count() == 1
    assert Document.objects.count() == Chunk.objects.count() == 150
    assert stacks.opened(upload.version).size == 150
    assert embedded == {5: 64, 6: 128}.get(after, 0 if after < 5 else 150)
    assert is_short == (after < 9)


def test_a_worker_that_was_taken_for_dead_writes_nothing_more(collection):
    upload = stacks.upload(collection, {"a": "Cats purr."})
    slow = indexing._Hold(indexing.claim(upload.pk))
    expire(upload)
    indexing.work(upload.pk)
    with pytest.raises(indexing._Lost), slow.step():
        raise AssertionError
    slow.end("failed", "too late")
    upload.refresh_from_db()
    assert upload.state == "done"


def test_a_worker_that_lives_keeps_its_upload(collection):
    upload = stacks.upload(collection, {"a": "Cats purr."})
    assert indexing.claim(upload.pk) is not None
    assert indexing.claim(upload.pk) is None
    assert not indexing.run_due()


def test_a_slow_worker_is_not_taken_for_dead(collection, monkeypatch):
    """A minute for each passage: a group of them takes longer than a lease."""
    upload, begun, minutes = stacks.upload(collection, MANY), timezone.now(), []
    pool, others = indexing.embedding.pool, []
    monkeypatch.setattr(timezone, "now", lambda: begun + timedelta(minutes=len(minutes)))

    def slow(embedder, tick):
        def later():
            minutes.append(1)
            others.append(indexing.claim())
            tick()

        return pool(embedder, later)

    monkeypatch.setattr(indexing.embedding, "pool", slow)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.attempts, len(minutes)) == ("done", 1, 150)
    assert set(others) == {None}


def test_one_that_cuts_slowly_is_not_either(collection, monkeypatch):
    upload, begun, minutes = stacks.upload(collection, MANY), timezone.now(), []
    cut, others = indexing.chunking.cut, []
    monkeypatch.setattr(timezone, "now", lambda: begun + timedelta(minutes=len(minutes)))

    def slow(*args, **options):
        minutes.append(1)
        others.append(indexing.claim())
        return cut(*args, **options)

    monkeypatch.setattr(indexing.chunking, "cut", slow)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, set(others)) == ("done", {None})


def test_an_upload_that_costs_three_workers_fails(collection):
    upload = stacks.upload(collection, {"a": "Cats purr."})
    for _ in range(3):
        assert indexing.claim(upload.pk) is not None
        expire(upload)
    assert indexing.claim(upload.pk) is None
    upload.refresh_from_db()
    assert upload.state == "failed"
    assert "died 3 times" in upload.reason
    assert collections.retry(upload)
    indexing.work(upload.pk)
    assert keys(collection) == ["a"]


def test_one_that_made_its_version_is_done_though_writing_its_files_costs_three(
    collection, monkeypatch
):
    """Or takes longer than three leases: then others claim it while its files are written."""
    upload = stacks.upload(collection, {"a": "Cats purr."})
    with monkeypatch.context() as patched:
        patched.setattr(upkeep, "build", die)
        with pytest.raises(Killed):
            indexing.work(upload.pk)
    for _ in range(2):
        expire(upload)
        assert indexing.claim(upload.pk) is not None
    expire(upload)
    assert indexing.claim(upload.pk) is None
    upload.refresh_from_db()
    assert (upload.state, upload.reason, upload.version.number) == ("done", "", 1)
    assert upkeep.run() == 1


def test_deaths_between_which_something_was_embedded_do_not_add_up(collection, monkeypatch):
    """A server that is restarted now and then ends no long upload."""
    monkeypatch.setattr(indexing, "_CHUNKS", 30)
    upload, look = stacks.upload(collection, MANY), indexing._unembedded
    for _ in range(4):
        groups = iter([look, die])
        monkeypatch.setattr(indexing, "_unembedded", lambda row, left=groups: next(left)(row))
        with pytest.raises(Killed):
            indexing.work(upload.pk)
        expire(upload)
    monkeypatch.setattr(indexing, "_unembedded", look)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert (upload.state, upload.embedded) == ("done", 150)


def test_a_process_that_ends_gives_its_upload_back_as_it_is(collection):
    upload = stacks.upload(collection, {"a": "Cats purr."})
    indexing.stop()
    try:
        indexing.work(upload.pk)
    finally:
        indexing.stop(is_ending=False)
    upload.refresh_from_db()
    assert (upload.state, upload.attempts) == ("waiting", 0)
    indexing.work(upload.pk)
    assert keys(collection) == ["a"]


def test_uploads_of_one_collection_go_one_after_another(collection, project):
    first = stacks.upload(collection, {"a": "Cats purr."})
    second = stacks.upload(collection, {"a": "Cats hiss."})
    other = stacks.upload(stacks.collection(project, "other"), {"z": "Zebras bray."})
    assert indexing.claim(second.pk) is None
    assert indexing.claim().pk == first.pk
    assert indexing.claim().pk == other.pk
    assert indexing.claim() is None


def test_a_cancelled_upload_leaves_nothing(collection, monkeypatch):
    upload = stacks.upload(collection, MANY)
    keep, cancelled = indexing.nearest.prepare, []

    def cancel_amid():
        cancelled.append(collections.cancel(upload))
        return keep()

    monkeypatch.setattr(indexing.nearest, "prepare", cancel_amid)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert cancelled == [True]
    assert (upload.state, upload.content) == ("cancelled", None)
    assert not Document.objects.exists()
    assert not collection.versions.exists()
    assert not collections.cancel(upload)


def test_a_collection_deleted_meanwhile_gets_no_version(collection, monkeypatch):
    upload = stacks.upload(collection, MANY)
    keep = indexing.nearest.prepare
    monkeypatch.setattr(
        indexing.nearest, "prepare", lambda: (collections.delete(collection), keep())[1]
    )
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert upload.state == "cancelled"
    assert not Document.objects.exists()
    assert not collection.versions.exists()


def test_an_error_that_nobody_foresaw_lets_another_worker_try(collection, monkeypatch):
    upload = stacks.upload(collection, {"a": "Cats purr."})
    monkeypatch.setattr(indexing.chunking, "cut", lambda *args, **options: 1 / 0)
    for attempt in range(3):
        indexing.work(upload.pk)
        upload.refresh_from_db()
        assert (upload.state, upload.attempts) == ("waiting", attempt + 1)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert upload.state == "failed"


def test_an_embedder_whose_files_are_missing_says_so(collection, monkeypatch, tmp_path):
    upload = stacks.upload(collection, {"a": "Cats purr."})
    monkeypatch.setenv("SHADOWEVAL_MODELS", str(tmp_path))
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert upload.state == "failed"
    assert "tokenizer.json cannot be read" in upload.reason


def test_files_that_could_not_be_built_are_built_later(collection, settings, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    settings.SHADOWEVAL_INDEX_DIR = blocked
    upload = stacks.indexed(collection, {"a": "Cats purr."})
    settings.SHADOWEVAL_INDEX_DIR = tmp_path / "indexes"
    assert upkeep.run() == 1
    assert upkeep.run() == 0
    assert stacks.opened(upload.version).size == 1


def test_the_digest_of_a_version_is_that_of_what_it_holds(project):
    one, two = stacks.collection(project, "one"), stacks.collection(project, "two")
    for each in (one, two):
        stacks.indexed(each, {"a": "Cats purr."})
    assert one.versions.get().digest == two.versions.get().digest
    three = stacks.collection(project, "three", chunk_tokens=64)
    stacks.indexed(three, {"a": "Cats purr."})
    assert three.versions.get().digest != one.versions.get().digest


def test_vectors_are_those_of_the_embedder_and_of_unit_length(collection):
    stacks.indexed(collection, {"a": "Cats purr."}, title="Cats and dogs")
    index = stacks.opened(collection.versions.get())
    wanted = stacks.embed("Cats and dogs\nCats purr.")
    assert index.dense.search(wanted, 1).scores[0] == pytest.approx(1, abs=1e-6)
    assert not Upload.objects.filter(embedded__gt=F("chunks")).exists()


def test_more_documents_than_chunks_are_refused_before_any_is_written(
    collection, settings, monkeypatch
):
    settings.SHADOWEVAL_COLLECTION_MAX_CHUNKS = 3
    monkeypatch.setattr(indexing, "_write", die)
    upload = stacks.upload(collection, MANY)
    indexing.work(upload.pk)
    upload.refresh_from_db()
    assert upload.state == "failed"


def test_a_slow_pdf_is_given_up_before_its_worker_is():
    assert indexing.LEASE.total_seconds() > pdf._WAIT_S
