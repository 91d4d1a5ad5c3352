"""Agreement: printed figures, definitions spelled out, coverage, refusals."""

import itertools

import numpy as np
import pytest

from reviews.stats.agreement import cohen, fleiss, gwet, krippendorff, panel, percent, scott

NAN = float("nan")
# Krippendorff 2011, example C: four observers, twelve units.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
).T
FIVE = [1, 2, 3, 4, 5]
# The same in Gwet's handbook, where another rater saw the last unit.
GWET = np.vstack([OBSERVERS[:-1], [[NAN, NAN, 3, NAN]]])
# Fleiss's kappa in Wikipedia: ten subjects, fourteen raters, five categories.
FOURTEEN = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)
CODERS = np.array(
    [
        [NAN] * 5 + [3, 4, 1, 2, 1, 1, 3, 3, NAN, 3],
        [1, NAN, 2, 1, 3, 3, 4, 3, NAN, NAN, NAN, NAN, NAN, NAN, NAN],
        [NAN, NAN, 2, 1, 3, 4, 4, NAN, 2, 1, 1, 3, 3, NAN, 4],
    ]
).T
COEFFICIENTS = [percent, cohen, scott, fleiss, gwet, krippendorff]


def two_raters(table):
    """Spell a table of two raters out into ratings."""
    return np.array(
        [
            (row, column)
            for (row, column), count in np.ndenumerate(np.array(table))
            for _ in range(count)
        ],
        dtype=float,
    )


def spelled_out(counts):
    """Spell counts per category out into ratings."""
    return np.array([np.repeat(np.arange(len(row)), row) for row in counts], dtype=float)


def crowd(rng, n=60, raters=5, missing=0.3, q=4):
    """Draw ratings that lean to a true value, some of them missing."""
    truth = rng.integers(q, size=(n, 1))
    said = np.where(rng.random((n, raters)) < 0.6, truth, rng.integers(q, size=(n, raters)))
    return np.where(rng.random((n, raters)) < missing, NAN, said)


@pytest.mark.parametrize(
    ("metric", "alpha"),
    [("nominal", 0.743421), ("ordinal", 0.815388), ("interval", 0.849107), ("ratio", 0.797403)],
)
def test_alpha_reproduces_krippendorff_2011(metric, alpha):
    assert krippendorff(OBSERVERS, FIVE, metric) == pytest.approx(alpha, abs=5e-7)


def test_alpha_of_two_observers_reproduces_krippendorff_2011():
    a, b = ([ord(letter) for letter in word] for word in ("aabbdcccedda", "babbbccceddd"))
    letters = [ord(letter) for letter in "abcde"]
    assert krippendorff(np.transpose([a, b]), letters) == pytest.approx(0.691964, abs=5e-7)


def test_alpha_of_three_coders_reproduces_the_wikipedia_example():
    assert krippendorff(CODERS, [1, 2, 3, 4]) == pytest.approx(0.691358, abs=5e-7)
    assert krippendorff(CODERS, [1, 2, 3, 4], "interval") == pytest.approx(0.810845, abs=5e-7)


@pytest.mark.parametrize(
    ("table", "agreeing", "kappa", "ac1"),
    [
        ([[20, 5], [10, 15]], 0.7, 0.4, 0.405941),
        ([[13, 0, 0], [0, 20, 7], [0, 4, 56]], 0.89, 0.796409, 0.849331),
        ([[130, 56], [9, 5]], 0.675, 0.022, 0.532584),
        ([[118, 5], [2, 0]], 0.944, -0.023392, 0.940776),
    ],
)
def test_two_raters_reproduce_printed_tables(table, agreeing, kappa, ac1):
    ratings, categories = two_raters(table), range(len(table))
    assert percent(ratings, categories) == pytest.approx(agreeing, abs=5e-4)
    assert cohen(ratings, categories) == pytest.approx(kappa, abs=5e-4)
    assert gwet(ratings, categories) == pytest.approx(ac1, abs=5e-7)


def test_scott_reproduces_the_printed_table():
    assert scott(two_raters([[20, 5], [10, 15]]), [0, 1]) == pytest.approx(0.393939, abs=5e-7)


def test_fleiss_and_ac1_reproduce_the_wikipedia_example():
    ratings = spelled_out(FOURTEEN)
    assert fleiss(ratings, range(5)) == pytest.approx(0.209931, abs=5e-7)
    assert gwet(ratings, range(5)) == pytest.approx(0.225614, abs=5e-7)


def test_missing_ratings_reproduce_gwet_2014():
    assert percent(GWET, FIVE) == pytest.approx(0.818182, abs=5e-7)
    assert gwet(GWET, FIVE) == pytest.approx(0.775444, abs=5e-7)
    assert fleiss(GWET, FIVE) == pytest.approx(0.761169, abs=5e-7)
    assert krippendorff(GWET, FIVE) == pytest.approx(0.743421, abs=5e-7)


@pytest.mark.parametrize("metric", ["nominal", "ordinal", "interval", "ratio"])
def test_alpha_agrees_with_its_definition_over_pairs_of_ratings(metric):
    ratings = crowd(np.random.default_rng(1))
    units = [[value for value in row if not np.isnan(value)] for row in ratings]
    units = [unit for unit in units if len(unit) >= 2]
    values = np.array(list(itertools.chain(*units)))

    def distance(c, d):
        if metric == "nominal":
            return float(c != d)
        if metric == "interval":
            return (c - d) ** 2
        if metric == "ratio":
            return ((c - d) / (c + d)) ** 2 if c + d else 0.0
        inside = ((values >= min(c, d)) & (values <= max(c, d))).sum()
        return (inside - ((values == c).sum() + (values == d).sum()) / 2) ** 2

    observed = sum(
        sum(distance(c, d) for c, d in itertools.permutations(unit, 2)) / (len(unit) - 1)
        for unit in units
    )
    expected = sum(distance(c, d) for c, d in itertools.permutations(values, 2))
    alpha = 1 - (observed / values.size) / (expected / (values.size * (values.size - 1)))
    assert krippendorff(ratings, range(4), metric) == pytest.approx(alpha, rel=1e-10)


def test_alpha_is_fleiss_corrected_for_the_size_of_the_sample():
    # Exact where every item has the same number of ratings.
    ratings = crowd(np.random.default_rng(2), missing=0)
    kappa = fleiss(ratings, range(4))
    alpha = krippendorff(ratings, range(4))
    assert alpha == pytest.approx(kappa + (1 - kappa) / ratings.size, rel=1e-10)


def test_cohen_agrees_with_scikit_learn():
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(3)
    ratings, weight = crowd(rng, raters=2, missing=0), rng.uniform(1, 9, 60)
    theirs = cohen_kappa_score(*ratings.T, sample_weight=weight)
    assert cohen(ratings, range(4), weight) == pytest.approx(theirs, rel=1e-10)


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_a_weight_of_two_is_the_item_twice(coefficient):
    ratings = crowd(np.random.default_rng(4), raters=2, missing=0.1)
    weight = np.random.default_rng(5).integers(1, 4, 60)
    repeated = coefficient(np.repeat(ratings, weight, axis=0), range(4))
    # Alpha alone knows how many ratings there were.
    close = 0.005 if coefficient is krippendorff else 1e-10
    assert coefficient(ratings, range(4), weight=weight) == pytest.approx(repeated, abs=close)
    assert coefficient(ratings, range(4)) != pytest.approx(repeated, abs=close)


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
def test_the_scale_of_the_weights_does_not_matter(coefficient):
    ratings = crowd(np.random.default_rng(6), raters=2)
    weight = np.random.default_rng(7).uniform(1, 9, 60)
    assert coefficient(ratings, range(4), weight=weight * 1000) == pytest.approx(
        coefficient(ratings, range(4), weight=weight), rel=1e-10
    )


def test_a_category_nobody_chose_counts_for_ac1_alone():
    ratings = two_raters([[20, 5], [10, 15]])
    assert gwet(ratings, [0, 1, 2]) > gwet(ratings, [0, 1]) + 0.1
    for coefficient in (percent, cohen, scott, fleiss, krippendorff):
        assert coefficient(ratings, [0, 1, 2]) == coefficient(ratings, [0, 1])


def test_order_counts_for_ordinal_alone():
    swapped = [1, 3, 2, 4, 5]
    assert krippendorff(OBSERVERS, swapped, "ordinal") != pytest.approx(0.815388, abs=1e-3)
    assert krippendorff(OBSERVERS, swapped, "interval") == pytest.approx(0.849107, abs=5e-7)


@pytest.mark.parametrize("coefficient", [cohen, scott, fleiss, krippendorff])
def test_without_variation_there_is_no_coefficient(coefficient):
    weight = np.random.default_rng(8).uniform(1, 9, 30)
    assert np.isnan(coefficient(np.zeros((30, 2)), [0, 1]))
    assert np.isnan(coefficient(np.zeros((30, 2)), [0, 1], weight=weight))


@pytest.mark.parametrize("coefficient", COEFFICIENTS)
@pytest.mark.parametrize("ratings", [np.zeros((0, 2)), [[0, NAN], [NAN, 1]], [[NAN, NAN]]])
def test_without_an_item_rated_twice_there_is_no_coefficient(coefficient, ratings):
    assert np.isnan(coefficient(ratings, [0, 1]))


def test_all_alike_is_full_agreement_and_full_ac1():
    assert percent(np.zeros((9, 2)), [0, 1]) == 1
    assert gwet(np.zeros((9, 2)), [0, 1]) == 1


def test_the_panel_puts_the_coefficients_beside_each_other():
    weight = np.random.default_rng(9).uniform(1, 9, 12)
    found = panel(GWET, FIVE, np.random.default_rng(10), weight=weight)
    assert found.percent.value == pytest.approx(percent(GWET, FIVE, weight))
    assert found.alpha_nominal.value == krippendorff(GWET, FIVE, "nominal", weight)
    assert found.alpha_ordinal.value == krippendorff(GWET, FIVE, "ordinal", weight)
    assert found.ac1.value == gwet(GWET, FIVE, weight)
    # One unit has a single rating: it counts for the prevalence only.
    assert (found.n_items, found.n_ratings) == (11, 40)
    assert sum(found.prevalence) == pytest.approx(1)
    for estimate in (found.percent, found.alpha_nominal, found.alpha_ordinal, found.ac1):
        assert estimate.interval.low < estimate.value < estimate.interval.high


def test_the_bootstrap_agrees_with_gwets_standard_errors():
    # Printed for kappa .680 to .913 and for AC1 .764 to .935; alpha is close to kappa here.
    ratings = two_raters([[13, 0, 0], [0, 20, 7], [0, 4, 56]])
    found = panel(ratings, range(3), np.random.default_rng(11))
    assert found.ac1.interval == pytest.approx((0.764, 0.935), abs=0.02)
    assert found.alpha_nominal.interval == pytest.approx((0.680, 0.913), abs=0.02)


def test_seed_level_and_resamples_each_matter():
    ratings = crowd(np.random.default_rng(12))

    def interval(seed=1, **changed):
        return panel(ratings, range(4), np.random.default_rng(seed), **changed).alpha_nominal[1]

    assert interval() == interval()
    assert interval() != interval(seed=2)
    assert interval() != interval(resamples=500)
    assert interval(level=0.5).low > interval().low


def test_resamples_are_weighted_as_the_sample_is():
    # Half the items agree by chance only; weights all but remove them.
    rng = np.random.default_rng(19)
    ratings = np.vstack([crowd(rng, missing=0), rng.integers(4, size=(60, 5))])
    weight = np.repeat([1000.0, 1.0], 60)
    found = panel(ratings, range(4), rng, weight=weight)
    for estimate in (found.alpha_nominal, found.alpha_ordinal, found.ac1):
        assert estimate.interval.low < estimate.value < estimate.interval.high


def test_perfect_agreement_has_no_interval_of_no_width():
    found = panel(two_raters([[9, 0], [0, 1]]), [0, 1], np.random.default_rng(13))
    assert found.percent.value == found.alpha_nominal.value == found.ac1.value == 1
    # Clopper-Pearson for ten of ten.
    assert found.percent.interval == pytest.approx((0.691503, 1), abs=1e-6)
    assert np.isnan([found.alpha_nominal.interval, found.ac1.interval]).all()


@pytest.mark.parametrize("seed", range(20))
def test_weights_do_not_make_perfect_agreement_seem_to_vary(seed):
    rng = np.random.default_rng(seed)
    ratings = np.repeat(np.arange(31.0)[:, None] % 3, 3, axis=1)
    found = panel(ratings, range(3), rng, weight=rng.uniform(1, 50, 31), resamples=99)
    assert found.percent.value == 1
    assert np.isnan([found.alpha_nominal.interval, found.ac1.interval]).all()


def test_a_second_category_seen_once_leaves_alpha_without_an_interval():
    found = panel(two_raters([[30, 1], [0, 0]]), [0, 1], np.random.default_rng(14))
    assert found.alpha_nominal.value == pytest.approx(0)
    assert np.isnan(found.alpha_nominal.interval).all()
    assert found.ac1.interval.low < found.ac1.value


def test_a_panel_of_nothing_says_nothing():
    found = panel(np.zeros((0, 3)), [0, 1], np.random.default_rng(15))
    assert np.isnan([found.percent.value, found.alpha_nominal.value, found.ac1.value]).all()
    assert found.percent.interval == (0, 1)
    assert np.isnan([found.alpha_nominal.interval, found.ac1.interval, found.prevalence]).all()
    assert (found.n_items, found.n_ratings) == (0, 0)


@pytest.mark.slow
def test_the_bootstrap_covers_the_true_coefficients():
    # Truth follows from the model: two raters each right with .8, three labels .6 .3 .1.
    right, prevalence, q, n, reps, level = 0.8, np.array([0.6, 0.3, 0.1]), 3, 150, 400, 0.9
    wrong = (1 - right) / (q - 1)
    says = np.full((q, q), wrong) + (right - wrong) * np.eye(q)
    joint = says.T @ np.diag(prevalence) @ says
    agreeing, margin = np.trace(joint), joint.sum(axis=0)
    alpha = (agreeing - (margin**2).sum()) / (1 - (margin**2).sum())
    chance = (margin * (1 - margin)).sum() / (q - 1)
    truth = (alpha, (agreeing - chance) / (1 - chance))
    rng = np.random.default_rng(16)
    covered = []
    for _ in range(reps):
        actual = rng.choice(q, size=(n, 1), p=prevalence)
        said = np.where(
            rng.random((n, 2)) < right, actual, (actual + rng.integers(1, q, (n, 2))) % q
        )
        found = panel(said, range(q), rng, level=level, resamples=399)
        covered.append(
            [
                low <= value <= high
                for value, (low, high) in zip(
                    truth, (found.alpha_nominal.interval, found.ac1.interval), strict=True
                )
            ]
        )
    error = 3 * (level * (1 - level) / reps) ** 0.5
    assert np.mean(covered, axis=0) == pytest.approx([level, level], abs=error)


@pytest.mark.parametrize(
    ("ratings", "categories", "weight", "reason"),
    [
        ([0, 1], [0, 1], None, "ratings must have shape"),
        ([[0, 1]], [0], None, "two or more"),
        ([[0, 1]], [0, NAN], None, "finite"),
        ([[0, 1]], [0, 1, 1], None, "repeat"),
        ([[0, 2]], [0, 1], None, "one of the categories"),
        ([[0, 1]], [0, 1], [1, 1], "one value per item"),
        ([[0, 1]], [0, 1], [0], "above 0"),
        ([[0, 1]], [0, 1], [NAN], "above 0"),
    ],
)
def test_impossible_ratings_are_refused(ratings, categories, weight, reason):
    with pytest.raises(ValueError, match=reason):
        panel(ratings, categories, np.random.default_rng(17), weight=weight)


@pytest.mark.parametrize("coefficient", [cohen, scott])
def test_a_third_rater_is_refused_where_two_are_compared(coefficient):
    with pytest.raises(ValueError, match="two raters"):
        coefficient([[0, 1, 1]], [0, 1])
    with pytest.raises(ValueError, match="one value per item"):
        coefficient([[0, 1]], [0, 1], weight=[1, 2])


def test_impossible_metrics_are_refused():
    with pytest.raises(ValueError, match="metric must be"):
        krippendorff([[0, 1]], [0, 1], "cosine")
    with pytest.raises(ValueError, match="0 or more"):
        krippendorff([[0, 1]], [-1, 0, 1], "ratio")


def test_impossible_level_is_refused():
    with pytest.raises(ValueError, match="level must lie"):
        panel([[0, 1]], [0, 1], np.random.default_rng(18), level=95)
