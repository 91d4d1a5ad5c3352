"""Measured savings: two methods agree, the interval covers, nothing is filled in."""

import numpy as np
import pytest
import scipy.stats

from benchmarks import savings as played
from benchmarks.stats import RECORDED
from reviews.stats import savings

FOLDER = RECORDED.parent
SHADOWED = ("repriced", "rate", "expensive", "day")


def made(n=400, rate=0.3, seed=1, lost=0.0):
    """Rows whose expensive answer costs thrice the naive figure and a bit, and the true total."""
    rng = np.random.default_rng(seed)
    repriced = rng.gamma(2.0, 1.0, n)
    true = 3 * repriced + rng.gamma(2.0, 0.5, n)
    known = (rng.random(n) < rate) & (rng.random(n) >= lost)
    day = np.arange(n) * 4 // n
    return savings.rows(repriced, np.full(n, rate), known, true, day), float(true.sum())


def test_everything_shadowed_is_known_exactly():
    of, true = made(rate=1.0)
    for method in savings.METHODS:
        found = savings.estimate(of, method=method)
        assert found.value == pytest.approx(true)
        assert found.interval == pytest.approx((true, true))


@pytest.mark.parametrize("rate", [0.3, 1.0])
def test_sums_of_the_others_say_what_all_rows_one_by_one_do(rate):
    rng, n = np.random.default_rng(3), 500
    x, day = rng.gamma(2.0, 1.0, n), np.arange(n) * 4 // n
    y, known = 2 * x + rng.gamma(1.0, 1.0, n), rng.random(n) < 0.25
    columns, w = np.column_stack([np.ones(n), x]), np.full(known.sum(), 1 / rate)
    inner = (columns[known] * w[:, None]).T @ columns[known]
    slopes = np.linalg.solve(inner, columns[known].T @ (w * y[known]))
    e = y[known] - columns[known] @ slopes
    by_day = np.bincount(day, columns @ slopes) + np.bincount(day[known], w * e)
    missing = columns.sum(axis=0) - w @ columns[known]
    gw = w * (1 + columns[known] @ np.linalg.solve(inner, missing))
    error = np.sqrt((np.maximum(gw * (gw - 1), 0) * e**2).sum() * e.size / (e.size - 2))
    found = savings.estimate(savings.rows(x, np.full(n, rate), known, y, day))
    assert (found.method, found.n, found.n_rows) == ("regression", e.size, n)
    assert found.by_day == pytest.approx(by_day, rel=1e-9)
    assert found.value == pytest.approx(by_day.sum(), rel=1e-9)
    half = scipy.stats.t.ppf(0.975, e.size - 2) * error
    assert found.interval.high - found.value == pytest.approx(half, rel=1e-9)


def test_a_total_is_horvitz_and_thompsons_with_its_poisson_variance():
    of, _ = made()
    known = of.expensive
    found = savings.estimate(of, method="total")
    assert found.value == pytest.approx((known / 0.3).sum())
    error = np.sqrt((0.7 / 0.3**2 * known**2).sum())
    assert (found.interval.high - found.value) / error == pytest.approx(1.98, abs=0.03)


def test_the_days_add_up_and_the_bias_is_what_the_naive_figure_is_off_by():
    of, _ = made()
    for method in savings.METHODS:
        found = savings.estimate(of, method=method)
        assert found.by_day.sum() == pytest.approx(found.value)
        assert found.bias == pytest.approx(found.repriced - found.value)
        assert found.bias_interval.high < 0


def test_lost_shadow_calls_shrink_a_total_and_no_calibrated_method():
    of, true = made(n=4_000, lost=0.4)
    off = {m: savings.estimate(of, method=m).value / true - 1 for m in savings.METHODS}
    assert off["total"] < -0.3
    assert abs(off["ratio"]) < 0.03
    assert abs(off["regression"]) < 0.03


def test_the_method_follows_from_how_much_was_shadowed():
    of, _ = made()
    few = of._replace(**{name: getattr(of, name)[:15] for name in SHADOWED})
    flat = of._replace(repriced=np.zeros_like(of.repriced))
    assert [savings.estimate(one).method for one in (of, few, flat)] == [
        "regression", "ratio", "total",
    ]  # fmt: skip


@pytest.mark.parametrize("method", savings.METHODS)
def test_the_level_widens(method):
    of, _ = made()
    widths = [np.ptp(savings.estimate(of, level, method).interval) for level in (0.8, 0.95)]
    assert widths[0] < widths[1]


def test_too_little_and_the_impossible_are_refused():
    with pytest.raises(savings.TooFew, match="shadowed"):
        savings.estimate(
            savings.rows([1.0] * 20, [1.0] * 20, [True] * 9 + [False] * 11, [1.0] * 20, [0] * 20)
        )
    with pytest.raises(ValueError, match="method"):
        savings.estimate(made()[0], method="guess")
    with pytest.raises(ValueError, match="rate"):
        savings.rows([1.0], [0.0], [True], [1.0], [0])
    with pytest.raises(ValueError, match="shape"):
        savings.rows([1.0, 2.0], [1.0], [True], [1.0], [0])
    with pytest.raises(ValueError, match="finite"):
        savings.rows([np.nan], [1.0], [True], [1.0], [0])


def test_a_month_is_thirty_days_with_their_spread():
    found = savings.month([1.0, 2.0, 3.0])
    assert found.value == 60
    assert found.interval.high == pytest.approx(60 + 30 * 4.302653 / np.sqrt(3))  # t of 2, 97.5 %
    assert np.ptp(savings.month([1.0, 2.0, 3.0], 0.8).interval) < np.ptp(found.interval)
    with pytest.raises(savings.TooFew, match="full days"):
        savings.month([1.0, 2.0])


@pytest.mark.slow
@pytest.mark.parametrize("name", played.FILES)
def test_the_interval_covers_the_true_saving_of_recorded_answers_and_repricing_does_not(name):
    path = FOLDER / f"{name}.jsonl.gz"
    if not path.exists():
        pytest.skip(f"no {path.name} here")
    seeds = 60
    of = played.costs(path)
    for method in ("ratio", "regression"):
        found = played.play(of, 0.1, seeds, method)
        assert found.coverage >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / seeds)
        assert found.naive_inside < 0.1
    assert found.repriced > 1.15 * found.true
