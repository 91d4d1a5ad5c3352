"""Length: an effect that is there is found, one that is not is not, refusals."""

import numpy as np
import pytest

from reviews.stats import logistic
from reviews.stats.lengths import judge_length_effect, length_effect


def voted(rng, slope, n=1500, raters=15):
    ratio = rng.normal(scale=0.7, size=n)
    won = rng.random(n) < 1 / (1 + np.exp(-(0.4 + slope * ratio)))
    return won, ratio, rng.integers(raters, size=n).tolist()


def test_the_effect_of_length_is_found():
    found = length_effect(*voted(np.random.default_rng(1), slope=0.9))
    assert found.low < 0.9 < found.high
    assert found.low > 0.5
    assert found.p_value < 1e-6
    assert found.n == 1500


def test_no_effect_of_length_is_seldom_found():
    rng, reps = np.random.default_rng(2), 300
    alarms = sum(
        length_effect(*voted(rng, 0, n=300, raters=40)).p_value < 0.05 for _ in range(reps)
    )
    assert alarms / reps < 0.05 + 3 * (0.05 * 0.95 / reps) ** 0.5


def test_swapping_the_tiers_changes_nothing():
    won, ratio, rater = voted(np.random.default_rng(3), slope=0.9)
    ours, swapped = length_effect(won, ratio, rater), length_effect(~won, -ratio, rater)
    assert swapped.coefficient == pytest.approx(ours.coefficient, abs=1e-9)
    assert swapped.p_value == pytest.approx(ours.p_value, rel=1e-6)


def test_votes_of_one_rater_belong_together():
    won, ratio, _ = voted(np.random.default_rng(4), slope=0.9, n=60)
    copies = np.repeat(np.arange(60), 5)
    once = length_effect(won, ratio, range(60))
    again = length_effect(won[copies], ratio[copies], copies.tolist())
    assert again[:4] == pytest.approx(once[:4], rel=1e-6)
    one = length_effect(won, ratio, ["a"] * 60)
    assert one.coefficient == pytest.approx(once.coefficient)
    assert np.isnan([one.low, one.high, one.p_value]).all()


def test_the_level_is_heard():
    data = voted(np.random.default_rng(5), slope=0.9)
    assert length_effect(*data, level=0.5).low > length_effect(*data, level=0.99).low


def test_a_judge_who_follows_people_is_not_accused_of_their_taste_for_length():
    rng, n = np.random.default_rng(6), 2000
    ratio = rng.normal(size=n)
    people = (rng.random(n) < 1 / (1 + np.exp(-1.5 * ratio))).astype(float)
    follows = rng.random(n) < np.where(people == 1, 0.8, 0.2)
    assert judge_length_effect(follows, people, ratio).p_value > 0.01
    assert length_effect(follows, ratio, range(n)).p_value < 1e-6
    likes_long = rng.random(n) < 1 / (1 + np.exp(-(2 * people - 1 + 0.8 * ratio)))
    found = judge_length_effect(likes_long, people, ratio)
    assert found.low < 0.8 < found.high
    assert found.p_value < 0.01


def test_the_judges_model_is_a_regression_on_people_and_length():
    rng, n = np.random.default_rng(7), 300
    people, ratio, weight = rng.random(n), rng.normal(size=n), rng.uniform(1, 9, n)
    judge = rng.random(n) < people
    fitted = logistic.fit(np.transpose([people, ratio]), judge, weight)
    ours = judge_length_effect(judge, people, ratio, weight)
    assert ours == pytest.approx(logistic.effect(fitted, 2, n), rel=1e-9)
    assert ours != pytest.approx(judge_length_effect(judge, people, ratio), rel=1e-3)


def test_no_votes_give_no_effect():
    found = length_effect(np.zeros(0, dtype=bool), [], [])
    assert np.isnan(found[:4]).all()
    assert found.n == 0


def test_impossible_votes_are_refused():
    with pytest.raises(ValueError, match="boolean"):
        length_effect([1, 0], [0.1, 0.2], ["a", "b"])
    with pytest.raises(ValueError, match="boolean"):
        judge_length_effect([0.5, 1], [0, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="same length"):
        length_effect([True, False], [0.1, 0.2], ["a"])
    with pytest.raises(ValueError, match="finite"):
        length_effect([True, False], [0.1, -np.inf], ["a", "b"])
