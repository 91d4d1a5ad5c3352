"""The estimate without one rater: their pairs count as not drawn, and leave no gap in the queue."""

import pytest

from reviews import estimation, influence, rating, sampling
from reviews.models import Verdict
from routing import policy
from routing.types import Tier
from tests.reviews.showings import pairs_of, rate, rater, study_of

pytestmark = pytest.mark.django_db

ALL = estimation.ALWAYS_CHEAP


def take(study, who, *, harmed):
    """Rate the next pair of the queue; return its score."""
    shown = rating.hand_out(study, who)
    is_left = (shown.left == Tier.EXPENSIVE) == harmed(shown.slot.pair.score)
    choice = "a_much" if is_left else "b_much"
    rating.submit(shown.token, who, choice=choice, left_adequate=True, right_adequate=True)
    return shown.slot.pair.score


def everything(study, without=0):
    found = estimation.estimate(study, "human", None, without)
    return found, estimation.point_at(found, ALL)


def test_the_first_of_the_queue_may_be_left_out(project):
    study = study_of(project, [n / 40 for n in range(40)], second_share=0.0)
    ann, bob = rater("ann"), rater("bob")
    for _ in range(15):
        take(study, ann, harmed=lambda score: True)
        take(study, bob, harmed=lambda score: False)
    found, point = everything(study)
    assert (found.n_rated, found.n_waiting, point["degradation"]) == (30, 0, 0.5)
    for who, harm in ((ann, 0.0), (bob, 1.0)):
        found, point = everything(study, who.pk)
        assert (found.n_rated, found.n_waiting, point["degradation"]) == (15, 0, harm)
        assert (found.n_frame, point["cheap_share"]) == (40, 1.0)
    assert everything(study)[1]["degradation"] == 0.5


def test_what_remains_is_the_weighted_mean_of_the_others_pairs(project):
    scores = [n / 60 for n in range(60)]
    study = study_of(project, scores, rate=0.3, tilt=3.0, second_share=0.0)
    ann, bob = rater("ann"), rater("bob")
    by_bob = []
    while study.slots.filter(state="open").exists():
        take(study, ann, harmed=lambda score: score > 0.5)
        if study.slots.filter(state="open").exists():
            by_bob.append(take(study, bob, harmed=lambda score: score > 0.5))
    weights = {
        row.pair.score: 1 / row.inclusion_probability for row in study.sample.select_related("pair")
    }
    harmed = sum(weights[score] for score in by_bob if score > 0.5)
    expected = harmed / sum(weights[score] for score in by_bob)
    assert 0 < expected < 1
    assert everything(study, ann.pk)[1]["degradation"] == pytest.approx(expected)


def test_of_a_pair_with_two_ratings_the_other_remains(project):
    study = study_of(project, [0.2])
    ann, bob = rater("ann"), rater("bob")
    (pair,) = pairs_of(study)
    rate(study, ann, pair, "b_much")
    rate(study, bob, pair, "a_much")
    assert everything(study)[1]["degradation"] == 0.5
    found, point = everything(study, ann.pk)
    assert (found.n_rated, point["degradation"]) == (1, 0.0)


def test_that_a_pair_could_not_be_judged_stays(project):
    study = study_of(project, [0.2, 0.3])
    ann, bob = rater("ann"), rater("bob")
    first, second = pairs_of(study)
    rate(study, bob, first, "a_much")
    Verdict.objects.create(study=study, pair=second, rater=ann, preference="cannot")
    assert everything(study, ann.pk)[1]["degradation"] == 0.5


def held_comes_first(project):
    """Yield studies in which the second pair of the queue came before the first and the third."""
    study_of(project, [n / 10 for n in range(10)])
    for seed in range(100):
        plan = {"rate": 1.0, "second_share": 0.0, "check_every": 0}
        study = sampling.start(policy.live(project), name="s", seed=str(seed), **plan)
        first, held, third = study.slots.order_by("order").values_list("pair_id", flat=True)[:3]
        if held < min(first, third):
            yield study


def test_pairs_beyond_the_first_gap_wait_also_without_a_rater(project):
    study = next(held_comes_first(project))
    ann, bob = rater("ann"), rater("bob")
    take(study, ann, harmed=lambda score: True)
    rating.hand_out(study, rater("cem"))  # holds the second pair and says nothing
    take(study, bob, harmed=lambda score: False)
    assert everything(study)[0].n_waiting == 1
    found, point = everything(study, ann.pk)
    assert (found.n_rated, found.n_waiting, point["degradation"]) == (0, 1, None)


@pytest.mark.django_db(transaction=True)
def test_what_is_kept_of_one_rater_is_never_anothers(project):
    study = study_of(project, [0.2, 0.3], second_share=0.0)
    ann, bob = rater("ann"), rater("bob")
    take(study, ann, harmed=lambda score: True)
    take(study, bob, harmed=lambda score: False)
    for _ in range(2):
        harms = [everything(study, who)[1]["degradation"] for who in (0, ann.pk, bob.pk)]
        assert harms == [0.5, 0.0, 1.0]


def test_raters_are_compared_where_the_live_policy_stands(unsigned, project):
    study = study_of(project, [0.2, 0.8])
    assert influence.threshold(study) == (1.01, "the largest that this study is about")
    live = study.policy
    moved = policy.create(
        project=project, router=live.router, threshold=0.5,
        cheap=live.tier_spec(Tier.CHEAP), expensive=live.tier_spec(Tier.EXPENSIVE),
        abstain=live.abstain,
    )  # fmt: skip
    policy.deploy(moved, by=None, reason="half")
    assert influence.threshold(study) == (0.5, "live now")


def test_each_rater_with_everybody_beside(project):
    study = study_of(project, [0.2, 0.3], second_share=0.0)
    ann, bob = rater("ann"), rater("bob")
    take(study, ann, harmed=lambda score: True)
    take(study, bob, harmed=lambda score: False)
    each = influence.of_each(study, [ann, bob])
    assert each[ann.pk] == influence.of(study, ann)
    assert [each[who.pk].without["degradation"] for who in (ann, bob)] == [0.0, 1.0]
    assert {each[who.pk].everybody["degradation"] for who in (ann, bob)} == {0.5}
