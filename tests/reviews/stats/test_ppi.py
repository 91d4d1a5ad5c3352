"""People corrected by a judge's predictions: known answers, coverage, refusals."""

import numpy as np
import pytest

from reviews.stats import ppi
from reviews.stats.ppi import Stratum
from reviews.stats.weighting import horvitz_thompson

Y = [1, 0, 0, 1, 0, 1, 0, 0, 1, 0]
F = [0.9, 0.2, 0.1, 0.7, 0.4, 0.8, 0.3, 0.1, 0.6, 0.2]
F_UNRATED = np.linspace(0, 1, 21) ** 1.5

PI = [0.5] * 6 + [0.25] * 6
RATED = np.array([1, 0, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0], dtype=bool)
JUDGE = [0.8, 0.1, 0.3, 0.6, 0.2, 0.1, 0.4, 0.2, 0.1, 0.9, 0.3, 0.2]


def loss():
    values = np.full(12, np.nan)
    values[RATED] = [1, 0, 1, 0, 1]
    return values


@pytest.mark.parametrize(
    ("lam", "mean", "low", "high"),
    [
        (None, 0.3774013209, 0.1697007703, 0.5851018714),
        (1, 0.3750459587, 0.1685740746, 0.5815178427),
        (0, 0.4, 0.0963636851, 0.7036363149),
        (0.5, 0.3875229793, 0.1525366349, 0.6225093237),
    ],
)
def test_equal_probabilities_reproduce_ppi_python(lam, mean, low, high):
    # ppi-python 0.2.3, ppi_mean_pointestimate and ppi_mean_ci.
    found = ppi.equal_probability(Y, F, F_UNRATED, lam)
    assert found.mean == pytest.approx(mean, abs=5e-10)
    assert found.interval() == pytest.approx((low, high), abs=5e-9)
    assert found.n == 10
    assert found.lam == pytest.approx(0.9056119942 if lam is None else lam, abs=5e-11)


def test_a_constant_error_of_the_judge_cancels_out():
    # The invariant of ppi-python's own tests.
    y = np.random.default_rng(0).normal(size=100)
    found = ppi.equal_probability(y, y + 2, np.full(50, 2.0), lam=1)
    assert found.mean == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("lam", "mean", "error"),
    [
        (0, 0.6666666667, 0.3760507165),
        (0.5, 0.4833333333, 0.2767734369),
        (1, 0.3, 0.2092555347),
        (None, 0.3, 0.2092555347),
    ],
)
def test_unequal_probabilities_by_hand(lam, mean, error):
    found = ppi.inverse_probability(loss(), JUDGE, RATED, PI, lam)
    assert found.mean == pytest.approx(mean, abs=5e-11)
    assert found.variance**0.5 == pytest.approx(error, abs=5e-11)


def test_lam_is_cut_after_it_was_tuned():
    assert ppi.power(loss(), JUDGE, RATED, PI) == pytest.approx(2.9565, abs=5e-5)
    assert ppi.inverse_probability(loss(), JUDGE, RATED, PI).lam == 1


def test_a_judge_who_is_not_heard_leaves_horvitz_and_thompson():
    alone = ppi.inverse_probability(loss(), JUDGE, RATED, PI, lam=0)
    by_hand = horvitz_thompson(loss()[RATED], 1 / np.array(PI)[RATED], 12)
    assert alone[:2] == pytest.approx((by_hand.mean, by_hand.stream_variance))


def test_pseudo_outcomes_stay_in_their_range():
    z = ppi.pseudo_outcomes(loss(), JUDGE, RATED, PI, lam=1)
    assert z.max() <= 4
    assert z.min() >= -3
    assert z[1] == 0.1  # unrated: what the judge says


def test_all_rated_needs_no_judge():
    y = [1, 0, 1, 0]
    found = ppi.inverse_probability(y, [0.9, 0.8, 0.1, 0.1], [True] * 4, [1.0] * 4)
    assert (found.mean, found.lam) == (0.5, 0)
    assert ppi.equal_probability(y, [1, 1, 0, 0], []).mean == 0.5


def test_one_stratum_is_the_plain_estimate():
    rng = np.random.default_rng(3)
    y, f, other = rng.random(40) < 0.4, rng.random(40), rng.random(300)
    plain = ppi.equal_probability(y, f, other)
    assert ppi.stratified([Stratum(y, f, other)]) == pytest.approx(plain)


def test_strata_of_different_rates_are_weighed_by_their_rows():
    rng = np.random.default_rng(4)
    easy = Stratum(np.zeros(40), np.zeros(40), np.zeros(360))
    hard = Stratum(rng.random(40) < 0.5, rng.random(40), rng.random(60))
    found = ppi.stratified([easy, hard])
    alone = ppi.equal_probability(*hard)
    assert found.mean == pytest.approx(0.2 * alone.mean)
    assert found.variance == pytest.approx(0.04 * alone.variance)


def test_small_strata_share_one_lam_and_large_ones_tune_their_own():
    rng = np.random.default_rng(5)

    def stratum(n, wrong):
        y = np.tile([1.0, 0.0], n // 2)
        return Stratum(y, np.where(rng.random(n) < wrong, 1 - y, y), rng.random(500) < 0.5)

    small = [stratum(20, 0.0), stratum(20, 0.0)]
    common = ppi.stratified(small).lam
    assert 0 < common < 1
    with_large = ppi.stratified([*small, stratum(60, 0.5)])
    own = ppi.equal_probability(*stratum(60, 0.5)).lam
    assert own < 0.5 < common
    assert with_large.lam < common


def test_a_stratum_without_ratings_leaves_no_estimate():
    found = ppi.stratified([Stratum(Y, F, F_UNRATED), Stratum([], [], [0.5])])
    assert np.isnan(found.mean)
    assert np.isnan(ppi.equal_probability([], [], [0.5]).mean)
    assert np.isnan(ppi.inverse_probability([0.0], [0.5], [False], [0.5]).mean)


def test_intervals_cover_and_are_narrower_than_without_a_judge():
    rng, covered, widths = np.random.default_rng(6), 0, []
    for _ in range(400):
        y = rng.random(2000) < 0.2
        f = np.where(rng.random(2000) < 0.9, y, ~y).astype(float)
        pi = np.where(np.arange(2000) % 2, 0.1, 0.3)
        rated = rng.random(2000) < pi
        found = ppi.inverse_probability(y, f, rated, pi)
        low, high = found.interval()
        covered += low <= 0.2 <= high
        alone = ppi.inverse_probability(y, f, rated, pi, lam=0)
        widths.append((found.variance / alone.variance) ** 0.5)
    # 95 % with a standard error of 1.1 points.
    assert 0.915 <= covered / 400 <= 0.985
    assert np.mean(widths) < 0.8


def test_width_by_correlation():
    # Simulated beside 10,000 predictions: correlation .60, 200 ratings gave .800.
    assert ppi.width_ratio(0.6, 200, 10_000) == pytest.approx(0.8, abs=0.01)
    assert ppi.width_ratio(0.0, 200, 10_000) == 1
    assert ppi.width_ratio(0.9, 200, 0) == 1


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"judge": JUDGE[:-1]}, "same shape"),
        ({"judge": [1.5, *JUDGE[1:]]}, "lie in"),
        ({"pi": [0.0, *PI[1:]]}, "pi must"),
        ({"rated": RATED.astype(float)}, "boolean"),
        ({"loss": [2.0, *loss()[1:]]}, "lie in"),
    ],
)
def test_impossible_input_is_refused(changed, words):
    given = {"loss": loss(), "judge": JUDGE, "rated": RATED, "pi": PI} | changed
    with pytest.raises(ValueError, match=words):
        ppi.inverse_probability(**given)


def test_impossible_samples_are_refused():
    with pytest.raises(ValueError, match="same shape"):
        ppi.equal_probability(Y, F[1:], F_UNRATED)
    with pytest.raises(ValueError, match="finite"):
        ppi.equal_probability(Y, F, [np.nan])
    with pytest.raises(ValueError, match="level"):
        ppi.equal_probability(Y, F, F_UNRATED).interval(1.0)
