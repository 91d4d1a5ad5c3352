"""Repeats look like any pair to a rater, and what is said of them is only ever the A/A floor."""

import pytest

from reviews import (
    asides,
    blinding,
    estimation,
    progress,
    rating,
    repeats,
    revealing,
    sampling,
    votes,
)
from reviews.errors import Conflict
from reviews.models import Rater, Slot, Verdict
from reviews.stats import intervals
from routing import policy
from routing.models import RepeatPair
from tests.reviews import race
from tests.reviews.rated import rater, say
from tests.reviews.rows import add_pair, add_pairs, add_repeat
from tests.reviews.showings import again, rate

pytestmark = pytest.mark.django_db
AGAIN = Slot.Kind.AGAIN


@pytest.fixture
def pairs(project):
    return add_pairs(project, [n / 100 for n in range(100)])


def start(project, rate=0.5, **plan):
    plan = {"second_share": 0, "origin_every": 0, "check_every": 0, "practice_pairs": 0} | plan
    return sampling.start(policy.live(project), name="s", seed="7", rate=rate, **plan)


def rate_all(study, who, choice="equal"):
    shown = []
    while one := rating.hand_out(study, who):
        shown.append(one)
        say(one, who, choice)
    return shown


def rate_up_to_a_repeat(study, who):
    """Let somebody rate until the next that is due would be a repeat."""
    n = 0
    while not n or sampling.uniform(f"{study.seed}|again|{who.pk}", n) >= 0.1:
        say(rating.hand_out(study, who), who)
        n += 1


def test_about_every_tenth_pair_is_a_repeat_at_no_certain_place(project, pairs):
    for pair in pairs:
        add_repeat(pair)
    study = start(project)
    shown = rate_all(study, rater("ann"))
    places = [place for place, one in enumerate(shown) if one.slot.kind == AGAIN]
    n_sample = len(shown) - len(places)
    assert n_sample == study.slots.filter(kind="sample").count()
    assert 1 <= len(places) <= n_sample / 5
    assert places[0] > 0
    assert len({b - a for a, b in zip(places, places[1:], strict=False)} or {0, 1}) > 1


def test_a_study_without_repeats_hands_out_none(project, pairs):
    shown = rate_all(start(project), rater("ann"))
    assert {one.slot.kind for one in shown} == {"sample"}


def test_only_pairs_that_no_rating_waits_for_are_shown_and_each_once(project, pairs):
    for pair in pairs:
        add_repeat(pair)
    study = start(project)
    for name in ("ann", "bob", "cleo"):
        rate_all(study, rater(name))
        # Nothing is left of the sample: its slots are opened again for the next one.
        study.slots.filter(kind="sample").update(state="open", rater=None)
    given = list(study.slots.filter(kind=AGAIN).values_list("pair_id", flat=True))
    drawn = study.sample.filter(selected=True).values_list("pair_id", flat=True)
    assert len(given) == len(set(given)) > 3
    assert not {*given} & {*drawn}


def test_a_rater_who_saw_the_pair_or_its_tiers_is_not_given_its_repeat(project, pairs):
    study = start(project, rate=1.0, ratings_per_pair=1)
    add_repeat(pairs[0])
    ann, bob, cleo = rater("ann"), rater("bob"), rater("cleo")
    rate(study, ann, pairs[0], "equal")
    revealing.reveal(pairs[0], cleo)
    assert [list(asides.free(study, who, repeats.ASIDE)) for who in (ann, cleo)] == [[], []]
    assert [row.pair_id for row in asides.free(study, bob, repeats.ASIDE)] == [pairs[0].pk]


def test_a_pair_that_waits_for_a_rating_is_not_repeated(project, pairs):
    study = start(project, rate=1.0)
    add_repeat(pairs[0])
    assert not asides.free(study, rater("ann"), repeats.ASIDE).exists()


@pytest.mark.django_db(transaction=True)
def test_two_raters_at_once_never_get_one_repeat(project, pairs):
    study = start(project, rate=0.9)
    spare = study.sample.filter(selected=False).select_related("pair")[0].pair
    people, given = [rater("ann"), rater("bob")], []
    for who in people:
        rate_up_to_a_repeat(study, who)
    add_repeat(spare)
    first, second = (lambda who=who: given.append(repeats.due(study, who)) for who in people)
    race.after(first, second)
    assert [slot and slot.pair_id for slot in given] == [spare.pk, None]


@pytest.mark.parametrize("left", ["cheap", "expensive"])
def test_both_answers_are_the_expensive_models_and_the_first_takes_its_place(project, left):
    pair = add_pair(project, 0.2, cheap="from cheap", expensive="first answer")
    add_repeat(pair, "second answer")
    study, ann = start(project, rate=1.0), rater("ann")
    slot = Slot.objects.create(
        study=study, pair=pair, rater=ann, kind=AGAIN, ordinal=0, order=1, state="leased"
    )
    shown = blinding.present(slot, ann, left=blinding.Tier(left))
    texts = {"expensive": "first answer", "cheap": "second answer"}
    other = "cheap" if left == "expensive" else "expensive"
    assert blinding.sides(shown) == (texts[left], texts[other])
    page = blinding.blind(shown)
    assert "from cheap" not in page.left_html + page.right_html
    first_is_better = say(shown, ann, "a_much" if left == "expensive" else "b_much")
    assert blinding.meaning(first_is_better).preference == "expensive"
    assert repeats.floor(study)[:2] == (1, 1.0)


def test_what_is_said_of_repeats_is_no_evidence_of_anything(project, pairs):
    for pair in pairs:
        add_repeat(pair)
    study = start(project)
    shown = rate_all(study, rater("ann"), "a_much")
    given = [one for one in shown if one.slot.kind == AGAIN]
    assert given
    n_sample = len(shown) - len(given)
    assert Verdict.objects.count() == n_sample
    assert estimation.estimate(study).n_rated == n_sample
    assert {vote.kind for vote in votes.of(study)} == {"sample"}
    assert not Verdict.objects.filter(pair_id__in=[one.slot.pair_id for one in given]).exists()


def test_progress_does_not_tell_a_repeat_from_a_pair(project, pairs):
    for pair in pairs:
        add_repeat(pair)
    study, ann = start(project), rater("ann")
    for done, one in enumerate(rate_all(study, ann), 1):
        assert one is not None
        total = done
    assert progress.of(study, ann).mine == progress.of(study, ann).team == total


def test_the_floor_counts_the_newest_word_on_each_repeat(project, pairs):
    study, ann = start(project), rater("ann")
    words = ["b_much", "b_slightly", "a_slightly", "equal", "both_bad", "equal"]
    shown = [
        rate(study, ann, pair, choice, kind=AGAIN).presentation
        for pair, choice in zip(pairs, words, strict=False)
    ]
    found = repeats.floor(study)  # CHEAP's place, the second answer, stands left
    assert (found.n_rated, found.worse, found.better, found.ties) == (6, 2 / 6, 1 / 6, 3 / 6)
    assert (found.low, found.high) == intervals.wilson(2.0, 6.0)
    again(shown[0], "equal")
    assert repeats.floor(study).worse == 1 / 6


def test_nothing_rated_is_no_number(project, pairs):
    study = start(project, rate=1.0)
    rate(study, rater("ann"), pairs[0], "b_much")
    other = start(project)
    rate(other, rater("bob"), pairs[1], "b_much", kind=AGAIN)
    assert repeats.floor(study) == repeats.Floor(0, None, None, None, None, None)


def test_labels_of_judges_do_not_count(project, pairs):
    study = start(project)
    judge = Rater.objects.create(kind=Rater.Kind.LLM_JUDGE, name="j")
    rate(study, judge, pairs[0], "b_much", kind=AGAIN)
    assert repeats.floor(study).n_rated == 0


def test_a_repeat_that_was_looked_up_can_no_longer_be_rated(project, pairs):
    study, ann = start(project), rater("ann")
    spare = study.sample.filter(selected=False).select_related("pair")[0].pair
    add_repeat(spare)
    slot = Slot.objects.create(
        study=study, pair=spare, rater=ann, kind=AGAIN, ordinal=0, order=1, state="leased"
    )
    shown = blinding.present(slot, ann)
    revealing.reveal(spare, ann)
    with pytest.raises(Conflict):
        say(shown, ann)
    assert RepeatPair.objects.count() == 1
