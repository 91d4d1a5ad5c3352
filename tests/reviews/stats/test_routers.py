"""The quality of a router's scores: known answers, scikit-learn, intervals, refusals."""

import numpy as np
import pytest

from reviews.stats import routers

SCORE, LOSS = [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]


def scored(rng, n=600, slope=1.0):
    """Pairs whose losses follow the scores' log-odds times a slope, with unequal weights."""
    score = rng.beta(2, 4, n)
    truth = 1 / (1 + np.exp(-slope * np.log(score / (1 - score))))
    return score, (rng.random(n) < truth).astype(float), rng.choice([1.0, 2.0, 5.0], n)


def measured(*rows, seed=0, **more):
    return routers.quality(*rows, np.random.default_rng(seed), **{"resamples": 200} | more)


def test_area_and_brier_reproduce_scikit_learns_example():
    found = measured(SCORE, LOSS, np.ones(4))
    assert found.auroc.value == 0.75
    assert found.brier.value == pytest.approx(0.158125)
    assert found.skill.value == pytest.approx(1 - 0.158125 / 0.25)
    assert (found.n, found.events, found.prevalence) == (4, 2, 0.5)


def test_weighted_figures_agree_with_scikit_learn():
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

    score, loss, weight = scored(np.random.default_rng(1))
    score = score.round(2)  # ties
    found = measured(score, loss, weight)
    assert found.auroc.value == pytest.approx(roc_auc_score(loss, score, sample_weight=weight))
    assert found.auprc.value == pytest.approx(
        average_precision_score(loss, score, sample_weight=weight)
    )
    assert found.brier.value == pytest.approx(brier_score_loss(loss, score, sample_weight=weight))
    assert routers.auroc(score, loss) == pytest.approx(roc_auc_score(loss, score))


def test_a_loss_of_a_half_is_half_a_pair_of_each_class():
    halves = routers.auroc([0.2, 0.6, 0.9], [0, 0.5, 1])
    apart = routers.auroc([0.2, 0.6, 0.6, 0.9], [0, 0, 1, 1], [1, 0.5, 0.5, 1])
    assert halves == pytest.approx(apart)


def test_error_of_calibration_by_hand():
    score = np.repeat([0.2, 0.7], 5)
    loss = [0, 0, 0, 0, 1, 1, 1, 1, 1, 0]
    # Ten bins of one row each: every row is .2 or .8, .3 or .7 away.
    assert measured(score, loss, np.ones(10)).error.value == pytest.approx(
        np.mean([0.2] * 4 + [0.8] + [0.3] * 4 + [0.7])
    )
    bins = routers.reliability(score, loss, np.ones(10), bins=2)
    assert bins == [
        (pytest.approx(0.2), pytest.approx(0.2), 5), (pytest.approx(0.7), pytest.approx(0.8), 5),
    ]  # fmt: skip


def test_slope_says_how_far_scores_are_overconfident():
    rng = np.random.default_rng(2)
    score, loss, weight = scored(rng, 8000, slope=0.5)
    found = measured(score, loss, weight, resamples=1)
    assert found.slope.low < 0.5 < found.slope.high < 0.8
    honest = measured(*scored(rng, 8000), resamples=1)
    assert honest.slope.low < 1 < honest.slope.high
    assert honest.intercept.low < 0 < honest.intercept.high


def test_few_losses_make_the_error_by_bins_noise():
    rng = np.random.default_rng(3)
    assert measured(*scored(rng, 100), resamples=1).is_noisy
    assert not measured(*scored(rng, 2000), resamples=1).is_noisy


@pytest.mark.slow
def test_intervals_of_the_area_cover():
    rng, hits = np.random.default_rng(4), 0
    truth = routers.auroc(*scored(np.random.default_rng(5), 400_000)[:2])
    for seed in range(200):
        score, loss, _ = scored(rng, 300)
        strata = np.arange(300) % 3
        low, high = measured(score, loss, np.ones(300), seed=seed, stratum=strata).auroc.interval
        hits += low <= truth <= high
    # 95 % with a standard error of 1.5 points, and 200 resamples only.
    assert 0.89 <= hits / 200 <= 0.99


def test_one_class_or_nothing_has_no_area():
    same = measured([0.1, 0.4], [0, 0], [1, 1])
    assert np.isnan([same.auroc.value, same.auprc.value, same.skill.value]).all()
    assert same.brier.value == pytest.approx(0.085)
    nothing = measured([], [], [])
    assert np.isnan(nothing.brier.value)
    assert nothing.n == 0
    assert np.isnan(routers.auroc([], []))


def test_few_ratings_calibrate_by_a_line_and_many_by_steps():
    assert routers.kind_of_calibration(999, 900) == "line"
    assert routers.kind_of_calibration(5000, 49) == "line"
    assert routers.kind_of_calibration(1000, 50) == "steps"


@pytest.mark.parametrize("n", [400, 4000])
def test_calibration_repairs_overconfident_scores_and_keeps_their_order(n):
    score, loss, weight = scored(np.random.default_rng(6), n, slope=0.4)
    apart = routers.calibrated_apart(score, loss, weight, np.random.default_rng(7))
    before, after = (measured(s, loss, weight, resamples=1) for s in (score, apart))
    assert after.brier.value < before.brier.value
    assert after.error.value < before.error.value
    grid = np.linspace(0, 1, 50)
    probability = routers.calibrated(score, loss, weight)(grid)
    assert (np.diff(probability) >= 0).all()
    assert ((probability >= 0) & (probability <= 1)).all()


def test_steps_are_those_of_scikit_learn():
    from sklearn.isotonic import IsotonicRegression

    score, loss, weight = scored(np.random.default_rng(8), 2000)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(score, loss, sample_weight=weight)
    assert routers.calibrated(score, loss, weight)(SCORE) == pytest.approx(theirs.predict(SCORE))


def test_scores_that_tell_nothing_are_calibrated_to_the_mean():
    flat = routers.calibrated([0.5] * 10, [1, 0] * 5, [1.0] * 10)
    assert flat([0.1, 0.9]).tolist() == pytest.approx([0.5, 0.5])
    upside_down = routers.calibrated(np.linspace(0, 1, 40), np.linspace(1, 0, 40), np.ones(40))
    assert upside_down([0.1, 0.9]).tolist() == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: routers.auroc([0.1], [0, 1]), "same shape"),
        (lambda: routers.auroc([1.1], [0]), "lie in"),
        (lambda: routers.auroc([0.1], [-1]), "lie in"),
        (lambda: routers.auroc([0.1], [0], [0]), "above 0"),
        (lambda: routers.calibrated([], [], []), "a rating"),
        (
            lambda: routers.calibrated_apart(SCORE, LOSS, [1] * 4, np.random.default_rng(0), 5),
            "folds",
        ),
    ],
)
def test_impossible_input_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_two_routers_are_compared_on_the_same_pairs():
    """Their difference is known better than either area: what is hard is hard for both."""
    rng = np.random.default_rng(3)
    loss = (rng.random(400) < 0.3).astype(float)
    noise = rng.normal(size=400)
    good, worse = (1 / (1 + np.exp(-(gain * loss + noise))) for gain in (1.2, 0.9))
    found = routers.compared(good, worse, loss, np.ones(400), np.random.default_rng(7))
    assert found.one.value == routers.auroc(good, loss)
    assert found.other.value == routers.auroc(worse, loss)
    assert found.difference.value == pytest.approx(found.one.value - found.other.value)
    width = [one.interval.high - one.interval.low for one in found[:3]]
    assert width[2] < min(width[:2]) / 2
    assert found.difference.interval.low > 0
    assert (found.n, found.events) == (400, int(loss.sum()))


def test_a_router_compared_with_itself_differs_by_nothing_and_nothing_by_nan():
    score, loss = [0.1, 0.4, 0.4, 0.9], [0, 1, 0, 1]
    same = routers.compared(score, score, loss, np.ones(4), np.random.default_rng(7))
    assert same.difference.value == 0
    assert np.isnan(routers.compared([], [], [], [], np.random.default_rng(7)).one.value)
