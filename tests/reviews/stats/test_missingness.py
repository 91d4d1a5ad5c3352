"""A group against the rest: known values, the exact test for small counts, and refusals."""

import numpy as np
import pytest
from scipy import stats

from reviews.stats import missingness


def test_two_groups_are_one_table_doubled_for_both():
    found = missingness.compare([30, 10], [100, 100])
    # Expected 20 and 80 in each row: 4 * 10^2 / 20 or 80, so 12.5.
    alone = stats.chi2.sf(12.5, 1)
    assert found.p_bonferroni == pytest.approx([2 * alone, 2 * alone])
    assert found.differs.tolist() == [True, True]


def test_it_agrees_with_scipy_on_ten_groups():
    draw = np.random.default_rng(2)
    total = draw.integers(200, 400, 10)
    gone = draw.binomial(total, 0.2)
    found = missingness.compare(gone, total)
    for nth in range(10):
        rest, left = gone.sum() - gone[nth], total.sum() - total[nth]
        table = [[gone[nth], total[nth] - gone[nth]], [rest, left - rest]]
        alone = stats.chi2_contingency(table, correction=False).pvalue
        assert found.p_bonferroni[nth] == pytest.approx(min(10 * alone, 1.0))


def test_small_counts_are_tested_exactly():
    # Fisher's tea: 3 of 4 against 1 of 4.
    found = missingness.compare([3, 1], [4, 4])
    assert found.p_bonferroni == pytest.approx([2 * 34 / 70] * 2)


def test_nothing_missing_everything_missing_and_empty_groups_differ_from_nothing():
    for gone, total in (([0, 0], [5, 5]), ([5, 5], [5, 5]), ([3], [5]), ([3, 0], [5, 0])):
        found = missingness.compare(gone, total)
        assert found.p_bonferroni.tolist() == [1.0] * len(total)
        assert not found.differs.any()
    assert np.isnan(missingness.compare([3, 0], [5, 0]).share[1])
    assert missingness.compare([], []).share.size == 0


def test_chance_alone_marks_a_group_in_at_most_one_of_twenty_runs():
    draw = np.random.default_rng(11)
    marked = [
        missingness.compare(draw.binomial(300, 0.1, 10), np.full(10, 300)).differs.any()
        for _ in range(400)
    ]
    assert np.mean(marked) < 0.07


@pytest.mark.parametrize(
    ("gone", "total"), [([1], [1, 2]), ([2], [1]), ([-1], [1]), ([0.5], [1.0]), ([[1]], [[2]])]
)
def test_impossible_counts_are_refused(gone, total):
    with pytest.raises(ValueError):
        missingness.compare(gone, total)
