"""Dawid and Skene: the 45 patients of 1979, recovery, limits, refusals."""

import numpy as np
import pytest

from reviews.stats.dawid_skene import fit, pooled

# Table 1 of the paper: per patient the three readings of observer 1, then observers 2 to 5.
READINGS = """
1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343
1111111 2223212 1211111 1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222
1111111 1111111 2322222 1111111 1111111 1121121 1111111 3333233 1111111 2222222 2223232 4334343
2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
"""
OBSERVER = [0, 0, 0, 1, 2, 3, 4]


def patients():
    counts = np.zeros((45, 5, 4))
    for patient, readings in enumerate(READINGS.split()):
        for observer, reading in zip(OBSERVER, readings, strict=True):
            counts[patient, observer, int(reading) - 1] += 1
    return counts


def simulated(rng, n=400, right=(0.9, 0.8, 0.7, 0.6), q=3):
    truth = rng.integers(q, size=(n, 1))
    wrong = (truth + rng.integers(1, q, size=(n, len(right)))) % q
    said = np.where(rng.random((n, len(right))) < right, truth, wrong)
    return truth[:, 0], np.eye(q)[said]


def test_45_patients_reproduce_the_paper():
    found = fit(patients(), smoothing=0)
    assert found.converged
    assert found.prevalence == pytest.approx([0.3996, 0.4220, 0.1118, 0.0667], abs=5e-5)
    assert found.log_likelihood[-1] == pytest.approx(-192.8909, abs=5e-5)
    first = [[0.889, 0.111, 0, 0], [0.071, 0.876, 0.053, 0], [0, 0.339, 0.661, 0]]
    assert found.confusion[0, :3] == pytest.approx(np.array(first), abs=1e-3)
    assert found.confusion[0, 3] == pytest.approx([0, 0, 0.556, 0.444], abs=1e-3)
    assert found.posterior[6] == pytest.approx([0.981, 0.019, 0, 0], abs=1e-3)
    assert found.overlap == 1


def test_three_of_45_patients_differ_from_the_majority():
    found = fit(patients(), smoothing=0)
    majority, likely = patients().sum(axis=1).argmax(axis=1), found.posterior.argmax(axis=1)
    changed = {i + 1: (majority[i] + 1, likely[i] + 1) for i in np.flatnonzero(majority != likely)}
    assert changed == {2: (3, 4), 12: (2, 3), 36: (3, 4)}


def test_the_likelihood_never_falls():
    path = fit(patients(), smoothing=0).log_likelihood
    assert path.size > 10
    assert (np.diff(path) > -1e-9).all()


def test_the_likelihood_is_that_of_the_fitted_model():
    counts = simulated(np.random.default_rng(1), n=60)[1]
    found = fit(counts)
    per_class = np.log(found.prevalence) + np.einsum("ikl,kjl->ij", counts, np.log(found.confusion))
    direct = np.log(np.exp(per_class).sum(axis=1)).sum()
    assert found.log_likelihood[-1] == pytest.approx(direct, abs=1e-6)


def test_it_finds_each_raters_errors():
    truth, counts = simulated(np.random.default_rng(2), n=3000)
    found = fit(counts)
    hits = found.confusion.diagonal(axis1=1, axis2=2).mean(axis=1)
    assert hits == pytest.approx([0.9, 0.8, 0.7, 0.6], abs=0.03)
    majority = counts.sum(axis=1).argmax(axis=1)
    assert (found.posterior.argmax(axis=1) == truth).mean() > (majority == truth).mean() + 0.02


def test_it_turns_a_rater_round_who_always_says_the_opposite():
    rng = np.random.default_rng(3)
    truth = rng.integers(2, size=200)
    said = np.column_stack([truth, truth, truth, 1 - truth])
    found = fit(np.eye(2)[said])
    assert found.confusion[3] == pytest.approx(np.array([[0, 1], [1, 0]]), abs=0.01)
    assert (found.posterior.argmax(axis=1) == truth).all()


def test_smoothing_leaves_nothing_impossible():
    assert (fit(patients(), smoothing=0).confusion == 0).any()
    assert (fit(patients()).confusion > 0).all()


def test_one_label_is_returned_and_marked():
    counts = np.zeros((6, 3, 2))
    counts[:, :, 1] = 1
    found = fit(counts)
    assert found.one_label
    assert found.prevalence.tolist() == [0, 1]
    assert found.posterior.tolist() == [[0, 1]] * 6
    assert (found.confusion == np.eye(2)).all()
    assert not fit(patients()).one_label


def test_a_rater_who_never_met_a_label_has_no_row_for_it():
    counts = np.zeros((40, 3, 2))
    counts[:20, :, 0] = 1
    counts[20:, :2, 1] = 1
    found = fit(counts, smoothing=0)
    assert np.isnan(found.confusion[2, 1]).all()
    assert found.confusion[2, 0] == pytest.approx([1, 0])
    assert found.posterior.argmax(axis=1).tolist() == [0] * 20 + [1] * 20


def test_missing_raters_lower_the_overlap():
    counts = simulated(np.random.default_rng(4), n=100)[1]
    counts[:60, 2:] = 0
    assert fit(counts).overlap == 0.4


def test_too_few_iterations_are_told():
    assert not fit(patients(), most_iterations=2).converged
    assert not fit(patients(), most_iterations=2, tolerance=1e-12).converged
    assert fit(patients(), most_iterations=2, tolerance=0.9).converged


def test_raters_with_few_items_are_taken_together():
    counts = simulated(np.random.default_rng(5), n=50)[1]
    counts[19:, 1] = 0
    counts[:31, 3] = 0
    result = pooled(counts)
    assert result.rater.tolist() == [0, 2, 1, 2]
    assert (result.counts[:, :2] == counts[:, [0, 2]]).all()
    assert (result.counts[:, 2] == counts[:, 1] + counts[:, 3]).all()
    assert (pooled(counts, fewest=19).counts == counts).all()


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (np.ones((3, 2)), "must have shape"),
        (np.ones((3, 2, 1)), "must have shape"),
        (-np.ones((3, 2, 2)), "not negative"),
        (np.full((3, 2, 2), np.nan), "finite"),
        (np.zeros((3, 2, 2)), "needs a label"),
        (np.zeros((0, 2, 2)), "needs a label"),
    ],
)
def test_impossible_counts_are_refused(counts, reason):
    with pytest.raises(ValueError, match=reason):
        fit(counts)


def test_negative_smoothing_is_refused():
    with pytest.raises(ValueError, match="smoothing"):
        fit(patients(), smoothing=-1)
