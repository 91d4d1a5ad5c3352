"""Known answers come from an independent scalar computation of the same process."""

import numpy as np
import pytest

from reviews.stats import betting
from reviews.stats.rows import Rows


def every_tenth(harms=(), n=2000, pi=0.1, **columns):
    loss = np.zeros(n)
    loss[list(harms)] = 1
    return Rows(np.zeros(n), np.full(n, pi), np.arange(n) % 10 == 0, loss, **columns)


def star(rows, thresholds=(0.5,), **settings):
    return betting.star(
        rows, thresholds, **{"floor": 0.05, "delta": 0.05, "n_plan": 2000} | settings
    )


def drawn(n=3000, pi=0.2, harm=0.1, seed=1, **columns):
    rng = np.random.default_rng(seed)
    score, rated = rng.random(n), rng.random(n) < pi
    loss = (rng.random(n) < 2 * harm * score) * 1.0
    return Rows(score, np.full(n, pi), rated, np.where(rated, loss, 0.0), **columns)


@pytest.mark.parametrize(
    ("harms", "batch", "log_k"),
    [
        ([], 28, 2.9990079410),
        ([500], 33, 3.0014514864),
        ([300, 500, 700], 50, 3.0215904748),
        ([300, 500, 700, 900, 1300], 51, -2.7779591595),
    ],
)
def test_capital_has_its_known_answers(harms, batch, log_k):
    bets = star(every_tenth(harms))
    assert bets.batch.tolist() == [batch]
    assert bets.log_k[0] == pytest.approx(log_k, abs=1e-9)


def test_first_batch_bets_what_the_plan_alone_says():
    bets = star(every_tenth(n=2000), batches=[0, 40, 2000], delta=0.05)
    first = star(Rows(*(np.asarray(c)[:40] for c in every_tenth()[:4])), batches=1)
    assert first.log_k[0] == pytest.approx(0.1548972805, abs=1e-9)
    assert bets.batch.tolist() == [2]


def test_capital_is_the_product_a_plain_loop_gives():
    """Two thresholds, unequal weights, a judge and unequal traffic; one batch fixes the bet."""
    n, floor = 200, 0.1
    rng = np.random.default_rng(3)
    score, pi = rng.random(n), rng.choice([0.2, 0.5], n)
    rated, judge = rng.random(n) < pi, rng.choice([0.0, 0.5, 1.0], n)
    loss, traffic = rng.choice([0, 0.5, 1], n, p=[0.9, 0.05, 0.05]), rng.choice([1.0, 3.0], n)
    rows = Rows(score, pi, rated, loss, judge, traffic)
    bets = star(rows, [0.4, 1.01], floor=floor, batches=1, n_plan=n)
    a = traffic / traffic.mean()
    for j, t in enumerate([0.4, 1.01]):
        cheap = score < t
        square = (a**2 / pi)[cheap].mean() * floor - floor**2 * (a**2).mean() + floor**2
        aim = np.sqrt(2 * np.log(20) / (n * (square - floor**2)))
        bet = min(aim, 0.95 / ((a / pi)[cheap].max() - floor * a.min()))
        z = cheap * rated / pi * loss  # the judge has no weight before any loss
        assert bets.log_k[j] == pytest.approx(np.log1p(bet * a * (floor - z)).sum(), abs=1e-9)


@pytest.mark.parametrize(
    ("n_harms", "log_e"), [(0, 3.8150548168), (1, 1.6213383234), (2, 0.5317583229)]
)
def test_mixture_has_its_known_answers(n_harms, log_e):
    loss = np.arange(100) < n_harms
    rows = Rows(np.zeros(100), np.ones(100), np.ones(100, dtype=bool), loss)
    assert betting.log_mixture(rows, [0.5], 0.05)[0] == pytest.approx(log_e, abs=1e-9)


def test_mixture_does_not_care_about_the_order():
    rows = drawn(judge=None)
    turned = Rows(*(column[::-1] for column in rows[:4]))
    ours = betting.log_mixture(rows, [0.3, 1.01], 0.05)
    assert ours == pytest.approx(betting.log_mixture(turned, [0.3, 1.01], 0.05))


def test_each_threshold_is_bet_on_as_if_alone():
    rows = drawn()
    together = star(rows, [0.2, 0.5, 1.01], n_plan=3000)
    for j, t in enumerate([0.2, 0.5, 1.01]):
        assert star(rows, [t], n_plan=3000).log_k[0] == pytest.approx(together.log_k[j])


def test_rows_without_loss_cost_nothing_whatever_traffic_they_stand_for():
    traffic = np.where(np.arange(2000) % 2, 1.0, 4.0)
    plain, weighted = star(every_tenth()), star(every_tenth(traffic=traffic))
    assert weighted.log_k[0] != pytest.approx(plain.log_k[0])
    assert np.isfinite(weighted.log_k).all()


def test_traffic_is_only_relative():
    one, seven = drawn(traffic=np.ones(3000)), drawn(traffic=np.full(3000, 7.0))
    assert star(one, [0.5]).log_k[0] == star(seven, [0.5]).log_k[0] == star(drawn(), [0.5]).log_k[0]


def test_harm_in_heavy_traffic_weighs_more():
    traffic = np.ones(2000)
    traffic[300] = 5.0
    heavy = star(every_tenth([300], traffic=traffic))
    light = star(every_tenth([310], traffic=traffic))
    assert heavy.log_k[0] < light.log_k[0] - 1


def test_a_good_judge_makes_the_capital_grow_faster():
    rng = np.random.default_rng(5)
    n = 20_000
    rated, truth = rng.random(n) < 0.1, (rng.random(n) < 0.03) * 1.0
    rows = Rows(np.zeros(n), np.full(n, 0.1), rated, truth)
    alone, helped = star(rows, n_plan=n), star(rows._replace(judge=truth), n_plan=n)
    assert helped.batch[0] < alone.batch[0] <= 51


def test_a_judge_without_a_guess_guesses_nothing():
    unknown = drawn(judge=np.full(3000, np.nan))
    assert star(unknown, [0.5]).log_k[0] == pytest.approx(star(drawn(), [0.5]).log_k[0])


def test_a_rating_that_never_came_is_a_loss():
    missing = every_tenth([300])
    missing.loss[300] = np.nan
    assert star(missing).log_k[0] == star(every_tenth([300])).log_k[0]


def test_losses_of_rows_that_were_not_drawn_are_not_read():
    rows = every_tenth([300, 301, 302])
    assert star(rows).log_k[0] == star(every_tenth([300])).log_k[0]


def test_a_look_at_a_growing_stream_sees_the_same_capital():
    whole = drawn(harm=0.01)
    edges = np.arange(0, 3001, 60)
    early = Rows(*(column[:2400] for column in whole[:4]))
    now = star(early, [0.5], n_plan=3000, batches=edges[edges <= 2400])
    later = star(whole, [0.5], n_plan=3000, batches=edges)
    assert now.batch[0] == later.batch[0] <= 40
    assert now.log_k[0] == pytest.approx(later.log_k[0])


def test_only_routed_rows_are_the_population_when_asked():
    rows, n, floor = drawn(n=400), 400, 0.1
    bets = star(rows, [0.5], floor=floor, batches=1, n_plan=n, routed_only=True)
    cheap = rows.score < 0.5
    bet = min(np.sqrt(2 * np.log(20) / (n * (floor * 5 - floor**2))), 0.95 / (5 - floor))
    z = rows.rated[cheap] * 5 * rows.loss[cheap]
    assert bets.log_k[0] == pytest.approx(np.log1p(bet * (floor - z)).sum(), abs=1e-9)


def test_upper_bound_falls_with_fewer_losses_and_lies_above_the_estimate():
    floors = betting.floors()
    bounds = [
        betting.upper(every_tenth(h), [0.5], floor_grid=floors, delta=0.05, n_plan=2000)[0]
        for h in ([], [300], [300, 500, 700], range(0, 2000, 100))
    ]
    assert bounds == sorted(bounds)
    assert bounds[-1] > 0.1


def test_bounds_enclose_the_truth_and_agree_with_the_test():
    rows = drawn(20_000, harm=0.1)
    floors = betting.floors(0.1)
    high = betting.upper(rows, [1.01], floor_grid=floors, delta=0.05, n_plan=20_000)[0]
    low = betting.lower(rows, [1.01], floor_grid=floors, delta=0.05, n_plan=20_000)[0]
    assert 0.05 < low < 0.1 < high < 0.2
    assert star(rows, [1.01], floor=high, n_plan=20_000).batch[0] <= 50
    assert star(rows, [1.01], floor=low, n_plan=20_000).batch[0] == 51


def test_bound_is_one_where_nothing_can_be_refuted():
    nothing = Rows(np.zeros(50), np.full(50, 0.1), np.zeros(50, dtype=bool), np.zeros(50))
    assert betting.upper(nothing, [0.5], floor_grid=[0.1, 0.2], delta=0.05, n_plan=5000) == [1.0]
    assert betting.lower(nothing, [0.5], floor_grid=[0.1, 0.2], delta=0.05, n_plan=5000) == [0.0]


def test_futility_is_found_where_harm_is_far_above_the_floor_and_not_below():
    bad, good = drawn(5000, harm=0.3), drawn(5000, harm=0.01)
    settings = {"floor": 0.05, "delta": 0.05, "n_plan": 5000}
    assert betting.futile(bad, [1.01], **settings).batch[0] <= 50
    assert betting.futile(good, [1.01], **settings).batch[0] == 51


def test_futility_stays_finite_with_a_judge_who_sees_harm_everywhere():
    rows = drawn(5000, harm=0.02, judge=np.ones(5000))
    bets = betting.futile(rows, [0.5, 1.01], floor=0.05, delta=0.05, n_plan=5000)
    assert np.isfinite(bets.log_k).all()


@pytest.mark.parametrize("pi", [0.001, 0.02, 1.0])
@pytest.mark.parametrize("judge", [None, "wrong"])
def test_capital_stays_finite_at_the_worst_rows(pi, judge):
    n = 400
    guess = None if judge is None else np.ones(n)
    rows = Rows(np.zeros(n), np.full(n, pi), np.ones(n, dtype=bool), np.ones(n), guess)
    bets = star(rows, floor=0.3, n_plan=n)
    assert np.isfinite(bets.log_k).all()
    assert bets.log_k[0] < 0


def test_longer_streams_than_planned_go_on_betting():
    long = drawn(20_000, harm=0.02)
    assert star(long, [1.01], n_plan=500).batch[0] <= 50


def test_empty_frame_has_a_capital_of_one():
    nothing = Rows([], [], np.array([], dtype=bool), [])
    assert star(nothing).log_k.tolist() == [0.0]
    assert betting.log_mixture(nothing, [0.5], 0.05)[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [
        {"floor": 0.0},
        {"floor": 1.0},
        {"delta": 0.0},
        {"delta": 1.0},
        {"n_plan": 0},
        {"batches": 0},
        {"batches": [0, 10]},
        {"batches": [5, 2000]},
        {"batches": [0, 30, 20, 2000]},
        {"batches": [0.0, 2000.0]},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError):
        star(every_tenth(), **wrong)


def test_floors_that_do_not_rise_are_refused():
    with pytest.raises(ValueError):
        betting.upper(every_tenth(), [0.5], floor_grid=[0.2, 0.1], delta=0.05, n_plan=2000)
