"""The blinding index: printed intervals, a second method, coverage, limits, refusals."""

import numpy as np
import pytest
from scipy import stats

from reviews.stats.blindness import blinding_index


@pytest.mark.parametrize(
    ("right", "wrong", "n", "level", "low", "high"),
    [
        # Computed with scoreci.mp of the R package PropCIs; the second is in ratesci's examples.
        (28, 25, 618, 0.90, -0.0148, 0.0247),
        (1, 7, 21, 0.95, -0.517, -0.026),
    ],
)
def test_the_interval_reproduces_tango(right, wrong, n, level, low, high):
    index = blinding_index(right, wrong, n - right - wrong, level)
    assert index.value == pytest.approx((right - wrong) / n)
    assert index.interval == pytest.approx((low, high), abs=5e-4)


def test_many_answers_agree_with_bangs_own_interval():
    right, wrong, unknown = 1640, 500, 3400
    n = right + wrong + unknown
    p, q = right / n, wrong / n
    error = ((p + q - (p - q) ** 2) / n) ** 0.5
    low, high = p - q - 1.96 * error, p - q + 1.96 * error
    assert blinding_index(right, wrong, unknown).interval == pytest.approx((low, high), abs=1e-3)


def test_blind_raters_give_zero_however_many_of_them_guess():
    assert blinding_index(10, 10, 0).value == blinding_index(0, 0, 20).value == 0
    assert blinding_index(20, 0, 0).value == 1
    assert blinding_index(0, 20, 0).value == -1


def test_turning_right_and_wrong_round_turns_the_index_round():
    low, high = blinding_index(12, 5, 9).interval
    assert blinding_index(5, 12, 9).interval == pytest.approx((-high, -low), abs=1e-9)


def test_few_answers_that_are_all_alike_prove_nothing():
    for answers in ((3, 0, 0), (0, 3, 0), (0, 0, 3)):
        low, high = blinding_index(*answers).interval
        assert -1 <= low < high <= 1
        assert high - low > 0.9


def test_no_answers_give_no_index():
    index = blinding_index(0, 0, 0)
    assert np.isnan(index.value)
    assert index.interval == (-1, 1)


def test_a_higher_level_is_wider():
    narrow, wide = (blinding_index(12, 5, 9, level).interval for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("shares", [(0.3, 0.3, 0.4), (0.5, 0.2, 0.3), (0.05, 0.01, 0.94)])
def test_the_interval_covers_the_true_index(shares):
    n, truth, covered = 40, shares[0] - shares[1], 0.0
    # Every possible outcome with its probability: nothing is left to a seed.
    for right in range(n + 1):
        for wrong in range(n + 1 - right):
            chance = stats.multinomial.pmf([right, wrong, n - right - wrong], n, shares)
            if chance > 1e-7:
                low, high = blinding_index(right, wrong, n - right - wrong).interval
                covered += chance * (low <= truth <= high)
    # With few guesses the outcomes are too coarse to come closer from above.
    assert 0.94 <= covered <= 0.99


def test_impossible_answers_are_refused():
    with pytest.raises(ValueError, match="below 0"):
        blinding_index(-1, 0, 0)
    with pytest.raises(ValueError, match="level must lie"):
        blinding_index(1, 0, 0, level=95)
