"""A judge beside people at every threshold: the same as one threshold alone, and as no judge."""

import numpy as np
import pytest

from reviews.stats import ppi
from reviews.stats.curve import curve
from reviews.stats.ppi_curve import corrected
from reviews.stats.weighting import hajek

GRID = np.append(np.arange(0, 96, 5) / 100, 0.951)


def frame(rng, n=4000, **changed):
    score = rng.random(n)
    loss = (rng.random(n) < 0.02 + 0.15 * score).astype(float)
    judge = np.where(loss == 1, rng.random(n) < 0.8, rng.random(n) < 0.05).astype(float)
    pi = np.where(score < 0.95, 0.1 + 0.2 * score, 0.0)
    given = {
        "score": score, "loss": loss, "judge": judge, "rated": rng.random(n) < pi, "pi": pi,
        "traffic": np.where(rng.random(n) < 0.5, 1.0, 4.0), "thresholds": GRID,
    }  # fmt: skip
    return given | changed


def test_without_the_judge_it_is_the_curve_of_people():
    given = frame(np.random.default_rng(1))
    found = corrected(**given, lam=0)
    pi = np.where(given["pi"] > 0, given["pi"], 1.0)
    ones = np.ones(pi.size)
    alone = curve(
        score=given["score"], cost_cheap=ones, cost_expensive=ones,
        weight=given["traffic"] / pi, rated=given["rated"], adequate=given["loss"],
        harm=given["loss"], thresholds=GRID, traffic=given["traffic"], drawable=given["pi"] > 0,
    )  # fmt: skip
    assert found.degradation == pytest.approx(alone.degradation, abs=1e-12)
    assert found.events.tolist() == alone.events.tolist()


def test_without_the_judge_the_variance_is_hajeks():
    given = frame(np.random.default_rng(2))
    found = corrected(**given, lam=0)
    rated = given["rated"]
    below = (given["score"] < GRID[9])[rated]
    weight = (given["traffic"][rated]) / given["pi"][rated]
    covered = given["traffic"][given["pi"] > 0].sum() / given["traffic"].sum()
    alone = hajek(below * given["loss"][rated], weight)
    assert found.variance[9] == pytest.approx(covered**2 * alone.variance)
    assert found.n == rated.sum()


def test_one_threshold_written_out():
    given = frame(np.random.default_rng(3), n=500)
    given |= {"pi": np.full(500, 0.3), "traffic": np.ones(500), "thresholds": [0.5]}
    given["rated"] = np.random.default_rng(4).random(500) < 0.3
    below, rated = given["score"] < 0.5, given["rated"]
    y, f = below * given["loss"], below * given["judge"]
    pi = rated.sum() / 500
    e = y - 0.7 * f
    z = 0.7 * (f - f.mean()) + np.where(rated, (e - e[rated].mean()) / pi, 0)
    found = corrected(**given, lam=0.7)
    assert found.degradation[0] == pytest.approx(0.7 * f.mean() + e[rated].mean())
    n = rated.sum()
    assert found.variance[0] == pytest.approx(n / (n - 1) * (z @ z) / 500**2)
    assert found.rho[0] == pytest.approx(np.corrcoef(y[rated], f[rated])[0, 1])


def test_lam_is_the_one_of_smallest_variance():
    given = frame(np.random.default_rng(5), n=20_000)
    tuned = corrected(**given)
    for lam in (0.0, 0.25, 0.5, 0.75, 1.0):
        assert (tuned.variance[4:] <= 1.002 * corrected(**given, lam=lam).variance[4:]).all()
    assert 0 < tuned.lam[-1] < 1


def test_equal_probabilities_agree_with_the_estimate_of_two_samples():
    given = frame(np.random.default_rng(6), n=8000)
    given |= {"pi": np.full(8000, 0.2), "traffic": np.ones(8000), "thresholds": [1.01]}
    given["rated"] = rated = np.random.default_rng(7).random(8000) < 0.2
    found = corrected(**given)
    y, f = given["loss"], given["judge"]
    two = ppi.equal_probability(y[rated], f[rated], f[~rated])
    # Beside the mean of all rows instead of unrated ones, the same judge is heard N/m times as far.
    assert found.lam[0] * (1 - rated.mean()) == pytest.approx(two.lam, rel=0.02)
    assert found.degradation[0] == pytest.approx(two.mean, abs=1e-3)
    assert found.variance[0] == pytest.approx(two.variance, rel=0.02)


def test_only_proportions_of_the_probabilities_count():
    given = frame(np.random.default_rng(8))
    half = corrected(**given | {"pi": given["pi"] / 2})
    for one, other in zip(corrected(**given)[:5], half[:5], strict=True):
        assert one == pytest.approx(other, nan_ok=True)


def test_intervals_cover_and_are_narrower():
    rng, hits, narrower = np.random.default_rng(9), 0, 0
    for _ in range(300):
        given = frame(rng, n=6000, thresholds=np.array([0.9]))
        found, alone = corrected(**given), corrected(**given, lam=0)
        # True degradation at 0.9 of this traffic: the integral of 0.02 + 0.15 s.
        error = abs(found.degradation[0] - (0.02 * 0.9 + 0.15 * 0.9**2 / 2))
        hits += error <= 1.96 * found.variance[0] ** 0.5
        narrower += found.variance[0] < alone.variance[0]
    # 95 % with a standard error of 1.3 points.
    assert 0.91 <= hits / 300 <= 0.99
    assert narrower == 300


def test_nothing_rated_is_no_number():
    given = frame(np.random.default_rng(10), n=20, rated=np.zeros(20, bool))
    found = corrected(**given)
    assert np.isnan(found.degradation).all()
    assert np.isnan(found.variance).all()
    assert found.n == 0


def test_a_judge_who_says_the_same_of_all_has_no_correlation():
    found = corrected(**frame(np.random.default_rng(11), judge=np.zeros(4000)))
    assert np.isnan(found.rho).all()
    assert not found.lam.any()


def test_one_rating_has_no_variance():
    given = frame(np.random.default_rng(12), n=50, rated=np.arange(50) == 0, pi=np.full(50, 0.1))
    assert np.isnan(corrected(**given).variance).all()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"judge": np.zeros(3)}, "same shape"),
        ({"judge": np.full(40, 2.0)}, "lie in"),
        ({"rated": np.ones(40, bool), "pi": np.zeros(40)}, "pi above 0"),
        ({"traffic": np.zeros(40)}, "traffic above 0"),
        ({"rated": np.ones(40)}, "boolean"),
        ({"thresholds": [0.5, 0.5]}, "increasing"),
    ],
)
def test_impossible_input_is_refused(changed, words):
    with pytest.raises(ValueError, match=words):
        corrected(**frame(np.random.default_rng(13), n=40, **changed))
