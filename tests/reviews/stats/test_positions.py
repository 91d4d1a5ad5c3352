"""The side an answer was shown on: exact tests, habits of raters, refusals."""

import numpy as np
import pytest
from scipy import stats

from reviews.stats.positions import holm, position_effect


def votes(**left_and_decisive):
    won, rater = [], []
    for name, (left, decisive) in left_and_decisive.items():
        won += [True] * left + [False] * (decisive - left)
        rater += [name] * decisive
    return np.array(won, dtype=bool), rater


@pytest.mark.parametrize(("left", "p"), [(62, 0.0209787357), (60, 0.0568879336)])
def test_a_rater_reproduces_the_exact_test(left, p):
    (found,) = position_effect(*votes(a=(left, 100))).raters
    assert (found.rater, found.left, found.decisive) == ("a", left, 100)
    assert found.p_value == found.p_holm == pytest.approx(p, abs=5e-11)


@pytest.mark.parametrize(("left", "decisive"), [(0, 1), (1, 1), (0, 7), (5, 10), (6, 11), (31, 90)])
def test_a_rater_agrees_with_scipy(left, decisive):
    (found,) = position_effect(*votes(a=(left, decisive))).raters
    assert found.p_value == pytest.approx(stats.binomtest(left, decisive).pvalue, rel=1e-10)


def test_holm_reproduces_a_worked_example():
    # Ordered .005 .01 .03 .04: times 4, 3, 2, 1, never falling.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.6]).tolist() == [1, 1]
    assert holm([]).tolist() == []


def test_raters_are_corrected_for_each_other():
    found = position_effect(*votes(a=(62, 100), b=(50, 100), c=(31, 60))).raters
    assert [rater.rater for rater in found] == ["a", "b", "c"]
    assert found[0].p_holm == pytest.approx(3 * found[0].p_value)
    assert found[1].p_holm == 1


def test_independent_votes_agree_with_the_binomial_test():
    won, _ = votes(a=(560, 1000))
    found = position_effect(won, range(1000))
    assert found.share_left == 0.56
    assert found.p_value == pytest.approx(stats.binomtest(560, 1000).pvalue, abs=2e-5)
    assert found.interval == pytest.approx((0.529, 0.591), abs=2e-3)


def test_one_rater_with_a_habit_is_no_effect_of_the_pool():
    habit = {"a": (95, 100), **{f"r{k}": (10, 20) for k in range(9)}}
    found = position_effect(*votes(**habit))
    assert stats.binomtest(185, 280).pvalue < 1e-6
    assert found.p_value > 0.1
    assert found.raters[0].p_holm < 1e-6
    assert found.interval.low < 0.5 < found.interval.high


def test_a_habit_of_the_whole_pool_is_an_effect():
    found = position_effect(*votes(**{f"r{k}": (13 + k % 3, 20) for k in range(10)}))
    assert found.p_value < 1e-3
    assert found.interval.low > 0.5


def test_raters_who_happen_to_be_alike_are_no_surer_than_coins():
    found = position_effect(*votes(**{f"r{k}": (6, 10) for k in range(10)}))
    assert found.p_value == pytest.approx(2 * stats.t.sf(0.1 / 0.05, 9))


def test_equally_busy_raters_give_the_t_test_of_their_shares():
    # Equal numbers of votes: the same as a t test on the raters' shares.
    found = position_effect(*votes(a=(90, 100), b=(60, 100), c=(70, 100)))
    assert found.p_value == pytest.approx(stats.ttest_1samp([0.9, 0.6, 0.7], 0.5).pvalue)


def test_one_rater_says_nothing_about_a_pool():
    found = position_effect(*votes(a=(100, 100)))
    assert found.interval == (0, 1)
    assert np.isnan(found.p_value)


def test_no_votes_give_no_effect():
    found = position_effect(np.zeros(0, dtype=bool), [])
    assert np.isnan([found.share_left, found.p_value]).all()
    assert (found.interval, found.n_decisive, found.raters) == ((0, 1), 0, ())


def test_the_level_is_heard():
    won, rater = votes(a=(6, 10), b=(4, 10), c=(7, 10))
    narrow, wide = (position_effect(won, rater, level).interval for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_a_pool_without_effect_is_seldom_accused():
    # Raters with habits, as many to the left as to the right.
    rng, reps, accused = np.random.default_rng(1), 1000, 0
    for _ in range(reps):
        habits = rng.beta(5, 5, size=20)
        rater = np.repeat(np.arange(20), 15)
        accused += position_effect(rng.random(300) < habits[rater], rater.tolist()).p_value < 0.05
    assert accused / reps == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / reps) ** 0.5)


def test_impossible_votes_are_refused():
    with pytest.raises(ValueError, match="boolean"):
        position_effect([1, 0], ["a", "b"])
    with pytest.raises(ValueError, match="same length"):
        position_effect([True], ["a", "b"])
    with pytest.raises(ValueError, match="level must lie"):
        position_effect([True], ["a"], level=95)
