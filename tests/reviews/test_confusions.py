"""How raters err is said only where enough of them rated the same pairs."""

import pytest

from reviews import confusions, votes
from tests.reviews.showings import pairs_of, rate, rater, study_of

pytestmark = pytest.mark.django_db

N = confusions.FEWEST_PAIRS


@pytest.fixture
def study(project):
    return study_of(project, [n / N for n in range(N)], ratings_per_pair=2)


def test_two_raters_are_too_little_overlap(study):
    ann, bob = rater("ann"), rater("bob")
    for pair in pairs_of(study):
        rate(study, ann, pair, "a_much")
        rate(study, bob, pair, "b_much")
    found = confusions.of(votes.of(study))
    assert (found.n_pairs, found.n_thrice, found.rows) == (N, 0, [])


def test_who_is_always_against_the_others_errs(study):
    ann, bob, cem = rater("ann"), rater("bob"), rater("cem")
    for nth, pair in enumerate(pairs_of(study)):
        right, wrong = ("a_much", "b_much") if nth % 2 else ("b_much", "a_much")
        for who, choice in ((ann, right), (bob, right), (cem, wrong)):
            rate(study, who, pair, choice)
    found = confusions.of(votes.of(study))
    cheap, expensive = (found.labels.index(f"{tier} better") for tier in ("Cheap", "Expensive"))
    rows = dict(found.rows)
    assert set(rows) == {ann.pk, bob.pk, cem.pk}
    assert min(rows[ann.pk][cheap], rows[bob.pk][expensive]) > 0.99
    assert max(rows[cem.pk][cheap], rows[cem.pk][expensive]) < 0.01


def test_raters_with_few_pairs_are_taken_together(project):
    study = study_of(project, [n / (N + 2) for n in range(N + 2)], ratings_per_pair=3)
    ann, bob, cem, dan = (rater(name) for name in ("ann", "bob", "cem", "dan"))
    for nth, pair in enumerate(pairs_of(study)):
        choice = "a_much" if nth % 2 else "b_much"
        for who in (ann, bob, cem if nth % 3 else dan):
            rate(study, who, pair, choice)
    rows = [rater_id for rater_id, _ in confusions.of(votes.of(study)).rows]
    assert rows == [ann.pk, bob.pk, None]
