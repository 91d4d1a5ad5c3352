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


def scored(pairs):
    rows, scores = zip(*pairs, strict=True)
    return Found(np.array(rows, np.int64), np.array(scores, np.float32))


def test_blend_adds_scores_on_their_own_scales():
    words, meaning = scored([(1, 8.0), (2, 2.0)]), scored([(2, 0.9), (3, 0.5)])
    found = fusion.blend(words, meaning, share=0.5, most=10, k=5, depth=5)
    assert found.rows.tolist() == [2, 1, 3]
    assert found.scores.tolist() == pytest.approx([0.55, 0.4, 0.25])


def test_what_a_full_list_cut_off_has_its_last_score():
    words, meaning = scored([(1, 8.0), (2, 6.0)]), scored([(3, 0.9), (1, 0.5)])
    found = fusion.blend(words, meaning, share=0.5, most=10, k=5, depth=2)
    assert dict(zip(found.rows.tolist(), found.scores.tolist(), strict=True)) == pytest.approx(
        {1: 0.65, 3: 0.75, 2: 0.55}
    )


@pytest.mark.parametrize(("share", "rows"), [(0.1, [3, 1]), (0.9, [1, 3])])
def test_share_is_that_of_bm25(share, rows):
    words, meaning = scored([(1, 5.0)]), scored([(3, 0.5)])
    assert fusion.blend(words, meaning, share, most=10, k=2, depth=9).rows.tolist() == rows


def test_blend_without_a_known_word_is_dense():
    empty = Found(np.empty(0, np.int64), np.empty(0, np.float32))
    found = fusion.blend(empty, scored([(4, 0.9), (1, 0.5)]), 0.4, most=0, k=5, depth=5)
    assert found.rows.tolist() == [4, 1]
