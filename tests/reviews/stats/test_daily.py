"""Money a month: known answers, the limits, days that differ, and inputs that are refused."""

import numpy as np
import pytest

from reviews.stats import daily

DAY = 86_400.0


def month(at_s, score, saved, thresholds=(0.5,), **more):
    return daily.per_month(at_s, score, saved, thresholds, **more)


def test_equal_days_save_thirty_times_one_day_for_sure():
    found = month(np.arange(50) * DAY / 10, [0.1] * 50, [2.0] * 50)
    assert (found.n_days, found.saved[0]) == (4, 600)
    assert [float(end[0]) for end in found.interval] == [600, 600]


def test_the_interval_is_students_t_on_the_totals_of_days():
    # Days save 1, 2 and 3; the fourth is not over. t(.975, 2) = 4.302653, s = 1.
    found = month([0, DAY, 2 * DAY, 3 * DAY], [0.1] * 4, [1.0, 2.0, 3.0, 50.0])
    half = 30 * 4.302653 / 3**0.5
    assert found.saved[0] == 60
    assert [round(float(end[0]), 3) for end in found.interval] == [
        round(60 - half, 3),
        round(60 + half, 3),
    ]


def test_a_lower_level_has_a_shorter_interval():
    days, amounts = np.arange(6) * DAY, [1.0, 4.0, 2.0, 5.0, 3.0, 9.0]
    wide = month(days, [0.1] * 6, amounts).interval
    short = month(days, [0.1] * 6, amounts, level=0.8).interval
    assert wide.low[0] < short.low[0] < short.high[0] < wide.high[0]


def test_only_what_is_routed_cheap_saves():
    days = np.repeat(np.arange(5) * DAY, 3)
    scores = np.tile([0.2, 0.5, np.nan], 5)
    found = month(days, scores, [1.0] * 15, thresholds=(0.2, 0.5, 0.6))
    assert found.saved.tolist() == [0, 30, 60]


def test_an_unknown_cost_counts_as_nothing_saved():
    days = np.repeat(np.arange(5) * DAY, 2)
    found = month(days, [0.1] * 10, [1.0, np.nan] * 5)
    assert found.saved[0] == 30


def test_what_costs_more_is_a_loss():
    found = month(np.arange(5) * DAY, [0.1] * 5, [-1.0] * 5)
    assert found.saved[0] == -30


@pytest.mark.parametrize("n", [0, 1, 3])
def test_too_few_days_name_no_money(n):
    found = month(np.arange(n) * DAY, [0.1] * n, [1.0] * n)
    assert np.isnan([found.saved[0], *(end[0] for end in found.interval)]).all()


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="same length"):
        month([0.0], [0.1, 0.2], [1.0])


def test_nineteen_of_twenty_intervals_hold_the_true_month():
    rng = np.random.default_rng(7)
    hits, runs, n_days = 0, 400, 14
    for _ in range(runs):
        level = rng.gamma(8, 1 / 8, n_days + 1)  # days differ
        amounts = rng.lognormal(-1.125, 1.5, (n_days + 1, 200)) * level[:, None]
        days = np.repeat(np.arange(n_days + 1) * DAY, 200)
        low, high = month(days, np.full(days.size, 0.1), amounts.ravel()).interval
        hits += low[0] <= 30 * 200 <= high[0]
    assert 0.90 <= hits / runs <= 0.98


def test_what_is_asked_first_is_paid_at_every_threshold_above_0():
    """Four a day: a cheap one saves 4, and each is asked first for 1."""
    at = [day * 86_400 for day in range(5) for _ in range(4)]
    found = daily.per_month(
        at, [0.1, 0.1, 0.9, 0.9] * 5, [4.0] * 20, [0, 0.5, 1.01], asking=[1.0] * 20
    )
    assert found.saved.tolist() == pytest.approx([0, 30 * (2 * 4 - 4), 30 * (4 * 4 - 4)])


def test_asking_of_another_length_is_refused():
    with pytest.raises(ValueError, match="same length"):
        daily.per_month([0, 1], [0.1, 0.2], [1, 1], [0.5], asking=[1])
