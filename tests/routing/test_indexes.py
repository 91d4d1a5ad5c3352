"""What is served, and what is said of a collection that is not."""

import errno
import gc
import os
import time
import weakref
from unittest.mock import Mock

import pytest
from django.conf import settings

from routing import collections, indexes, indexing, upkeep
from routing.errors import Conflict, NotFound, ServiceUnavailable
from routing.indexes import Shelf
from routing.models import Collection, CollectionVersion
from routing.retrieval import index, searching
from routing.retrieval.base import AUTO, STRATEGIES
from tests.routing import stacks

pytestmark = pytest.mark.django_db


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def collection(project):
    return stacks.collection(project, k=3, strategy="dense")


@pytest.fixture
def unbuilt(collection, settings, tmp_path):
    """Return a function that uploads, and leaves the files of its version to be built later."""
    place, blocked = settings.SHADOWEVAL_INDEX_DIR, tmp_path / "blocked"
    blocked.touch()

    def put(texts, **options):
        settings.SHADOWEVAL_INDEX_DIR = blocked
        stacks.indexed(collection, texts, **options)
        settings.SHADOWEVAL_INDEX_DIR = place

    return put


def test_a_collection_is_served_as_it_is(project, collection, shelf):
    stacks.indexed(collection, {"a": "Cats purr."})
    shelf.refresh()
    found = shelf.get(project.pk, "handbook")
    assert (found.collection_id, found.name, found.version) == (collection.pk, "handbook", 1)
    assert (found.strategy, found.k, found.reranks) == ("dense", 3, False)
    assert found.chooser.name == "rules"
    assert found.index.dense.search(found.embedder.embed("Cats purr."), 1).scores[0] > 0.99


def test_what_was_never_loaded_is_not_said_to_be_missing(project, shelf):
    with pytest.raises(ServiceUnavailable, match="not loaded yet"):
        shelf.get(project.pk, "handbook")


def test_what_never_was_is_told_from_what_was_deleted(project, collection, shelf):
    collections.delete(collection)
    shelf.refresh()
    with pytest.raises(NotFound, match="was deleted on"):
        shelf.get(project.pk, "handbook")
    with pytest.raises(NotFound, match="there is no collection 'other'.*made in the last seconds"):
        shelf.get(project.pk, "other")


def test_what_is_still_being_indexed_says_so(project, collection, shelf):
    upload = stacks.upload(collection, {"a": "Cats purr."})
    shelf.refresh()
    with pytest.raises(Conflict, match="nothing that is indexed yet"):
        shelf.get(project.pk, "handbook")
    indexing.work(upload.pk)
    shelf.refresh()
    assert shelf.get(project.pk, "handbook").version == 1


def test_another_projects_collection_is_not_found(project, demo, collection, shelf):
    stacks.indexed(collection, {"a": "Cats purr."})
    shelf.refresh()
    with pytest.raises(NotFound):
        shelf.get(demo.pk, "handbook")


def test_an_older_version_is_served_until_the_newest_has_files(project, collection, shelf):
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    shelf.refresh()
    collections.remove(collection, ["a"])
    shelf.refresh()
    assert shelf.get(project.pk, "handbook").version == 1
    assert upkeep.run() == 1
    shelf.refresh()
    found = shelf.get(project.pk, "handbook")
    assert (found.version, found.index.size) == (2, 1)


THREE = {"a": "Cats purr.", "b": "Cats and dogs.", "c": "Cats and dogs and cows."}


def keys(shelf, project, strategy="dense", k=2):
    """Return the documents that are found, sorted."""
    served = shelf.get(project.pk, "handbook")
    query = "Cats purr."
    found = searching.search(served.index, query, stacks.embed(query), strategy, k).found
    return sorted(served.index.keys(found.rows))


@pytest.mark.parametrize("strategy", [*STRATEGIES, AUTO])
def test_what_was_removed_is_found_no_more_though_its_files_are_served(
    project, collection, shelf, strategy
):
    stacks.indexed(collection, THREE)
    shelf.refresh()
    assert "a" in keys(shelf, project, strategy)
    collections.remove(collection, ["a"])
    shelf.refresh()
    assert keys(shelf, project, strategy) == ["b", "c"]
    collections.remove(collection, ["b"])
    shelf.refresh()
    assert keys(shelf, project, strategy) == ["c"]
    assert shelf.get(project.pk, "handbook").version == 1
    upkeep.run()
    shelf.refresh()
    found = shelf.get(project.pk, "handbook")
    assert (found.version, found.index.gone.size) == (3, 0)


def test_a_collection_that_was_emptied_finds_nothing(project, collection, shelf):
    stacks.indexed(collection, THREE)
    shelf.refresh()
    collections.remove(collection, list(THREE))
    shelf.refresh()
    assert [keys(shelf, project, name) for name in (*STRATEGIES, AUTO)] == [[]] * 4


def test_what_was_replaced_is_found_until_what_takes_its_place_is(
    project, collection, shelf, unbuilt
):
    stacks.indexed(collection, THREE)
    shelf.refresh()
    unbuilt({"a": "Cats purr loudly."})
    shelf.refresh()
    assert keys(shelf, project, k=1) == ["a"]
    unbuilt({"b": "Cats and dogs."}, replaces_all=True)
    shelf.refresh()
    assert keys(shelf, project, k=3) == ["b"]


@pytest.mark.parametrize("comes_back", [True, False])
def test_nothing_of_before_comes_back_under_a_key_that_was_removed(
    project, collection, shelf, unbuilt, comes_back
):
    """Neither where another text was put under it first, nor where one is put there later."""
    stacks.indexed(collection, THREE)
    shelf.refresh()
    if not comes_back:
        unbuilt({"a": "Cats purr loudly."})
    collections.remove(collection, ["a"])
    if comes_back:
        unbuilt({"a": "Cats purr."})
    shelf.refresh()
    assert keys(shelf, project, k=3) == ["b", "c"]


def test_what_is_gone_is_asked_for_once(project, collection, shelf, django_assert_num_queries):
    stacks.indexed(collection, THREE)
    shelf.refresh()
    collections.remove(collection, ["a"])
    with django_assert_num_queries(4):
        shelf.refresh()
    with django_assert_num_queries(3):
        shelf.refresh()


def test_whoever_starts_serves_the_newest_version_that_has_files(
    project, collection, shelf, unbuilt
):
    stacks.indexed(collection, THREE)
    shelf.refresh()
    stacks.indexed(collection, {"d": "Cats run."})
    unbuilt({"e": "Cats sleep."})
    collections.remove(collection, ["a"])
    assert upkeep.tidy(now=time.time() + 3600) == 1
    started = Shelf()
    for each in (shelf, started):
        each.refresh()
        assert each.get(project.pk, "handbook").version == 2
        assert keys(each, project, k=9) == ["b", "c", "d"]


def test_what_is_unchanged_is_not_opened_again(project, collection, shelf):
    stacks.indexed(collection, {"a": "Cats purr."})
    shelf.refresh()
    before = shelf.get(project.pk, "handbook").index
    shelf.refresh()
    assert shelf.get(project.pk, "handbook").index is before


def test_an_older_version_is_let_go_of_at_once(project, collection, shelf):
    """Its files are open, and the collector comes seldom: what is kept must be in no knot."""
    stacks.collection(project, "empty")
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    gc.disable()
    try:
        shelf.refresh()
        old = weakref.ref(shelf.get(project.pk, "handbook").index)
        collections.remove(collection, ["a"])
        upkeep.run()
        shelf.refresh()
        assert old() is None
    finally:
        gc.enable()


def test_a_namesake_of_a_deleted_one_is_another(project, collection, shelf):
    stacks.indexed(collection, {"a": "Cats purr."})
    shelf.refresh()
    collections.delete(collection)
    second = stacks.collection(project)
    shelf.refresh()
    with pytest.raises(Conflict):
        shelf.get(project.pk, "handbook")
    stacks.indexed(second, {"b": "Dogs bark."})
    shelf.refresh()
    assert shelf.get(project.pk, "handbook").index.keys([0]) == ["b"]


def test_files_of_old_versions_and_deleted_collections_go(project, collection):
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    first, second = collection.versions.get(), collections.remove(collection, ["a"])
    indexes.ensure(second)
    assert upkeep.tidy() == 0
    assert upkeep.tidy(now=time.time() + 3600) == 1
    assert (indexes.is_built(first), indexes.is_built(second)) == (False, True)
    collections.delete(collection)
    assert upkeep.tidy() == 1
    assert not indexes.folder(second).parent.exists()


def test_on_a_full_disk_the_files_written_last_stay_and_are_served(
    project, collection, shelf, monkeypatch, caplog
):
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    collections.remove(collection, ["a"])
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    write = index._seal
    monkeypatch.setattr(index, "_seal", Mock(side_effect=full))
    assert upkeep.run() == 0
    assert "No space left on device" in caplog.text
    assert upkeep.tidy(now=time.time() + 3600) == 0
    shelf.refresh()
    assert shelf.get(project.pk, "handbook").version == 1
    monkeypatch.setattr(index, "_seal", write)
    assert upkeep.run() == 1
    shelf.refresh()
    assert shelf.get(project.pk, "handbook").version == 2


def test_a_folder_that_goes_meanwhile_is_passed_over(project, collection):
    stacks.indexed(collection, {"a": "Cats purr.", "b": "Dogs bark."})
    collections.remove(collection, ["a"])
    (settings.SHADOWEVAL_INDEX_DIR / str(collection.pk) / "gone").symlink_to("nowhere")
    assert upkeep.tidy() == 0


def test_files_of_a_collection_that_comes_meanwhile_stay(project, collection, monkeypatch):
    look = upkeep.indexes.newest_versions

    def late():
        found = look()
        stacks.indexed(collection, {"a": "Cats purr."})
        return found

    monkeypatch.setattr(upkeep.indexes, "newest_versions", late)
    assert upkeep.tidy() == 0
    assert indexes.is_built(collection.versions.get())


def test_only_their_owner_reads_the_files(project, collection):
    version = stacks.indexed(collection, {"a": "Cats purr."}).version
    assert os.stat(indexes.folder(version)).st_mode & 0o077 == 0


def test_a_strategy_that_cannot_be_read_leaves_the_rules(project, collection, shelf):
    version = stacks.indexed(collection, {"a": "Cats purr."}).version
    collection.strategies.create(version=version, artifact=b"no npz", sha256="")
    shelf.refresh()
    assert shelf.get(project.pk, "handbook").chooser.name == "rules"


def test_one_that_cannot_be_opened_does_not_hold_up_the_others(project, collection, shelf, caplog):
    stacks.indexed(collection, {"a": "Cats purr."})
    Collection.objects.create(project=project, name="strange", embedder="of-a-newer-release")
    other = Collection.objects.get(name="strange")
    CollectionVersion.objects.create(
        collection=other, number=1, documents=0, chunks=0, digest="x" * 12
    )
    index.build(indexes.folder(other.versions.get()), [], 3)
    shelf.refresh()
    assert shelf.get(project.pk, "handbook").version == 1
    with pytest.raises(ServiceUnavailable, match="'strange' cannot be loaded"):
        shelf.get(project.pk, "strange")
    assert "KeyError" in caplog.text


def test_a_shelf_that_is_started_again_waits_between_two_looks(shelf, monkeypatch):
    looks, waits = [], []
    monkeypatch.setattr(shelf, "refresh", lambda: looks.append(1))
    shelf.start()
    shelf.stop()
    monkeypatch.setattr(shelf._wake, "wait", lambda _: waits.append(shelf._wake.is_set()))
    monkeypatch.setattr(shelf, "refresh", lambda: setattr(shelf, "_stopping", len(waits) > 0))
    shelf.start()
    shelf._thread.join(5)
    assert waits[0] is False


def test_a_collection_that_cannot_be_loaded_leaves_the_others(project, collection, shelf):
    stacks.indexed(collection, {"a": "Cats purr."})
    broken = stacks.collection(project, "broken")
    version = stacks.indexed(broken, {"a": "Cats purr."}).version
    (options,) = indexes.folder(version).glob("bm25/options.json")
    options.write_bytes(b"[]".ljust(options.stat().st_size))
    shelf.refresh()
    assert shelf.get(project.pk, "handbook").version == 1
    with pytest.raises(ServiceUnavailable, match="'broken' cannot be loaded"):
        shelf.get(project.pk, "broken")
