"""Counts beside their design: known answers, faults that are seen, chance that is not."""

import math

import numpy as np
import pytest

from reviews.stats import ratios
from reviews.stats.weighting import horvitz_thompson


def drawn(rng, n=20_000):
    stratum = rng.integers(5, size=n)
    pi = 0.05 + 0.05 * stratum
    return rng.random(n) < pi, pi, stratum


def test_shares_reproduce_the_published_example():
    # srm.osc.garden, 44,000 against 45,000.
    found = ratios.shares([44_000, 45_000], [0.5, 0.5])
    assert found.chi_square == pytest.approx(11.235955, abs=5e-7)
    assert found.p_value == pytest.approx(0.000802278, abs=5e-10)
    assert ratios.shares([0, 0], [0.5, 0.5]) == (0, 1)


def test_daily_reproduces_the_known_odds():
    assert ratios.daily([[44_000, 45_000]], [0.5, 0.5])[-1] == pytest.approx(3.30557955, abs=5e-9)


def test_daily_counts_all_days_so_far():
    apart = ratios.daily([[20, 30], [0, 0], [24, 15]], [0.4, 0.6])
    assert apart[1] == apart[0]
    assert apart[2] == pytest.approx(ratios.daily([[44, 45]], [0.4, 0.6])[0])


def test_daily_looks_alarm_by_chance_no_more_than_they_may():
    rng, limit = np.random.default_rng(1), math.log(20)
    days = rng.binomial(60, 0.5, size=(1000, 30))
    alarms = sum(
        (ratios.daily(np.column_stack([row, 60 - row]), [0.5, 0.5]) > limit).any() for row in days
    )
    # At odds of 20 at most 5 %, plus three standard errors.
    assert alarms / 1000 <= 0.05 + 0.021
    days = np.column_stack([np.full(30, 40), np.full(30, 20)])
    assert ratios.daily(days, [0.5, 0.5]).max() > math.log(1000)


@pytest.mark.parametrize(
    ("hits", "n", "p"),
    [
        (62, 100, 0.0209787357),
        (60, 100, 0.0568879336),
        (15, 20, 0.0413894653),  # McNemar, 15 against 5
        (0, 0, 1.0),
    ],
)
def test_a_fair_coin_exactly(hits, n, p):
    assert ratios.fair(hits, n) == pytest.approx(p, abs=5e-11)


def test_draws_that_keep_their_probabilities_pass_and_others_do_not():
    rng = np.random.default_rng(2)
    mask, pi, stratum = drawn(rng)
    assert ratios.sampling(mask, pi, stratum).p_value > 0.001
    lost = mask & ~((stratum == 4) & (rng.random(mask.size) < 0.2))
    found = ratios.sampling(lost, pi, stratum)
    assert found.p_value < 0.001
    assert int(np.argmin(found.z)) == 4


def test_sampling_by_hand():
    found = ratios.sampling([True, True, False, False], [0.5] * 4, [0, 0, 1, 1])
    assert found.drawn.tolist() == [2, 0]
    assert found.expected.tolist() == [1, 1]
    assert found.z == pytest.approx([math.sqrt(2), -math.sqrt(2)])
    # Both strata are small: together nothing is off.
    assert found.p_value == 1


def test_p_values_of_the_draw_are_uniform():
    rng = np.random.default_rng(3)
    p = [ratios.sampling(*drawn(rng, 3000)).p_value for _ in range(300)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.04)


def test_what_cannot_be_drawn_was_not_drawn_by_chance():
    impossible = ratios.sampling([True, False], [0.0, 0.5], [0, 1])
    assert (impossible.p_value, impossible.z[0]) == (0, math.inf)
    certain = ratios.sampling([True, False], [1.0, 1.0], [0, 1])
    assert (certain.p_value, certain.z[1]) == (0, math.inf)
    everything = ratios.sampling([True, True], [1.0, 1.0], [0, 0])
    assert everything.p_value == 1
    assert np.isnan(everything.z).all()
    assert ratios.sampling([], [], []).p_value == 1


def test_balance_is_horvitz_and_thompson_of_a_known_total():
    rng = np.random.default_rng(4)
    mask, pi, stratum = drawn(rng, 2000)
    x = rng.random(2000) + stratum
    away = x - x.mean()
    estimate = horvitz_thompson(away[mask], 1 / pi[mask], 2000)
    error = math.sqrt(((1 / pi - 1) * away**2).sum()) / 2000
    assert ratios.balance(x, mask, pi) == pytest.approx(estimate.mean / error)


def test_balance_sees_wrong_probabilities_and_is_normal_otherwise():
    rng = np.random.default_rng(5)
    z = []
    for _ in range(400):
        mask, pi, stratum = drawn(rng, 2000)
        z.append(ratios.balance(stratum, mask, pi))
    assert np.std(z) == pytest.approx(1, abs=0.12)
    mask, pi, stratum = drawn(rng)
    assert abs(ratios.balance(stratum, mask, np.full(pi.size, pi.mean()))) > 3.3
    assert ratios.balance([1, 1], [True, False], [0.5, 0.5]) == 0
    assert ratios.balance([0.01] * 80, rng.random(80) < 0.8, [0.8] * 80) == 0  # one price for all
    assert ratios.balance([], np.zeros(0, bool), []) == 0


def test_ties_are_shares_of_the_traffic():
    assert ratios.tie([0.5, 0.5, 0.1, np.nan], [1, 1, 4, 2]) == (0.1, 0.5)
    none = ratios.tie([np.nan], [1])
    assert np.isnan(none).all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ratios.sampling([1.0], [0.5], [0]), "boolean"),
        (lambda: ratios.sampling([True], [1.5], [0]), "pi must"),
        (lambda: ratios.sampling([True], [0.5, 0.5], [0]), "same shape"),
        (lambda: ratios.shares([1, -1], [0.5, 0.5]), "below 0"),
        (lambda: ratios.shares([1, 1], [0.5, 0.6]), "sum to 1"),
        (lambda: ratios.shares([1], [1.0]), "two counts"),
        (lambda: ratios.daily([1, 2], [0.5, 0.5]), "shape"),
        (lambda: ratios.fair(3, 2), "hits"),
        (lambda: ratios.balance([np.nan], [True], [0.5]), "finite"),
        (lambda: ratios.balance([1.0], [True], [0.0]), "pi lie"),
        (lambda: ratios.balance([1.0], [True, False], [0.5]), "same shape"),
    ],
)
def test_impossible_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
