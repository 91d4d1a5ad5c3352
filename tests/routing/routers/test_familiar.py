"""What is far from all training queries is told; what is like them is not."""

import numpy as np
import pytest

from routing.routers import familiar
from routing.routers.familiar import Familiar


def cone(n, centre, seed, spread=0.05):
    """Unit vectors around one of 64 axes."""
    rng = np.random.default_rng(seed)
    made = rng.normal(0, spread, (n, 64))
    made[:, centre] += 1
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def test_other_queries_are_far_and_like_ones_are_not():
    fitted = Familiar.fit(np.concatenate([cone(300, 0, 1), cone(300, 1, 2)]), quantile=0.99)
    like = [fitted.is_far(one) for one in np.concatenate([cone(300, 0, 3), cone(300, 1, 4)])]
    assert np.mean(like) < 0.03
    assert all(fitted.is_far(one) for one in cone(50, 2, 5))


def test_a_text_without_a_vector_is_far():
    fitted = Familiar.fit(cone(50, 0, 1))
    assert fitted.is_far(np.zeros(64, np.float32))
    assert fitted.is_far(np.full(64, np.nan, np.float32))


@pytest.mark.parametrize("quantile", [0.8, 0.9, 1.0])
def test_the_share_of_training_queries_beyond_the_limit_is_what_was_asked(quantile):
    vectors = cone(500, 0, 1)
    fitted = Familiar.fit(vectors, quantile=quantile)
    beyond = []
    for i, one in enumerate(vectors):
        others = Familiar(np.delete(vectors, i, axis=0), fitted.limit, fitted.k)
        beyond.append(others.is_far(one))
    assert np.mean(beyond) == pytest.approx(1 - quantile, abs=0.01)


def test_more_than_the_most_are_drawn_the_same_way_each_time():
    vectors = cone(familiar.MOST + 500, 0, 1)
    first, again, other = (Familiar.fit(vectors, seed=seed) for seed in (1, 1, 2))
    assert first.vectors.shape == (familiar.MOST, 64)
    assert np.array_equal(first.vectors, again.vectors)
    assert not np.array_equal(first.vectors, other.vectors)


def test_a_query_that_repeats_counts_once():
    vectors = cone(100, 0, 1)
    repeated = np.concatenate([vectors, np.repeat(vectors[:1], 5_000, axis=0)])
    assert Familiar.fit(repeated).limit == Familiar.fit(vectors).limit


def test_too_few_are_refused():
    with pytest.raises(ValueError, match="more than 5 different queries"):
        Familiar.fit(np.repeat(cone(5, 0, 1), 3, axis=0))
