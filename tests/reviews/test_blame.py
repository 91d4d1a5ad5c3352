"""What is blamed: shares counted by hand, nothing claimed without ratings, and no evidence."""

import pytest

from reviews import asides, blame, estimation, rating, sampling
from reviews.models import Slot, Verdict
from reviews.stats import intervals
from routing import policy
from routing.models import ShadowJob
from tests.reviews.rated import form, rater, say
from tests.reviews.rows import add_alternative, add_pairs, add_retrieval
from tests.reviews.showings import LEFT_CHEAP, again, rate, show

pytestmark = pytest.mark.django_db
RETRIEVAL = Slot.Kind.RETRIEVAL


@pytest.fixture
def pairs(project):
    """Twelve pairs, each with a retrieval; the first ten with another one's answer."""
    pairs = add_pairs(project, [n / 12 for n in range(12)])
    for n, pair in enumerate(pairs):
        add_retrieval(pair, strategy="hybrid" if n % 2 else "dense")
        if n < 10:
            add_alternative(pair)
    return pairs


def start(project, rate=1.0, **plan):
    plan = {"second_share": 0, "origin_every": 0, "check_every": 0, "practice_pairs": 0} | plan
    return sampling.start(policy.live(project), name="s", seed="7", rate=rate, **plan)


def compare(study, who, pair, better):
    """Say which retrieval's answer is better; the other one's takes the place of CHEAP."""
    return again(show(study, who, pair, kind=RETRIEVAL, left="cheap"), LEFT_CHEAP[better])


def test_shares_are_of_pairs_that_lost_and_come_by_strategy(project, pairs):
    study, ann, bob = start(project), rater("ann"), rater("bob")
    for n, pair in enumerate(pairs[:8]):
        rate(study, ann, pair, LEFT_CHEAP["expensive" if n < 6 else "tie"])
        # Of the six that lost the other retrieval is better for pairs 0 to 3: two of each strategy.
        compare(study, bob, pair, "cheap" if n < 4 or n == 7 else "expensive")
    found = blame.of(study)
    lost = found.lost
    assert (lost.n, lost.retrieval.share, lost.generation.share) == (6, 4 / 6, 2 / 6)
    assert (lost.retrieval.low, lost.retrieval.high) == intervals.wilson(4.0, 6.0)
    by_name = {row.name: (row.n, row.retrieval.share) for row in found.rows}
    assert by_name == {"dense": (3, 2 / 3), "hybrid": (3, 2 / 3), "all": (6, 4 / 6)}
    assert (found.compared.n, found.compared.retrieval.share) == (8, 5 / 8)
    assert found.n_waiting == 2


def test_both_bad_blames_nobody_and_the_same_sources_are_counted_beside(project, pairs):
    study, ann = start(project), rater("ann")
    for pair in pairs:
        rate(study, ann, pair, LEFT_CHEAP["expensive"])
    again(show(study, rater("bob"), pairs[0], kind=RETRIEVAL), "both_bad")
    ShadowJob.objects.create(
        request_id=pairs[11].request_id, project=project, purpose="retrieval", tier="expensive",
        rate=1.0, state="skipped", reason="same_sources: bm25 finds the same in the same order",
        not_before=pairs[11].created_at, finished_at=pairs[11].created_at,
    )  # fmt: skip
    found = blame.of(study)
    assert (found.lost.n, found.lost.n_neither, found.lost.n_same) == (1, 1, 1)
    assert (found.lost.retrieval.share, found.lost.generation.share) == (0.0, 0.0)
    assert [(row.name, row.n, row.n_same) for row in found.by_strategy] == [
        ("dense", 1, 0), ("hybrid", 0, 1),
    ]  # fmt: skip


def test_without_ratings_nothing_is_claimed(project, pairs):
    found = blame.of(start(project))
    assert found.lost == blame.Row("all", 0, blame.Share(0), blame.Share(0), 0, 0)
    assert found.by_strategy == []
    assert found.supported == {"cheap": blame.Share(0), "expensive": blame.Share(0)}
    assert found.n_waiting == 10


def test_a_study_without_lookups_has_no_blame(project):
    add_pairs(project, [0.1, 0.2])
    assert blame.of(start(project)) is None


def test_of_two_raters_who_differ_nobody_lost(project, pairs):
    study = start(project, second_share=1.0)
    rate(study, rater("ann"), pairs[0], LEFT_CHEAP["expensive"])
    rate(study, rater("bob"), pairs[0], LEFT_CHEAP["tie"])
    compare(study, rater("cleo"), pairs[0], "cheap")
    assert blame.of(study).lost.n == 0


def test_what_is_supported_is_counted_by_tier_and_the_newest_word_counts(project, pairs):
    study, ann = start(project), rater("ann")
    told = [(True, False), (True, None), (False, True)]
    for pair, (cheap, expensive) in zip(pairs, told, strict=False):
        shown = show(study, ann, pair, left="cheap")
        Slot.objects.filter(pk=shown.slot_id).update(state="leased")
        for said in ((None, None), (cheap, expensive)):
            rating.submit(
                shown.token, ann, **form("cheap", "tie"), left_supported=said[0],
                right_supported=said[1],
            )  # fmt: skip
    found = blame.of(study).supported
    assert (found["cheap"].n, found["cheap"].share) == (3, 2 / 3)
    assert (found["expensive"].n, found["expensive"].share) == (2, 1 / 2)


def test_raters_get_them_among_the_others_first_those_that_lost_and_say_no_evidence(project):
    pairs = add_pairs(project, [n / 100 for n in range(100)])
    for pair in pairs:
        add_retrieval(pair)
        add_alternative(pair)
    study, ann, bob = start(project, rate=0.5), rater("ann"), rater("bob")
    lost = study.sample.filter(selected=True).select_related("pair")[0].pair
    rate(study, bob, lost, LEFT_CHEAP["expensive"])
    kinds = []
    while shown := rating.hand_out(study, ann):
        kinds.append(shown.slot.kind)
        if kinds.count(RETRIEVAL) == 1 and kinds[-1] == RETRIEVAL:
            assert shown.slot.pair_id == lost.pk
        say(shown, ann)
    n = kinds.count(RETRIEVAL)
    assert kinds[0] == "sample"
    assert 1 <= n < kinds.count("sample")
    given = study.slots.filter(kind=RETRIEVAL).values_list("pair_id", flat=True)
    assert not Verdict.objects.filter(pair__in=given).exclude(pair=lost).exists()
    assert estimation.estimate(study).n_rated == kinds.count("sample") + 1


def test_nobody_is_given_a_pair_that_they_rated_or_that_waits(project, pairs):
    study, ann = start(project), rater("ann")
    assert not asides.free(study, ann, blame.ASIDE).exists()
    rate(study, ann, pairs[0], "equal")
    assert not asides.free(study, ann, blame.ASIDE).exists()
    free = asides.free(study, rater("bob"), blame.ASIDE)
    assert [row.pair_id for row in free] == [pairs[0].pk]


def test_what_was_given_up_or_is_closed_waits_for_nobody(project, pairs):
    study, bob = start(project), rater("bob")
    shown = show(study, bob, pairs[0], kind=RETRIEVAL)
    Slot.objects.filter(pk=shown.slot_id).update(state="leased", rater=bob)
    rating.skip(shown.token, bob, reason="other")
    assert blame.of(study).n_waiting == 9
    study.state = "closed"
    assert blame.of(study).n_waiting == 0


def test_a_correction_that_leaves_support_open_takes_back_what_was_said(project, pairs):
    study, ann = start(project), rater("ann")
    shown = rating.hand_out(study, ann)
    said = {"left_supported": True, "right_supported": True}
    rating.submit(shown.token, ann, **form("cheap", "tie"), **said)
    assert blame.of(study).supported["cheap"].n == 1
    rating.submit(shown.token, ann, **form("cheap", "tie"))
    assert blame.of(study).supported == {"cheap": blame.Share(0), "expensive": blame.Share(0)}


def test_the_page_says_of_how_many_and_puts_one_in_the_singular(as_role, project, pairs):
    study, ann, bob, client = start(project), rater("ann"), rater("bob"), as_role("lead")
    rate(study, ann, pairs[0], LEFT_CHEAP["expensive"])
    compare(study, bob, pairs[0], "cheap")
    page = client.get("/threshold/", {"study": study.pk}).text
    assert "Of 1 pair on which the cheap answer lost" in page
    assert "Of the one pair that was compared, whoever won" in page
    rate(study, ann, pairs[1], LEFT_CHEAP["expensive"])
    compare(study, bob, pairs[1], "cheap")
    page = client.get("/threshold/", {"study": study.pk}).text
    assert "Of 2 pairs on which the cheap answer lost" in page
    assert "Of all 2 pairs that were compared, whoever won" in page
