"""From rows to the curve, on five pairs that can be followed by hand."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.utils import timezone

from reviews import estimation, rating, sampling
from reviews.models import Rater, Verdict
from reviews.stats.inturn import best_end
from routing import policy
from routing.models import ShadowJob
from routing.types import Tier
from tests.reviews.rows import add_pair, add_pairs

pytestmark = pytest.mark.django_db

#: The router gave pair 4 no score: it is part of the traffic and never cheap.
SCORES = (0.1, 0.3, 0.6, 0.9, None)


@pytest.fixture
def study(project, starter):
    add_pairs(project, SCORES)
    return sampling.start(policy.live(project), name="s", seed="7", rate=1.0, check_every=0)


def rater(name, kind=Rater.Kind.HUMAN):
    return Rater.objects.create(kind=kind, name=name)


def say(study, who, nth, preference="", cheap_adequate=None):
    pair_id = study.sample.order_by("pair_id").values_list("pair_id", flat=True)[nth]
    Verdict.objects.create(
        study=study, pair_id=pair_id, rater=who,
        preference=preference, cheap_adequate=cheap_adequate,
    )  # fmt: skip


def at(study, threshold, kind=""):
    return estimation.point_at(estimation.estimate(study, kind), threshold)


def test_figures_by_hand(study):
    ann = rater("ann")
    say(study, ann, 0, "cheap", True)
    say(study, ann, 1, "expensive", False)
    say(study, ann, 2, "tie", True)
    say(study, ann, 3, "expensive", False)
    # At 0.5 pairs 0 and 1 of five are cheap: one of the two is adequate, one harmed.
    half = at(study, 0.5)
    assert (half["cheap_share"], half["adequacy"], half["degradation"]) == (0.4, 0.5, 0.2)
    assert (half["n_adequacy"], half["n_harm"], half["events"]) == (2, 4, 1)
    # Two calls at 0.01 and three at 0.05, against five at 0.05.
    assert half["cost_usd"] == pytest.approx(0.034)
    assert half["baseline_cost_usd"] == pytest.approx(0.05)
    assert half["saving_share"] == pytest.approx(0.32)
    assert half["degradation_low"] < 0.2 < half["degradation_high"] <= 0.8
    everything = at(study, estimation.ALWAYS_CHEAP)
    assert (everything["cheap_share"], everything["degradation"]) == (0.8, 0.4)
    assert everything["saving_share"] == pytest.approx(0.64)


def test_nothing_cheap_breaks_nothing_and_its_adequacy_is_unknown(study):
    say(study, rater("ann"), 0, "expensive", False)
    none = at(study, 0.0)
    assert (none["cheap_count"], none["degradation"], none["saving_share"]) == (0, 0.0, 0.0)
    assert none["adequacy"] is None


def test_a_pair_without_a_score_is_part_of_the_traffic_and_not_drawn(study):
    result = estimation.estimate(study)
    assert (result.n_frame, result.n_without_score, result.n_selected) == (5, 1, 4)


def test_without_ratings_shares_and_costs_are_known_and_quality_is_not(study):
    half = at(study, 0.5)
    assert estimation.estimate(study).n_rated == 0
    assert (half["cheap_share"], half["adequacy"], half["degradation"]) == (0.4, None, None)
    assert half["saving_share"] == pytest.approx(0.32)


def test_several_raters_on_a_pair_count_as_their_mean_and_a_correction_replaces(study):
    ann, bob = rater("ann"), rater("bob")
    say(study, ann, 0, "expensive", False)
    say(study, bob, 0, "cheap", True)
    assert (at(study, 0.5)["degradation"], at(study, 0.5)["adequacy"]) == (0.4, 0.5)
    assert estimation.estimate(study).n_rated == 1
    say(study, ann, 0, "tie", True)
    assert (at(study, 0.5)["degradation"], at(study, 0.5)["adequacy"]) == (0.0, 1.0)


def test_kinds_of_raters_are_never_mixed_and_people_come_first(study):
    key = rater("key", Rater.Kind.ANSWER_KEY)
    for nth in range(3):
        say(study, key, nth, cheap_adequate=False)
    assert estimation.estimate(study).kind == "answer_key"
    say(study, rater("ann"), 0, "cheap", True)
    result = estimation.estimate(study)
    assert (result.kind, result.n_rated) == ("human", 1)
    assert result.kinds == {"answer_key": 3, "human": 1}
    assert (at(study, 0.5)["adequacy"], at(study, 0.5, "answer_key")["adequacy"]) == (1.0, 0.0)
    assert at(study, 0.5, "answer_key")["degradation"] is None


def test_costs_survive_the_way_through_the_database(study):
    pair = study.sample.first().pair
    assert (pair.cheap.cost_usd, pair.expensive.cost_usd) == (Decimal("0.01"), Decimal("0.05"))


def test_a_pair_stands_for_the_requests_that_its_shadow_rate_left_out(project, starter):
    # One pair in four of the second kind was made, so it counts as four requests.
    add_pair(project, 0.1, cheap_usd="0.01", expensive_usd="0.05")
    add_pair(project, 0.9, cheap_usd="0.01", expensive_usd="0.09", shadow_rate=0.25)
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, check_every=0)
    ann = rater("ann")
    say(study, ann, 0, "expensive", False)
    say(study, ann, 1, "cheap", True)
    half = at(study, 0.5)
    assert (half["cheap_share"], half["degradation"]) == (pytest.approx(0.2), pytest.approx(0.2))
    assert half["baseline_cost_usd"] == pytest.approx((0.05 + 4 * 0.09) / 5)
    assert half["cost_usd"] == pytest.approx((0.01 + 4 * 0.09) / 5)
    assert half["weights_too_unequal"]
    assert not at(study, 0.5, "answer_key")["weights_too_unequal"]


def rate_next(study, who, adequate):
    """Take the next slot of the queue; `adequate` says of a pair's score whether cheap is fine."""
    shown = rating.hand_out(study, who)
    fine = adequate(shown.slot.pair.score)
    cheap_is_better = shown.left == Tier.CHEAP if fine else shown.left != Tier.CHEAP
    choice = "a_much" if cheap_is_better else "b_much"
    rating.submit(shown.token, who, choice=choice, left_adequate=True, right_adequate=True)


def test_what_was_rated_before_the_frame_grew_does_not_count_double(project, starter):
    # The first ten pairs are all bad and all rated; then come ninety good ones.
    for _ in range(10):
        add_pair(project, 0.9)
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, check_every=0)
    ann = rater("ann")
    for _ in range(10):
        rate_next(study, ann, lambda score: score < 0.5)
    assert at(study, estimation.ALWAYS_CHEAP)["degradation"] == 1.0
    add_pairs(project, [0.1] * 90)
    sampling.extend(study)
    for _ in range(20):
        rate_next(study, ann, lambda score: score < 0.5)
    result = estimation.estimate(study)
    # Exactly the first of the queue count, whenever they were rated.
    assert result.n_rated + result.n_waiting == 30
    everything = estimation.point_at(result, estimation.ALWAYS_CHEAP)
    frame = study.sample.order_by("id")[: result.n_frame]
    counted = sorted(frame, key=lambda row: row.u)[: result.n_rated]
    bad = sum(row.pair.score == 0.9 for row in counted) / result.n_rated
    assert everything["degradation"] == pytest.approx(bad)
    assert bad < 0.25
    for _ in range(200):
        if rating.hand_out(study, ann) is None:
            break
        rate_next(study, ann, lambda score: score < 0.5)
    result = estimation.estimate(study)
    assert (result.n_rated, result.n_waiting) == (100, 0)
    assert estimation.point_at(result, estimation.ALWAYS_CHEAP)["degradation"] == 0.1


STATES = (
    ("skipped", "deadline: too late"),
    ("skipped", "no_reply: failed"),
    ("skipped", "not_sampled: outside"),  # by design, and the weights make up for it
    ("skipped", "overload: shed"),  # likewise
    ("pending", ""),
)


def test_requests_whose_shadow_failed_are_counted_by_why(study, project):
    for reason in ("provider_error: 400", "provider_error: 400", "worker_lost"):
        pair = add_pair(project, 0.2)
        job = ShadowJob.objects.filter(request_id=pair.request_id)
        job.update(state="failed", reason=reason, finished_at=timezone.now())
    jobs = ShadowJob.objects.filter(project=project, state="done").values_list("pk", flat=True)
    for pk, (state, reason) in zip(jobs, STATES, strict=False):
        ended = None if state == "pending" else timezone.now()
        ShadowJob.objects.filter(pk=pk).update(state=state, reason=reason, finished_at=ended)
    missing = estimation.estimate(study).missing
    assert missing == {
        "cheap: provider_error: 400": 2,
        "cheap: worker_lost": 1,
        "cheap: deadline: too late": 1,
        "cheap: no_reply: failed": 1,
        "not asked yet": 1,
    }


def test_pairs_of_other_models_and_of_long_ago_are_not_in_the_frame(study, project):
    live = policy.live(project).tier_spec(Tier.CHEAP)
    other = replace(live, base_url="http://elsewhere")
    changed = policy.create(
        project=project, router=study.router, threshold=0.0, cheap=other, expensive=other
    )
    policy.deploy(changed, by=None, reason="other models")
    add_pair(project, 0.2)
    assert sampling.extend(study) == 0
    policy.deploy(study.policy, by=None, reason="back")
    add_pair(project, 0.2)
    assert sampling.extend(study) == 1
    study.created_at += timedelta(days=15)
    assert not sampling.frame(study).exists()


def test_the_inputs_hash_moves_with_every_input(study):
    before = estimation.estimate(study).inputs_sha256
    assert estimation.estimate(study).inputs_sha256 == before
    say(study, rater("ann"), 0, "cheap", True)
    assert estimation.estimate(study).inputs_sha256 != before


def test_pairs_that_come_later_do_not_take_back_what_was_rated(project, starter):
    add_pairs(project, [nth / 30 for nth in range(30)])
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, check_every=0)
    ann = rater("ann")
    while rating.hand_out(study, ann):
        rate_next(study, ann, lambda score: score < 0.5)
    before = estimation.estimate(study)
    for _ in range(10):
        add_pair(project, 0.5)
    sampling.extend(study)
    after = estimation.estimate(study)
    # A new pair may come so late in the queue that the frame takes it in without losing any.
    assert (after.n_rated, after.n_newer + after.n_frame) == (30, 40)
    assert after.n_frame < 40
    assert after.n_frame > 30 or after.points == before.points
    for _ in range(10):
        rate_next(study, ann, lambda score: score < 0.5)
    later = estimation.estimate(study)
    assert (later.n_rated, later.n_newer) == (40, 0)


def test_the_best_end_is_found_among_all_ends():
    draw = np.random.default_rng(3)
    for _ in range(50):
        order = draw.random(40)
        spoken = draw.random(40) < 0.7
        counts = []
        for end in range(41):
            gaps = order[:end][~spoken[:end]]
            gap = gaps.min() if gaps.size else np.inf
            counts.append(int((spoken[:end] & (order[:end] < gap)).sum()))
        end, gap = best_end(order, ~spoken, spoken)
        assert (spoken[:end] & (order[:end] < gap)).sum() == max(counts)
        assert end == max(n for n, count in enumerate(counts) if count == max(counts))


def test_a_moment_gives_the_same_estimate_whatever_came_since(study, project):
    say(study, rater("ann"), 0, "expensive", False)
    first = estimation.estimate(study)
    say(study, rater("bob"), 1, "expensive", False)
    add_pair(project, 0.2)
    sampling.extend(study)
    assert estimation.estimate(study).inputs_sha256 != first.inputs_sha256
    again = estimation.estimate(study, moment=estimation.Moment.parse(str(first.moment)))
    assert (again.points, again.inputs_sha256) == (first.points, first.inputs_sha256)


@pytest.mark.parametrize("text", ["", "1", "1.", "a.b", "-1.2", "1.2.3", "9" * 30 + ".1"])
def test_what_is_no_moment_is_none(text):
    assert estimation.Moment.parse(text) is None
