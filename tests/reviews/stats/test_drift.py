"""Drift: known answers, moves that are seen, sizes at which chance is not."""

import numpy as np
import pytest
from scipy import stats

from reviews.stats import drift


def test_stability_of_shares_written_out():
    found = drift.stability([0.1] * 10, [0.15, 0.05] + [0.1] * 8)
    assert found == pytest.approx(0.0549306144, abs=5e-11)
    assert drift.stability([0.5, 0.5], [0.5, 0.5]) == 0


def test_psi_warns_by_the_size_of_the_samples():
    rng = np.random.default_rng(1)
    small = [drift.psi(rng.random(100), rng.random(100)) for _ in range(200)]
    # The fixed rule of .1 fires on most samples of 100 without any drift; this one does not.
    assert np.mean([one.value > 0.1 for one in small]) > 0.5
    assert np.mean([one.warns for one in small]) < 0.02
    assert drift.psi(rng.random(10_000), rng.random(10_000)).limit == 0.1


def test_psi_warns_of_a_move_and_alarms_of_a_large_one():
    rng = np.random.default_rng(2)
    before = rng.beta(2, 2, 5000)
    some, much = (drift.psi(before, rng.beta(a, 2, 5000)) for a in (2.9, 5))
    assert (some.warns, some.alarms) == (True, False)
    assert (much.warns, much.alarms) == (True, True)


def test_psi_of_values_that_all_share():
    same = drift.psi([0.5] * 100, [0.5] * 80)
    assert (same.value, same.warns) == (pytest.approx(0, abs=1e-3), False)
    assert drift.psi([0.5] * 100, [0.9] * 80).alarms
    assert np.isnan(drift.psi([], [0.1]).value)


def test_ks_reproduces_scipys_exact_value():
    found = drift.ks([0.1, 0.2, 0.3, 0.4, 0.5], [0.3, 0.4, 0.5, 0.6, 0.7])
    assert found == (pytest.approx(0.4), pytest.approx(0.8730158730, abs=5e-11), False)


def test_ks_asks_for_a_distance_beside_its_p_value():
    n = 50_000
    evenly = (np.arange(n) + 0.5) / n
    tiny = drift.ks(evenly, evenly**1.1)
    assert (tiny.p_value < 0.001, tiny.distance < 0.05, tiny.alarms) == (True, True, False)
    assert drift.ks(evenly, evenly**1.5).alarms
    assert np.isnan(drift.ks([], [0.1]).distance)


def test_cusum_by_hand():
    # 100 at 10 %: three points are one standard error.
    found = drift.cusum([13, 7, 10, 22], [100] * 4, share=0.1)
    assert found.up == pytest.approx([0.5, 0, 0, 3.5])
    assert found.down == pytest.approx([0, 0.5, 0, 0])
    assert not found.alarms


def test_cusum_alarms_of_a_slow_move_either_way_and_seldom_otherwise():
    rng = np.random.default_rng(3)
    assert drift.cusum(rng.binomial(200, 0.26, 60), np.full(60, 200), share=0.2).alarms
    assert drift.cusum(rng.binomial(200, 0.14, 60), np.full(60, 200), share=0.2).alarms
    steady = [
        drift.cusum(rng.binomial(200, 0.2, 30), np.full(30, 200), share=0.2).alarms
        for _ in range(300)
    ]
    # One alarm in 465 batches: some 6 % of runs of 30.
    assert np.mean(steady) < 0.12
    idle = drift.cusum([0, 0], [0, 0], share=0.2)
    assert (idle.up.tolist(), idle.down.tolist()) == ([0, 0], [0, 0])


def test_mix_is_pearsons_chi_square():
    found = drift.mix([30, 70, 0], [50, 50, 0])
    assert found.chi_square == pytest.approx(100 / 12)
    assert found.p_value == pytest.approx(stats.chi2.sf(100 / 12, 1))
    assert not found.alarms
    assert drift.mix([300, 700], [500, 500]).alarms
    assert drift.mix([5, 0], [9, 0]) == (0, 1, False)
    assert np.isnan(drift.mix([0, 0], [1, 2]).p_value)


def test_mmd_by_hand():
    x, y = [(0, 0), (1, 0), (0, 1)], [(1, 1), (2, 1), (1, 2)]
    found = drift.mmd(x, y, np.random.default_rng(4), bandwidth=1)
    assert found.value == pytest.approx(0.4425071278, abs=5e-11)
    # Ten ways to divide six rows: two of them as far apart.
    assert found.p_value == pytest.approx(0.1, abs=0.05)


def test_mmd_sees_a_moved_cloud_and_no_other():
    rng = np.random.default_rng(5)
    cloud = rng.normal(size=(1200, 8))
    assert drift.mmd(cloud, rng.normal(0.4, 1, (300, 8)), rng).alarms
    assert not drift.mmd(cloud, rng.normal(size=(300, 8)), rng).alarms


def test_a_classifier_tells_a_moved_cloud_and_no_other():
    rng = np.random.default_rng(6)
    cloud = rng.normal(size=(400, 8))
    moved = drift.told_apart(cloud, rng.normal(0.4, 1, (300, 8)), rng)
    assert moved.alarms
    assert 0.5 < moved.interval.low < moved.auc < moved.interval.high
    # Two normal clouds at a distance of .4 sqrt(8) are told with this area.
    assert moved.auc == pytest.approx(stats.norm.cdf(0.4 * np.sqrt(8) / np.sqrt(2)), abs=0.05)
    assert not drift.told_apart(cloud, rng.normal(size=(300, 8)), rng).alarms


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: drift.stability([0.0, 1.0], [0.5, 0.5]), "above 0"),
        (lambda: drift.psi([np.nan], [0.5]), "finite"),
        (lambda: drift.ks([[0.1]], [0.5]), "shape"),
        (lambda: drift.cusum([2], [1], 0.5), "within totals"),
        (lambda: drift.cusum([1], [2], 1.0), "strictly"),
        (lambda: drift.mix([-1, 2], [1, 1]), "below 0"),
        (lambda: drift.mmd([[1.0]], [[1.0], [2.0]], np.random.default_rng(7)), "two rows"),
        (lambda: drift.mmd([1.0], [2.0], np.random.default_rng(7)), "shape"),
        (lambda: drift.told_apart([[1.0]], [[1.0]], np.random.default_rng(7)), "five rows"),
    ],
)
def test_impossible_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
