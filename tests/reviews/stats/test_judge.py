"""A judge: order, agreement with people, worth, admission, refusals."""

import numpy as np
import pytest

from reviews.stats.judge import Admission, Limits, admission, flips, quality
from reviews.stats.weighting import hajek

NAN = float("nan")


def judged(rng, n=4000, prevalence=0.2, sensitivity=0.9, specificity=0.9):
    people = rng.random(n) < prevalence
    judge = rng.random(n) < np.where(people, sensitivity, 1 - specificity)
    return judge.astype(float), people.astype(float)


def compared(judge, people, weight=None, **changed):
    weight = np.ones(len(judge)) if weight is None else weight
    return quality(judge, people, weight, np.random.default_rng(1), **changed)


def ordered(to_first=0, to_second=0, steady=0):
    first = [-1] * to_first + [1] * to_second + [1] * steady
    second = [1] * to_first + [-1] * to_second + [1] * steady
    return flips(first, second)


def good():
    return compared(*judged(np.random.default_rng(2), n=400))


def test_direction_reproduces_the_exact_mcnemar_test():
    found = ordered(to_first=15, to_second=5, steady=20)
    assert (found.to_first, found.to_second, found.n) == (15, 5, 40)
    assert found.p_value == pytest.approx(0.0413894653, abs=5e-11)
    assert found.rate == 0.5


def test_the_flip_rate_has_wilsons_interval():
    # Newcombe 1998, table I.
    found = ordered(to_first=10, to_second=5, steady=133)
    assert found.interval == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_a_tie_in_one_order_is_a_flip_toward_a_side():
    # Cheap first: cheap wins, tie; expensive first: tie, expensive wins.
    assert flips([-1, 0], [0, 1])[2:4] == (2, 0)
    assert flips([0, 1], [-1, 0])[2:4] == (0, 2)
    assert flips([-1, 0, 1], [-1, 0, 1])[2:4] == (0, 0)


def test_nothing_flipped_or_asked_gives_no_direction():
    assert np.isnan(ordered(steady=9).p_value)
    assert ordered(steady=9).rate == 0
    nothing = flips([], [])
    assert np.isnan([nothing.rate, nothing.p_value]).all()
    assert nothing.interval == (0, 1)


def test_a_table_gives_its_shares():
    judge = np.repeat([1.0, 0, 1, 0], [40, 10, 30, 120])
    people = np.repeat([1.0, 1, 0, 0], [40, 10, 30, 120])
    found = compared(judge, people)
    assert found.table == pytest.approx(np.array([[0.2, 0.05], [0.15, 0.6]]))
    assert found.sensitivity.value == pytest.approx(0.8)
    assert found.specificity.value == pytest.approx(0.8)
    # phi = (ad - bc) / sqrt of the product of the margins.
    phi = (40 * 120 - 10 * 30) / (50 * 150 * 70 * 130) ** 0.5
    assert found.phi.value == pytest.approx(phi)
    assert found.worth.value == pytest.approx(1 / (1 - phi**2))
    assert (found.n, found.events) == (200, 50)
    # Clopper-Pearson for 40 of 50.
    assert found.sensitivity.interval == pytest.approx((0.6628, 0.8997), abs=2e-3)


@pytest.mark.parametrize(
    ("prevalence", "sensitivity", "specificity", "phi"),
    [(0.05, 0.8, 0.8, 0.31), (0.05, 0.9, 0.99, 0.85), (0.2, 0.9, 0.9, 0.73), (0.5, 0.8, 0.8, 0.6)],
)
def test_agreement_is_worth_little_where_harm_is_rare(prevalence, sensitivity, specificity, phi):
    rng = np.random.default_rng(3)
    found = compared(*judged(rng, 40_000, prevalence, sensitivity, specificity), resamples=99)
    assert found.phi.value == pytest.approx(phi, abs=0.02)


def test_weights_count():
    rng = np.random.default_rng(4)
    judge, people = judged(rng, n=300)
    weight = rng.integers(1, 5, 300)
    weighted = compared(judge, people, weight * 7.0)
    repeated = compared(np.repeat(judge, weight), np.repeat(people, weight))
    assert weighted.table == pytest.approx(repeated.table)
    assert weighted.phi.value == pytest.approx(repeated.phi.value)
    assert weighted.sensitivity.value == pytest.approx(repeated.sensitivity.value)
    assert weighted.phi.value != pytest.approx(compared(judge, people).phi.value, abs=1e-3)


def test_resamples_are_weighted_as_the_sample_is():
    rng = np.random.default_rng(8)
    (judge, people), noise = judged(rng, n=300), rng.integers(2, size=(2, 300))
    weight = np.repeat([1000.0, 1.0], 300)
    found = compared(np.r_[judge, noise[0]], np.r_[people, noise[1]], weight)
    for estimate in (found.phi, found.worth):
        assert estimate.interval.low < estimate.value < estimate.interval.high


def test_shares_of_people_and_half_verdicts_count_as_their_part():
    judge, people = np.array([1, 0.5, 0, 0, 1]), np.array([2 / 3, 1, 0, 1 / 3, 0])
    weight = np.array([1.0, 2, 3, 4, 5])
    found = compared(judge, people, weight)
    assert found.phi.value == pytest.approx(
        np.cov(judge, people, aweights=weight)[0, 1]
        / np.prod([np.cov(v, aweights=weight) ** 0.5 for v in (judge, people)])
    )
    assert found.sensitivity.value == pytest.approx(
        hajek(judge[people > 0], (weight * people)[people > 0]).mean
    )
    assert found.events == 3


@pytest.mark.slow
def test_the_intervals_cover_the_true_figures():
    # phi of prevalence .2, sensitivity .9, specificity .9.
    share = 0.2 * 0.9 + 0.8 * 0.1
    phi = (0.2 * 0.9 - 0.2 * share) / (0.2 * 0.8 * share * (1 - share)) ** 0.5
    rng, reps, level = np.random.default_rng(5), 200, 0.9
    covered = []
    for _ in range(reps):
        judge, people = judged(rng, n=300)
        found = quality(judge, people, np.ones(300), rng, level=level, resamples=399)
        truth = ((found.phi, phi), (found.worth, 1 / (1 - phi**2)))
        covered.append([e.interval.low <= value <= e.interval.high for e, value in truth])
    error = 3 * (level * (1 - level) / reps) ** 0.5
    assert np.mean(covered, axis=0) == pytest.approx([level, level], abs=error)


def test_a_judge_who_never_errs_is_worth_any_number():
    people = np.array([1.0] * 20 + [0.0] * 80)
    found = compared(people, people)
    assert found.phi.value == pytest.approx(1)
    assert found.worth.value == np.inf
    assert np.isnan(found.worth.interval).all()


def test_where_a_side_never_varies_nothing_is_known():
    found = compared(np.zeros(30), np.r_[np.ones(5), np.zeros(25)])
    assert np.isnan([found.phi.value, found.worth.value, *found.phi.interval]).all()
    unharmed = compared(np.r_[np.ones(5), np.zeros(25)], np.zeros(30))
    assert np.isnan([unharmed.sensitivity.value, unharmed.phi.value]).all()
    assert unharmed.sensitivity.interval == (0, 1)
    nothing = compared([], [])
    assert np.isnan([nothing.phi.value, nothing.worth.value]).all()
    assert np.isnan(nothing.table).all()


def test_a_steady_judge_who_agrees_is_asked_once():
    assert admission(ordered(10, 10, 180), good()) == Admission("one order", ())


@pytest.mark.parametrize(
    ("to_first", "to_second", "use", "word"),
    [
        (20, 20, "one order", None),
        (21, 20, "both orders", "20.5%"),
        (40, 40, "both orders", "40.0%"),
        (41, 40, "disabled", "40.5%"),
        (16, 3, "both orders", "first"),
        (3, 16, "both orders", "second"),
        (60, 21, "disabled", "first"),
    ],
)
def test_flips_decide_what_a_judge_is_admitted_to(to_first, to_second, use, word):
    steady = 200 - to_first - to_second
    found = admission(ordered(to_first, to_second, steady), good())
    assert found.use == use
    assert (word is None and not found.reasons) or any(word in r for r in found.reasons)


def test_too_little_shared_with_people_disables():
    rng = np.random.default_rng(6)
    few = compared(*judged(rng, n=199))
    assert admission(ordered(steady=50), few).use == "disabled"
    assert "199 pairs" in admission(ordered(steady=50), few).reasons[0]
    rare = compared(np.r_[np.ones(14), np.zeros(286)], np.r_[np.ones(14), np.zeros(286)])
    assert admission(ordered(steady=50), rare).reasons == ("14 of them with harm, of 15 needed",)
    assert admission(flips([], []), good()).reasons == ("no pair was asked in both orders",)


def test_a_judge_who_does_not_go_with_people_is_disabled():
    rng = np.random.default_rng(7)
    blind = compared(*judged(rng, n=400, sensitivity=0.3, specificity=0.7))
    assert admission(ordered(steady=50), blind).use == "disabled"
    constant = compared(np.zeros(300), np.r_[np.ones(50), np.zeros(250)])
    assert admission(ordered(steady=50), constant).use == "disabled"
    against = compared(*judged(rng, n=400, sensitivity=0.1, specificity=0.1))
    assert admission(ordered(steady=50), against).use == "disabled"


@pytest.mark.parametrize(
    "limits",
    [
        Limits(most_flips=0.05),
        Limits(single_order_flips=0.05),
        Limits(direction_p=0.5),
        Limits(fewest_shared=401),
        Limits(fewest_events=400),
        Limits(smallest_phi=0.99),
    ],
    ids=str,
)
def test_each_limit_is_heard(limits):
    flipped = ordered(13, 7, 180)
    assert admission(flipped, good()).use == "one order"
    assert admission(flipped, good(), limits).use != "one order"


@pytest.mark.parametrize(
    ("judge", "people", "weight", "reason"),
    [
        ([1, 0], [1], [1, 1], "same shape"),
        ([1, 2], [1, 0], [1, 1], "harm must lie"),
        ([1, 0], [1, NAN], [1, 1], "harm must lie"),
        ([1, 0], [1, 0], [1, 0], "above 0"),
        ([1, 0], [1, 0], [1, NAN], "above 0"),
    ],
)
def test_impossible_verdicts_are_refused(judge, people, weight, reason):
    with pytest.raises(ValueError, match=reason):
        compared(judge, people, weight)


def test_impossible_orders_are_refused():
    with pytest.raises(ValueError, match="same shape"):
        flips([1], [1, 0])
    with pytest.raises(ValueError, match="must be -1, 0 or 1"):
        flips([0.5], [1])
