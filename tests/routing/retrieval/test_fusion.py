import numpy as np
import pytest

from routing.retrieval import fusion
from routing.retrieval.base import Found


def found(*rows):
    return Found(np.array(rows, np.int64), np.linspace(1, 0.5, len(rows)).astype(np.float32))


def test_sums_of_reciprocal_ranks():
    fused = fusion.rrf([found(7, 3), found(3, 9)], 3)
    assert fused.rows.tolist() == [3, 7, 9]
    assert fused.scores.tolist() == pytest.approx([1 / 61 + 1 / 62, 1 / 61, 1 / 62])


def test_equal_sums_go_by_row():
    assert fusion.rrf([found(5, 2), found(2, 5)], 2).rows.tolist() == [2, 5]


def test_c_says_how_much_the_first_ranks_stand_out():
    lists = [found(1, 2, 3), found(4, 2, 5)]
    assert fusion.rrf(lists, 1, c=0).rows.tolist() == [1]
    assert fusion.rrf(lists, 1, c=60).rows.tolist() == [2]


def test_one_empty_list_leaves_the_other():
    assert fusion.rrf([found(), found(4, 1)], 5).rows.tolist() == [4, 1]


def test_two_empty_lists_are_empty():
    assert fusion.rrf([found(), found()], 5).rows.size == 0


def test_k_cuts():
    assert fusion.rrf([found(1, 2, 3)], 2).rows.size == 2
