"""One version of a collection as files."""

import numpy as np
import pytest

from routing.retrieval import index
from routing.retrieval.index import Entry, Index
from routing.types import Source


def entries(n, d=8):
    drawn = np.random.default_rng(n)
    vectors = drawn.standard_normal((n, d))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return [
        Entry(100 + row, f"dóc{row // 2}", f"title {row}" * (row % 2), f"word{row} ☃", row, vector)
        for row, vector in enumerate(vectors)
    ]


def test_what_goes_in_comes_out(tmp_path):
    pieces = entries(5000)
    index.build(tmp_path / "7" / "1", iter(pieces))
    found = Index.open(tmp_path / "7" / "1")
    assert (found.size, found.dimensions) == (5000, 8)
    assert found.source(4321) == Source(
        n=0, text="word4321 ☃", document="dóc2160", title="title 4321", chunk=4421, start=4321
    )
    assert found.keys([0, 1, 4999]) == ["dóc0", "dóc0", "dóc2499"]
    assert found.chunks(np.array([3, 2])) == [103, 102]
    assert found.dense.search(pieces[17].vector, 1).rows.tolist() == [17]
    assert found.bm25.search("word17", 3).rows.tolist() == [17]


def test_chunks_that_are_gone_are_found_by_neither_and_rows_stay(tmp_path):
    pieces = entries(6)
    index.build(tmp_path / "1", pieces)
    found = Index.open(tmp_path / "1")
    left = found.without([102, 999]).without([105])
    assert left.gone.tolist() == [2, 5]
    assert sorted(left.dense.search(pieces[2].vector, 9).rows.tolist()) == [0, 1, 3, 4]
    assert left.bm25.search("word2 word5 word3", 9).rows.tolist() == [3]
    assert left.source(3).chunk == 103
    assert found.dense.search(pieces[2].vector, 1).rows.tolist() == [2]


def test_titles_are_searched_too(tmp_path):
    index.build(tmp_path / "1", entries(4))
    assert Index.open(tmp_path / "1").bm25.search("title", 9).rows.tolist() == [1, 3]


def test_an_empty_index_finds_nothing(tmp_path):
    index.build(tmp_path / "1", [], 8)
    found = Index.open(tmp_path / "1")
    assert found.size == 0
    assert found.bm25.search("word", 3).rows.size == 0
    assert found.dense.search(np.zeros(8, np.float32), 3).rows.size == 0


def test_one_that_is_there_stays(tmp_path):
    index.build(tmp_path / "1", entries(4))
    index.build(tmp_path / "1", entries(2))
    assert Index.open(tmp_path / "1").size == 4
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_builder_that_dies_leaves_no_folder_of_the_name(tmp_path):
    def broken():
        yield from entries(3)
        raise OSError

    with pytest.raises(OSError):
        index.build(tmp_path / "1", broken())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["texts.utf8", "vectors.f32", "manifest.json", "places.i64"])
def test_a_damaged_one_is_refused_and_built_anew(tmp_path, name):
    folder = tmp_path / "1"
    index.build(folder, entries(3))
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    with pytest.raises(ValueError):
        Index.open(folder)
    index.build(folder, entries(3))
    assert Index.open(folder).size == 3


def test_another_layout_is_refused(tmp_path, monkeypatch):
    index.build(tmp_path / "1", entries(3))
    monkeypatch.setattr(index, "FORMAT", index.FORMAT + 1)
    with pytest.raises(ValueError, match="another layout"):
        Index.open(tmp_path / "1")


def test_whoever_has_it_open_reads_on_after_it_is_gone(tmp_path):
    index.build(tmp_path / "1", entries(3))
    found = Index.open(tmp_path / "1")
    for path in sorted((tmp_path / "1").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert found.source(2).text == "word2 ☃"
    assert found.bm25.search("word2", 1).rows.tolist() == [2]


def test_nothing_is_pickled(tmp_path):
    index.build(tmp_path / "1", entries(3))
    for path in (tmp_path / "1").rglob("*.npy"):
        np.load(path, allow_pickle=False)
