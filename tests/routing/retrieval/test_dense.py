"""Neighbours are those that scoring every vector gives, whatever the vectors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.retrieval import dense
from routing.retrieval.dense import Dense


def unit(rows):
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, where=lengths > 0, out=np.zeros_like(rows)).astype(np.float32)


def opened(folder, vectors):
    folder.mkdir(exist_ok=True)
    dense.build(np.array_split(vectors, 3), folder, vectors.shape[1])
    return Dense.open(folder)


def brute(vectors, query, k, gone=()):
    scores = dense.scores(vectors, query)
    order = np.lexsort((np.arange(len(scores)), -scores))
    return order[~np.isin(order, gone)][:k], scores


def texts(seed, n, d, rank):
    """Vectors as embedders make them: most of their length in some directions, some twice."""
    drawn = np.random.default_rng(seed)
    vectors = drawn.standard_normal((n, rank)) @ drawn.standard_normal((rank, d))
    vectors = unit(vectors + 0.3 * drawn.standard_normal((n, d)))
    vectors[n // 2 : n // 2 + n // 8] = vectors[: n // 8]
    return vectors, drawn


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    rank=st.sampled_from([1, 3, 16, 48]),
    k=st.integers(1, 150),
    near=st.floats(0, 1),
    share=st.sampled_from([0, 0.001, 0.5, 0.99]),
)
def test_what_is_found_is_what_scoring_all_finds(tmp_path_factory, seed, rank, k, near, share):
    vectors, drawn = texts(seed, 5000, 48, rank)
    found = opened(tmp_path_factory.mktemp("dense"), vectors)
    query = unit(near * vectors[:1] + (1 - near) * unit(drawn.standard_normal((1, 48))))[0]
    gone = drawn.permutation(5000)[: int(5000 * share)]
    rows, scores = brute(vectors, query, k, gone)
    got = found.without(gone).search(query, k)
    assert got.rows.tolist() == rows.tolist()
    assert (got.scores == scores[rows]).all()


def test_most_vectors_are_not_read(tmp_path):
    vectors, drawn = texts(3, 6000, 128, 8)
    found = opened(tmp_path / "dense", vectors)
    assert len(found._promising(vectors[5], 20)) < 600


def test_vectors_without_directions_are_found_too(tmp_path):
    vectors = unit(np.random.default_rng(1).standard_normal((5000, 300)))
    found = opened(tmp_path / "dense", vectors)
    rows, _ = brute(vectors, vectors[9], 40)
    assert found.search(vectors[9], 40).rows.tolist() == rows.tolist()


def test_equal_vectors_come_by_row(tmp_path):
    vectors = np.repeat(unit(np.ones((1, 8))), 5000, axis=0)
    got = opened(tmp_path / "dense", vectors).search(vectors[0], 7)
    assert got.rows.tolist() == list(range(7))
    assert len(set(got.scores.tolist())) == 1


def test_zero_vectors_score_zero(tmp_path):
    vectors = np.zeros((3, 4), np.float32)
    vectors[1, 0] = 1
    found = opened(tmp_path / "dense", vectors)
    assert found.search(vectors[1], 9).rows.tolist() == [1, 0, 2]
    assert found.search(vectors[0], 2).scores.tolist() == [0, 0]


@pytest.mark.parametrize(("n", "gone"), [(6, [0, 4]), (6, range(6)), (5000, range(1, 5000))])
def test_as_many_are_found_as_are_left(tmp_path, n, gone):
    vectors = unit(np.random.default_rng(2).standard_normal((n, 300)))
    found = opened(tmp_path / "dense", vectors)
    left = found.without(np.array(gone)).search(vectors[0], 9)
    assert left.rows.tolist() == brute(vectors, vectors[0], 9, gone)[0].tolist()
    assert found.search(vectors[0], 1).rows.tolist() == [0]


def test_nothing_is_found_in_nothing(tmp_path):
    found = opened(tmp_path / "dense", np.empty((0, 4), np.float32))
    assert found.search(np.zeros(4, np.float32), 5).rows.size == 0


@pytest.mark.parametrize("bad", [np.full((2, 4), np.nan), np.ones((2, 4)), np.zeros((2, 3))])
def test_vectors_that_are_none_are_refused(tmp_path, bad):
    with pytest.raises(ValueError, match="vectors"):
        dense.build([bad.astype(np.float32)], tmp_path, 4)


def test_a_file_that_was_cut_short_is_refused(tmp_path):
    opened(tmp_path / "dense", unit(np.ones((5, 4))))
    path = tmp_path / "dense" / "vectors.f32"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged"):
        Dense.open(tmp_path / "dense")
