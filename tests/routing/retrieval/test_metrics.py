import numpy as np
import pytest

from routing.retrieval import metrics


def test_known_answers():
    found = metrics.measured([["x", "a", "b"], ["y"]], [{"a": 1, "b": 1, "c": 0}, {"z": 1}])
    ideal = 1 + 1 / np.log2(3)
    assert found["ndcg"].tolist() == pytest.approx([(1 / np.log2(3) + 0.5) / ideal, 0])
    assert found["recall"].tolist() == [1, 0]
    assert found["rr"].tolist() == [0.5, 0]


def test_ranks_below_k_do_not_count():
    found = metrics.measured([["x", "a"]], [{"a": 1}], k=1)
    assert [found[name].tolist() for name in metrics.NAMES] == [[0], [0], [0]]


def test_nothing_found_is_worth_nothing():
    assert metrics.measured([[]], [{"a": 1}])["ndcg"].tolist() == [0]


def test_a_document_counts_once_by_its_best_chunk():
    assert metrics.once(["a", "b", "a", "c"], 2) == ["a", "b"]


def test_interval_of_one_group_has_no_width():
    found = metrics.paired(np.array([0.0, 1.0]), ["a", "a"])
    assert found == (0.5, 0.5, 0.5)


def test_groups_are_drawn_whole():
    differences = np.repeat(np.random.default_rng(0).normal(size=40), 5)
    apart = metrics.paired(differences, [str(n) for n in range(200)])
    together = metrics.paired(differences, [str(n // 5) for n in range(200)])
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_interval_holds_the_mean_in_19_of_20():
    rng = np.random.default_rng(3)
    held = 0
    for seed in range(200):
        found = metrics.paired(rng.normal(size=60), list(map(str, range(60))), resamples=300,
                               seed=seed)  # fmt: skip
        held += found.low <= 0 <= found.high
    assert 180 <= held <= 199


def test_seed_and_resamples_count():
    differences, groups = np.random.default_rng(0).normal(size=9), list("abcdefghi")
    one = metrics.paired(differences, groups)
    assert one == metrics.paired(differences, groups)
    assert one != metrics.paired(differences, groups, seed=8)
    assert one != metrics.paired(differences, groups, resamples=500)


def test_no_query_is_refused():
    with pytest.raises(ValueError, match="there is no query"):
        metrics.paired(np.empty(0), [])
