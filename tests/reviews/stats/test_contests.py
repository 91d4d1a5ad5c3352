"""Two routers at equal cost: exact routing, known answers, coverage, and refusals."""

import numpy as np
import pytest

from reviews.stats import contests
from reviews.stats.contests import Pairs, Router


def router(score, cheap=1.0, expensive=4.0):
    score = np.asarray(score, float)
    return Router(score, np.full(score.size, cheap), np.full(score.size, expensive))


def everything_rated(loss):
    ones = np.ones(len(loss))
    return Pairs(ones, ones, ones.astype(bool), np.asarray(loss, float))


def test_a_router_costs_exactly_what_it_is_asked_to():
    rng = np.random.default_rng(1)
    n, traffic = 500, rng.uniform(1, 5, 500)
    one = Router(rng.integers(0, 9, n) / 9, rng.uniform(0.1, 1, n), rng.uniform(1, 9, n))
    low, high = contests.costs(one, traffic)
    for cost in np.linspace(low, high, 7):
        routed = contests.routed_at(one, traffic, cost)
        assert contests.cost_of(one, traffic, routed) == pytest.approx(cost)
        partly = one.score[(routed > 0) & (routed < 1)]
        assert np.unique(partly).size <= 1
    assert contests.routed_at(one, traffic, high + 0.01) is None
    assert contests.routed_at(one, traffic, low - 0.01) is None


def test_what_has_no_score_never_goes_to_cheap():
    routed = contests.routed_at(router([0.1, np.nan, 0.9]), np.ones(3), 2.0)
    assert routed.tolist() == [1.0, 0.0, 1.0]


def test_unknown_costs_are_left_out_of_the_cost():
    one = Router(np.array([0.1, 0.2]), np.array([1.0, np.nan]), np.array([4.0, 100.0]))
    assert contests.costs(one, np.ones(2)) == (1.0, 4.0)
    nothing = Router(np.array([0.1]), np.array([np.nan]), np.array([1.0]))
    assert np.isnan(contests.costs(nothing, np.ones(1))[0])
    assert contests.routed_at(nothing, np.ones(1), 1.0) is None


def test_a_perfect_router_beats_one_that_is_wrong_about_everything():
    loss = np.repeat([0.0, 1.0], 50)
    pairs, right, wrong = everything_rated(loss), router(loss), router(1 - loss)
    one, other = (contests.routed_at(each, np.ones(100), 2.5) for each in (right, wrong))
    found = contests.gap(pairs, one, other)
    assert (found.one, found.other, found.gain) == (0.0, 0.5, 0.5)
    assert found.n_apart == 100
    assert 0.35 < found.interval.low < 0.5 < found.interval.high < 0.65


def test_a_router_beside_itself_differs_in_nothing_and_that_is_not_sure():
    loss = np.tile([0.0, 1.0], 100)
    one = contests.routed_at(router(np.linspace(0, 1, 200)), np.ones(200), 2.5)
    found = contests.gap(everything_rated(loss), one, one)
    assert (found.gain, found.n_apart) == (0.0, 0)
    assert -0.04 < found.interval.low < 0 < found.interval.high < 0.04


def test_what_both_send_to_the_same_tier_widens_nothing():
    """Unpaired, 200 rows with half of them lost would leave an interval of about .2."""
    loss = np.tile([0.0, 1.0], 100)
    one = np.ones(200)
    other = one.copy()
    other[:4] = 0
    found = contests.gap(everything_rated(loss), one, other)
    assert found.gain == pytest.approx(-0.01)
    assert found.interval.high - found.interval.low < 0.07


def test_rows_that_could_not_be_drawn_are_said_to_be_unknown_once_they_go_cheap():
    ones = np.ones(4)
    pairs = Pairs(ones, np.array([1, 1, 1, 0.0]), np.array([1, 1, 1, 0], bool),
                  np.array([1, 0, 0, np.nan]))  # fmt: skip
    away = contests.gap(pairs, [1, 0, 0, 0], [0, 1, 0, 0])
    assert away.one == pytest.approx(0.25)  # a third of three quarters of the traffic
    there = contests.gap(pairs, [1, 0, 0, 1], [0, 1, 0, 0])
    assert np.isnan(there.gain)
    assert there.interval == (-1.0, 1.0)


def test_impossible_rows_are_refused():
    ones = np.ones(2)
    with pytest.raises(ValueError, match="rows of the frame"):
        contests.gap(everything_rated([0, 1]), [1], [1])
    with pytest.raises(ValueError, match="drawable"):
        contests.gap(Pairs(ones, np.zeros(2), ones.astype(bool), ones), ones, ones)


@pytest.mark.parametrize("lift", [0.0, 0.25])
def test_the_interval_covers_the_difference_of_the_whole_frame(lift):
    """Of 300 samples with unequal probabilities at least 93 % cover, at 95 %."""
    rng = np.random.default_rng(5)
    n = 4000
    need = rng.uniform(size=n)
    loss = (rng.uniform(size=n) < 0.3 * need).astype(float)
    traffic = rng.choice([1.0, 2.0], n)
    one = router(np.clip(need * lift + rng.uniform(size=n) * (1 - lift), 0, 1))
    other = router(rng.uniform(size=n))
    first, second = (contests.routed_at(each, traffic, 2.5) for each in (one, other))
    true = float(traffic @ ((second - first) * loss) / traffic.sum())
    pi = 0.04 + 0.08 * one.score
    covered = 0
    for _ in range(300):
        rated = rng.uniform(size=n) < pi
        ends = contests.gap(Pairs(traffic, pi, rated, loss), first, second).interval
        covered += ends.low <= true <= ends.high
    assert covered >= 279
