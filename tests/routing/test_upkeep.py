"""Files are built once for what comes in a row."""

from unittest.mock import Mock

import pytest

from routing import indexes, indexing, upkeep
from routing.models import CollectionVersion
from tests.routing import stacks

pytestmark = pytest.mark.django_db


@pytest.fixture
def ids(project):
    """Three uploads of one collection that wait."""
    collection = stacks.collection(project)
    return [stacks.upload(collection, {key: f"Cats {key}."}).pk for key in ("purr", "run", "eat")]


def built():
    """Return the numbers of the versions that have files."""
    made = CollectionVersion.objects.order_by("number")
    return [one.number for one in made if indexes.is_built(one)]


def test_uploads_in_a_row_build_the_files_of_a_large_collection_once(ids, monkeypatch):
    monkeypatch.setattr(upkeep, "_FEW", 0)
    for pk, numbers in zip(ids, ([1], [1], [1, 3]), strict=True):
        indexing.work(pk)
        assert built() == numbers


def test_no_row_of_uploads_is_so_long_that_nothing_new_is_served(ids, monkeypatch):
    monkeypatch.setattr(upkeep, "_FEW", 0)
    indexing.work(ids[0])
    monkeypatch.setattr(upkeep, "_STALE_S", -1)
    indexing.work(ids[1])
    assert built() == [1, 2]


def test_meanwhile_files_are_built_for_those_that_are_done(ids, monkeypatch):
    monkeypatch.setattr(upkeep, "_FEW", 0)
    for pk in ids[:2]:
        indexing.work(pk)
    assert built() == [1]
    assert upkeep.run() == 1
    assert built() == [1, 2]


def test_those_of_a_small_one_wait_for_nobody(ids):
    for pk, numbers in zip(ids, ([1], [1, 2], [1, 2, 3]), strict=True):
        indexing.work(pk)
        assert built() == numbers


def test_files_that_cannot_be_built_do_not_hold_up_the_others(ids, project, monkeypatch):
    write = upkeep.indexes.index.build
    monkeypatch.setattr(upkeep.indexes.index, "build", Mock(side_effect=MemoryError))
    indexing.work(ids[0])
    other = stacks.indexed(stacks.collection(project, "other"), {"a": "Cats sleep."})
    refusing_once = Mock(side_effect=[MemoryError, write])
    monkeypatch.setattr(upkeep.indexes.index, "build", lambda *said: refusing_once()(*said))
    assert upkeep.run() == 1
    assert indexes.is_built(other.version)
