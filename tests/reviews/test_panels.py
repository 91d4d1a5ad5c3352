"""What raters are like together, on studies that can be followed by hand."""

import math

import pytest

from reviews import panels, sampling, votes
from tests.reviews.showings import again, guess, pairs_of, rate, rater, show, study_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    return study_of(project, [n / 12 for n in range(12)])


def both(study, who, pair, *choices, **showing):
    for one, choice in zip(who, choices, strict=True):
        rate(study, one, pair, choice, **showing)


def agreed(study):
    return {one.question: one for one in panels.agreements(study, votes.of(study))}


def test_agreement_on_each_question(study):
    who = rater("ann"), rater("bob")
    first, second, third, fourth, alone, *_ = pairs_of(study)
    both(study, who, first, "a_much", "a_slightly")
    both(study, who, second, "b_much", "b_much", fit=(False, True))
    both(study, who, third, "equal", "both_bad")
    both(study, who, fourth, "a_much", "a_much")
    rate(study, who[0], alone, "b_much")  # rated once: no part of it
    found = agreed(study)
    steps, preference, fit = found.values()
    assert list(found) == [
        "Preference in five steps",
        "Preference",
        "Is the cheap answer good enough?",
    ]
    assert [one.overall.percent.value for one in (steps, preference, fit)] == [0.5, 0.75, 1.0]
    assert {one.overall.n_pairs for one in found.values()} == {4}
    assert {one.overall.n_ratings for one in found.values()} == {8}
    # Coincidences: cheap 4, expensive 2, tie 1, both bad 1; two of eight disagree.
    # Expected: 1 - (4*3 + 2*1) / (8*7) = 0.75.
    assert preference.overall.alpha.value == pytest.approx(1 - (2 / 8) / 0.75)
    assert dict(preference.overall.prevalence) == {
        "Cheap better": 0.5, "Tie": 0.125, "Expensive better": 0.25, "Both bad": 0.125,
    }  # fmt: skip
    assert dict(fit.overall.prevalence) == {"yes": 0.75, "no": 0.25}
    assert preference.overall.alpha_ordinal is None
    assert fit.overall.alpha.value == 1.0


def test_both_bad_is_a_category_by_name_and_no_place_in_the_order(study):
    who = rater("ann"), rater("bob")
    first, second, third, *_ = pairs_of(study)
    both(study, who, first, "a_much", "a_much")
    both(study, who, second, "b_much", "b_much")
    before = agreed(study)["Preference in five steps"].overall
    both(study, who, third, "equal", "both_bad")
    after = agreed(study)["Preference in five steps"].overall
    assert (before.alpha.value, before.alpha_ordinal.value) == (1.0, 1.0)
    assert after.alpha.value < 1.0
    assert after.alpha_ordinal.value == 1.0


def test_what_is_undefined_is_said_in_words(study):
    who = rater("ann"), rater("bob")
    first, second, *_ = pairs_of(study)
    nothing = agreed(study)["Preference"]
    assert nothing.overall.alpha == (None, None, None, "Undefined: no pair was rated twice")
    assert (nothing.by_task, nothing.overall.prevalence) == ([], [])
    both(study, who, first, "a_much", "a_much")
    both(study, who, second, "a_much", "a_much")
    same = agreed(study)["Preference"].overall
    assert same.alpha == (None, None, None, "Undefined: everybody said the same")
    assert same.percent.value == 1.0
    assert 0 < same.percent.low < same.percent.high == 1.0
    assert not same.is_low


def test_agreement_by_task_type(study):
    who = rater("ann"), rater("bob")
    both(study, who, pairs_of(study)[0], "a_much", "b_much")
    (by_task,) = agreed(study)["Preference"].by_task
    assert (by_task.task, by_task.n_pairs, by_task.percent.value) == ("math", 1, 0.0)


def test_raters_who_do_not_agree_are_named_so(study):
    who = rater("ann"), rater("bob")
    for nth, pair in enumerate(pairs_of(study)):
        both(study, who, pair, *(("a_much", "b_much") if nth % 2 else ("b_much", "a_much")))
    assert agreed(study)["Preference"].overall.is_low
    assert not agreed(study)["Is the cheap answer good enough?"].overall.is_low


def test_agreement_weighs_pairs_as_they_were_drawn(project):
    study = study_of(project, [0.0, 0.99], rate=0.5, tilt=2.0)
    seeds = map(str, range(100))  # until both are drawn
    while study.slots.values("pair").distinct().count() < 2:
        plan = {"rate": 0.5, "tilt": 2.0, "second_share": 1.0, "check_every": 0}
        study = sampling.start(study.policy, name="s", seed=next(seeds), **plan)
    who = rater("ann"), rater("bob")
    drawn = [row.pair for row in study.sample.filter(selected=True).order_by("pair__score")]
    assert len(drawn) == 2
    both(study, who, drawn[0], "a_much", "a_much")  # stands for two
    both(study, who, drawn[1], "a_much", "b_much")  # for itself
    assert agreed(study)["Preference"].overall.percent.value == pytest.approx(2 / 3)


def test_the_blinding_index_of_everybody_and_of_each(study):
    ann, bob = rater("ann"), rater("bob")
    pairs = pairs_of(study)
    for pair, said in zip(pairs, ("right", "right", "left", "unsure"), strict=False):
        # Cheap stands left, so that right is the expensive one.
        guess(rate(study, ann, pair, "equal").presentation, said)
    guess(rate(study, bob, pairs[5], "equal", left="expensive").presentation, "right")  # wrong
    indices = {name: (figure.value, n) for name, figure, n in panels.blinding(study)}
    assert indices == {"Everybody": (0.0, 5), "ann": (0.25, 4), "bob": (-1.0, 1)}


def test_nobody_asked_about_the_model_is_no_index(study):
    ((name, figure, n),) = panels.blinding(study)
    assert (name, figure.value, n) == ("Everybody", None, 0)


def test_the_side_effect_needs_raters_and_decisive_votes(study):
    ann, bob = rater("ann"), rater("bob")
    pairs = pairs_of(study)
    assert panels.position(votes.of(study)) == (
        (None, None, None, "Undefined: no vote was decisive"),
        0,
    )
    for pair in pairs[:3]:
        rate(study, ann, pair, "a_much")
    figure, n = panels.position(votes.of(study))
    assert (figure.value, figure.low, n) == (1.0, None, 3)
    rate(study, bob, pairs[4], "b_much")
    rate(study, bob, pairs[5], "equal")
    rate(study, bob, pairs[6], "b_much", kind="repeat")  # its side was no coin's
    figure, n = panels.position(votes.of(study))
    assert (figure.value, n) == (0.75, 4)
    assert figure.low < 0.75 < figure.high


def test_length_has_no_effect_where_all_ratios_are_alike(study):
    for who, choice in ((rater("ann"), "a_much"), (rater("bob"), "b_much")):
        rate(study, who, pairs_of(study)[0], choice)
    figure, n = panels.length(votes.of(study))
    assert (figure.value, n) == (None, 2)
    assert figure.words.startswith("Undefined")


def test_leaks_are_counted_once_a_pair_and_by_tier(study):
    ann, bob = rater("ann"), rater("bob")
    first, second, *_ = pairs_of(study)
    show(study, ann, first, leaks={"cheap": ["name"], "expensive": ["name", "maker"]})
    show(study, bob, first, leaks={"cheap": ["name"], "expensive": ["name", "maker"]})
    show(study, ann, second)
    found = panels.leaks(study)
    assert found.n_pairs == 2
    assert [(tier, n, sorted(kinds)) for tier, n, kinds in found.by_tier] == [
        ("cheap", 1, [("name", 1)]),
        ("expensive", 1, [("maker", 1), ("name", 1)]),
    ]


def test_a_correction_counts_once(study):
    ann, bob = rater("ann"), rater("bob")
    pair = pairs_of(study)[0]
    first = rate(study, ann, pair, "a_much")
    rate(study, bob, pair, "b_much")
    again(first.presentation, "b_much")
    overall = agreed(study)["Preference"].overall
    assert (overall.n_ratings, overall.percent.value) == (2, 1.0)
    assert not math.isnan(overall.ac1.value)
