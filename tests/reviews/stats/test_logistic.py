"""Logistic regression: closed forms, a second implementation, coverage, limits, refusals."""

import numpy as np
import pytest

from reviews.stats.logistic import effect, fit

NAN = float("nan")


def sample(rng, n=400, beta=(-0.5, 0.8, -0.3)):
    x = rng.normal(size=(n, 2))
    y = rng.random(n) < 1 / (1 + np.exp(-(beta[0] + x @ beta[1:])))
    return x, y.astype(float)


def test_a_two_by_two_table_gives_the_log_odds_ratio():
    x = np.repeat([[0.0], [1.0]], [100, 80], axis=0)
    y = np.repeat([1.0, 0.0, 1.0, 0.0], [20, 80, 44, 36])
    found = fit(x, y)
    ratio = np.log(20 / 80), np.log(44 * 80 / (36 * 20))
    assert found.coefficients == pytest.approx(ratio, abs=1e-9)
    # The sandwich is Woolf's error here, but for G / (G - 1).
    error = (1 / 20 + 1 / 80 + 1 / 44 + 1 / 36) * 180 / 179
    assert found.covariance[1, 1] == pytest.approx(error, rel=1e-9)


def test_coefficients_agree_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(1)
    x, y = sample(rng)
    weight = rng.uniform(1, 9, y.size)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    theirs.fit(x, y, sample_weight=weight)
    ours = fit(x, y, weight).coefficients
    assert ours == pytest.approx([*theirs.intercept_, *theirs.coef_[0]], abs=1e-5)
    assert ours != pytest.approx(fit(x, y).coefficients, abs=1e-3)


def test_a_share_counts_as_its_part_of_either_outcome():
    x = np.array([[0.0], [1.0], [2.0]])
    shares = fit(x, [0.25, 0.5, 0.75]).coefficients
    spelled = fit(np.repeat(x, 4, axis=0), [1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0]).coefficients
    assert shares == pytest.approx(spelled, abs=1e-9)


def test_errors_allow_for_rows_that_belong_together():
    x, y = sample(np.random.default_rng(2), n=100)
    copies = np.repeat(np.arange(100), 4)
    alone = fit(x, y)
    together = fit(x[copies], y[copies], cluster=copies)
    assert together.coefficients == pytest.approx(alone.coefficients, abs=1e-9)
    assert together.covariance == pytest.approx(alone.covariance, rel=1e-9)
    assert fit(x[copies], y[copies]).covariance[1, 1] < alone.covariance[1, 1] / 3


def test_the_interval_covers_the_true_effect():
    rng, reps, covered = np.random.default_rng(3), 400, 0
    for _ in range(reps):
        x, y = sample(rng)
        found = effect(fit(x, y), column=1, n=y.size)
        covered += found.low <= 0.8 <= found.high
    assert covered / reps == pytest.approx(0.95, abs=3 * (0.95 * 0.05 / reps) ** 0.5)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((9, 1)), [0, 1] * 4 + [0]),
        (np.arange(9.0).reshape(9, 1), [0] * 9),
        (np.arange(9.0).reshape(9, 1), [0] * 4 + [1] * 5),
        (np.zeros((0, 1)), []),
    ],
    ids=["column never varies", "outcome never varies", "separated", "empty"],
)
def test_what_cannot_be_estimated_is_nan(x, y):
    found = fit(x, y)
    assert np.isnan(found.coefficients).all()
    assert np.isnan(effect(found, column=1, n=len(y))[:4]).all()


def test_one_cluster_gives_no_error():
    x, y = sample(np.random.default_rng(4))
    found = effect(fit(x, y, cluster=np.zeros(y.size, dtype=int)), column=1, n=y.size)
    assert np.isfinite(found.coefficient)
    assert np.isnan([found.low, found.high, found.p_value]).all()


@pytest.mark.parametrize(
    ("x", "y", "weight", "reason"),
    [
        ([1, 2], [0, 1], None, "must have shape"),
        ([[1], [2]], [0], None, "must have shape"),
        ([[1], [2]], [0, 1], [1], "must have shape"),
        ([[1], [NAN]], [0, 1], None, "finite"),
        ([[1], [2]], [0, 1], [1, 0], "above 0"),
        ([[1], [2]], [0, 2], None, "outcome must lie"),
        ([[1], [2]], [0, NAN], None, "outcome must lie"),
    ],
)
def test_impossible_input_is_refused(x, y, weight, reason):
    with pytest.raises(ValueError, match=reason):
        fit(x, y, weight)


def test_impossible_level_is_refused():
    with pytest.raises(ValueError, match="level must lie"):
        effect(fit([[1], [2]], [0, 1]), column=1, n=2, level=95)
