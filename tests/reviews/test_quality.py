"""Raters whose every figure can be followed by hand."""

import pytest

from reviews import quality
from reviews.models import Gold
from tests.reviews.showings import again, pairs_of, rate, rater, skip, study_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(project):
    return study_of(project, [n / 12 for n in range(12)])


def of(study, who):
    return next(row for row in quality.raters(study) if row.rater == who)


def test_nobody_is_listed_before_anything_was_shown(study):
    rater("ann")
    assert quality.raters(study) == []


def test_agreement_with_others_is_the_mean_share_who_said_the_same(study):
    ann, bob = rater("ann"), rater("bob")
    pairs = pairs_of(study)
    for pair, by_ann, by_bob in zip(pairs, "aab", "aba", strict=False):
        rate(study, ann, pair, f"{by_ann}_slightly")
        # Much and slightly prefer the same answer.
        rate(study, bob, pair, f"{by_bob}_much")
    rate(study, ann, pairs[3], "equal")  # nobody else rated it
    found = of(study, ann)
    assert (found.n, found.agreement.hits, found.agreement.n) == (4, 1, 3)
    assert found.agreement.share == pytest.approx(1 / 3)
    # Newcombe's Wilson interval of 1 of 3.
    assert found.agreement.interval == pytest.approx((0.0615, 0.7923), abs=1e-4)
    assert of(study, bob).n == 3


def test_of_two_others_half_may_agree(project):
    study = study_of(project, [0.5], ratings_per_pair=2)
    ann, bob, cem = rater("ann"), rater("bob"), rater("cem")
    (pair,) = pairs_of(study)
    for who, choice in ((ann, "a_much"), (bob, "a_much"), (cem, "b_much")):
        rate(study, who, pair, choice)
    assert [row.agreement.share for row in quality.raters(study)] == [0.5, 0.5, 0.0]


def test_hidden_gold_counts_where_it_was_shown_as_a_check(study):
    ann, pairs = rater("ann"), pairs_of(study)
    for pair in pairs[:4]:
        Gold.objects.create(study=study, pair=pair, use="hidden", preference="cheap")
    rate(study, ann, pairs[0], "a_much", kind="gold")
    rate(study, ann, pairs[1], "a_much", kind="gold", left="expensive")  # wrong
    rate(study, ann, pairs[2], "b_much", kind="sample")  # evidence, however wrong
    rate(study, ann, pairs[3], "b_much", kind="practice")
    assert of(study, ann).gold[:3] == (1, 2, 0.5)


def test_gold_that_was_retired_judges_nobody(study):
    ann, pair = rater("ann"), pairs_of(study)[0]
    gold = Gold.objects.create(study=study, pair=pair, use="hidden", preference="cheap")
    rate(study, ann, pair, "b_much", kind="gold")
    assert of(study, ann).gold.share == 0.0
    gold.retired_at = gold.created_at
    gold.save()
    assert of(study, ann).gold.share is None


def test_a_repeat_is_consistent_by_tier_and_flips_with_the_side(study):
    ann, pairs = rater("ann"), pairs_of(study)
    for pair in pairs[:4]:
        rate(study, ann, pair, "a_much", left="cheap")
    rate(study, ann, pairs[0], "b_slightly", kind="repeat", left="expensive")  # cheap again
    rate(study, ann, pairs[1], "a_much", kind="repeat", left="expensive")  # left again
    rate(study, ann, pairs[2], "equal", kind="repeat", left="expensive")
    found = of(study, ann)
    assert (found.repeats.hits, found.repeats.n) == (1, 3)
    assert (found.flips.hits, found.flips.n) == (1, 3)


def test_identical_answers_are_told_equal_by_who_takes_no_side(study):
    ann, pairs = rater("ann"), pairs_of(study)
    for pair, choice in zip(pairs, ("equal", "both_bad", "a_slightly"), strict=False):
        rate(study, ann, pair, choice, kind="identical")
    assert of(study, ann).identical[:2] == (2, 3)


def test_the_left_share_is_of_decisive_votes_and_allows_for_all_raters(study):
    ann, bob = rater("ann"), rater("bob")
    for pair in pairs_of(study)[:10]:
        rate(study, ann, pair, "a_much")
        rate(study, bob, pair, "equal")
    rate(study, bob, pairs_of(study)[10], "b_much")
    found = of(study, ann)
    assert (found.left.hits, found.left.n) == (10, 10)
    # Exactly 2 / 1024, doubled for two raters looked at.
    assert found.left_p == pytest.approx(4 / 1024)
    assert (of(study, bob).left.share, of(study, bob).left_p) == (0.0, 1.0)


def test_time_is_compared_with_everybodys_and_with_reading(study):
    ann, bob = rater("ann"), rater("bob")
    for nth, pair in enumerate(pairs_of(study)):
        rate(study, ann, pair, "equal", seconds=20.0 + nth)
        # 25 characters take at least 0.26 s.
        rate(study, bob, pair, "equal", seconds=0.1 if nth < 9 else 30.0)
    found = of(study, bob)
    assert (found.median_seconds, found.is_hasty) == (pytest.approx(0.1), True)
    assert (found.unread.hits, found.unread.n) == (9, 12)
    assert (of(study, ann).median_seconds, of(study, ann).unread.hits) == (25.5, 0)


def test_a_time_that_no_browser_counted_is_left_out(study):
    ann = rater("ann")
    rate(study, ann, pairs_of(study)[0], "equal", seconds=0.0)
    assert (of(study, ann).median_seconds, of(study, ann).unread.n) == (None, 0)


def test_skips_and_the_last_sign_of_life(study):
    ann, pairs = rater("ann"), pairs_of(study)
    said = rate(study, ann, pairs[0], "equal")
    skip(study, ann, pairs[1])
    shown = ann.presentations.get(slot__pair=pairs[1])
    assert (of(study, ann).skips, of(study, ann).last_seen) == (1, shown.shown_at)
    corrected = again(said.presentation, "a_much")
    assert of(study, ann).last_seen == corrected.created_at


def test_queries_do_not_grow_with_raters(study, django_assert_num_queries):
    pairs = pairs_of(study)
    rate(study, rater("r0"), pairs[0], "equal")
    with django_assert_num_queries(5):
        quality.raters(study)
    for nth in range(1, 9):
        rate(study, rater(f"r{nth}"), pairs[nth], "equal")
    with django_assert_num_queries(5):
        assert len(quality.raters(study)) == 9
