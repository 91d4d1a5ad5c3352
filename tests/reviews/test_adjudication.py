"""Disagreements are settled blind, by one lead each, the worst first, and change no estimate."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from reviews import adjudication, estimation, gold, rating, revealing, sampling
from reviews.errors import BadInput, Conflict
from reviews.models import Adjudication, Gold, Presentation, Rating, Slot, Verdict
from routing import policy
from tests.reviews.rated import form, lead, rate_all, rater
from tests.reviews.rows import add_pair

pytestmark = pytest.mark.django_db

#: By place of the pair: what Ann says, what Bob says. Settled in the order 2, 0, 1, 3.
WORDS = [
    ((("cheap",), {}), (("expensive",), {})),
    ((("cheap",), {}), (("tie",), {})),
    ((("cheap",), {"strength": "much"}), (("expensive",), {"comment": "B invents a button."})),
    ((("tie", True), {}), (("tie", False), {})),
    ((("tie",), {}), (("tie",), {})),
]
ORDER = [2, 0, 1, 3]


@pytest.fixture
def study(project):
    for n in range(len(WORDS)):
        add_pair(project, n / 5)
    plan = {"ratings_per_pair": 2, "second_share": 0, "check_every": 0, "origin_every": 0}
    study = sampling.start(policy.live(project), name="s", seed="7", rate=1.0, **plan)
    places = {pair: n for n, pair in enumerate(pairs(study))}
    for who, name in enumerate(("ann", "bob")):
        rate_all(study, rater(name), lambda pair, who=who: WORDS[places[pair]][who])
    return study


def pairs(study):
    return list(study.sample.order_by("pair_id").values_list("pair_id", flat=True))


def settle(shown, who, *words, cause="slip", **more):
    adjudication.choose(shown.token, who, form(shown.left, *words))
    return adjudication.settle(shown.token, who, form(shown.left, *words), cause=cause, **more)


def test_the_worst_comes_first_and_agreement_never(study):
    lena, places = lead("lena"), pairs(study)
    expected = adjudication.Queue([places[n] for n in ORDER], agree=1, settled=0, elsewhere=0)
    assert adjudication.queue(study, lena) == expected
    for n, place in enumerate(ORDER):
        shown = adjudication.hand_out(study, lena)
        assert shown.slot.pair_id == places[place]
        settle(shown, lena, "cheap", note="because")
        assert adjudication.queue(study, lena).settled == n + 1
    assert adjudication.hand_out(study, lena) is None


def test_of_a_corrected_verdict_the_newest_counts(study):
    ann = Rating.objects.earliest("id").presentation.rater
    for shown in ann.presentations.filter(slot__pair=pairs(study)[2]):
        rating.submit(shown.token, ann, **form(shown.left, "expensive"))
    assert pairs(study)[2] not in adjudication.queue(study, lead("lena")).pairs


def test_nothing_is_evidence(study):
    lena = lead("lena")
    before, verdicts = estimation.estimate(study), Verdict.objects.count()
    while shown := adjudication.hand_out(study, lena):
        settle(shown, lena, "expensive", False, note="because")
    assert Adjudication.objects.count() == len(ORDER)
    assert Verdict.objects.count() == verdicts
    after = estimation.estimate(study)
    assert (after.points, after.inputs_sha256) == (before.points, before.inputs_sha256)


def test_who_comes_back_has_the_same_pair_and_two_never_have_one(study):
    lena, lars = lead("lena"), lead("lars")
    first = adjudication.hand_out(study, lena)
    assert adjudication.hand_out(study, lena) == first
    assert adjudication.hand_out(study, lars).slot.pair_id != first.slot.pair_id
    adjudication.choose(first.token, lena, form(first.left, "tie"))
    assert adjudication.hand_out(study, lena) == first


@pytest.mark.django_db(transaction=True)
def test_eight_adjudicators_at_once_never_share_a_pair(study):
    leads = [lead(f"lead-{n}") for n in range(8)]
    together = Barrier(len(leads))

    def take(who):
        try:
            together.wait(30)
            return adjudication.hand_out(study, who)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(leads)) as pool:
        shown = [row for row in pool.map(take, leads) if row is not None]
    assert sorted(row.slot.pair_id for row in shown) == sorted(pairs(study)[:4])


def test_a_lease_that_ran_out_gives_the_pair_to_the_next_lead_and_refuses_the_late_one(study):
    lena, lars = lead("lena"), lead("lars")
    late = adjudication.hand_out(study, lena)
    adjudication.choose(late.token, lena, form(late.left, "tie"))
    Slot.objects.filter(pk=late.slot_id).update(lease_until=timezone.now() - timedelta(seconds=1))
    new = adjudication.hand_out(study, lars)
    assert (new.slot.pair_id, new.slot_id != late.slot_id) == (late.slot.pair_id, True)
    with pytest.raises(Conflict):
        adjudication.settle(late.token, lena, form(late.left, "tie"), cause="slip", note="n")
    assert not Adjudication.objects.exists()


@pytest.mark.parametrize("how", ["rated", "seen", "skipped"])
def test_a_pair_that_is_not_new_to_the_lead_never_comes(study, how):
    lena, worst = lead("lena"), pairs(study)[2]
    if how == "rated":
        Verdict.objects.create(study=study, pair_id=worst, rater=lena, preference="tie")
    elif how == "seen":
        revealing.reveal(Slot.objects.filter(pair=worst).first().pair, lena)
    else:
        shown = adjudication.hand_out(study, lena)
        rating.skip(shown.token, lena, reason="cannot_judge")
    queue = adjudication.queue(study, lena)
    assert worst not in queue.pairs
    assert queue.elsewhere == 1
    assert adjudication.hand_out(study, lead("lars")).slot.pair_id == worst


def test_what_raters_said_is_told_in_terms_of_this_screen(study):
    lena = lead("lena")
    shown = adjudication.hand_out(study, lena)
    bob = Rating.objects.exclude(comment="").get()
    slow = Rating.objects.filter(presentation__slot__pair=shown.slot.pair_id).exclude(pk=bob.pk)
    words = {said.number: said for said in adjudication.said_by_raters(shown)}
    much, slightly = ("A is much better", "B is better")
    if shown.left == "expensive":
        much, slightly = ("B is much better", "A is better")
    assert slow.exists()
    assert (words[1].choice, words[2].choice) == (much, slightly)
    assert (words[1].comment, words[2].comment) == ("", "B invents a button.")
    assert words[1].adequate == {"A": True, "B": True}


@pytest.mark.parametrize(("seconds", "is_rushed"), [(7.4, True), (7.6, False)])
def test_a_quarter_of_the_usual_time_is_rushed(study, seconds, is_rushed):
    shown = adjudication.hand_out(study, lead("lena"))
    first = Verdict.objects.filter(pair=shown.slot.pair_id).earliest("id").rating.presentation
    said = form(first.left, "cheap", strength="much") | {"seconds": seconds}
    rating.submit(first.token, first.rater, **said)
    words = adjudication.said_by_raters(shown)
    assert sorted(one.is_rushed for one in words) == sorted([False, is_rushed])


def test_the_own_choice_comes_first_and_a_cause_is_needed(study):
    lena = lead("lena")
    shown = adjudication.hand_out(study, lena)
    said = form(shown.left, "cheap")
    with pytest.raises(Conflict, match="First say"):
        adjudication.settle(shown.token, lena, said, cause="slip")
    assert not adjudication.is_chosen(shown)
    adjudication.choose(shown.token, lena, said)
    assert adjudication.is_chosen(shown)
    for cause in ("", "whim"):
        with pytest.raises(BadInput, match="causes"):
            adjudication.settle(shown.token, lena, said, cause=cause)
    done = adjudication.settle(shown.token, lena, said, cause="taste")
    assert (done.preference, done.cause, done.rating.presentation) == ("cheap", "taste", shown)
    with pytest.raises(Conflict, match="settled already"):
        adjudication.settle(shown.token, lena, said, cause="taste")


def test_overruling_everybody_takes_a_note(study):
    lena = lead("lena")
    shown = adjudication.hand_out(study, lena)
    with pytest.raises(BadInput, match="note"):
        settle(shown, lena, "tie", note="  ")
    n_ratings = Rating.objects.filter(presentation=shown).count()
    assert (n_ratings, Adjudication.objects.exists()) == (1, False)  # the own choice stays
    tie = form(shown.left, "tie")
    assert adjudication.settle(shown.token, lena, tie, cause="slip", note=" Same. ").note == "Same."


@pytest.mark.parametrize("use", ["practice", "hidden"])
def test_what_is_settled_can_be_made_gold_without_words_about_another_screen(study, use):
    lena = lead("lena")
    settle(adjudication.hand_out(study, lena), lena, "cheap", note="A is cheap.", use=use)
    made = Gold.objects.get()
    assert (made.use, made.preference, made.explanation) == (use, "cheap", "")
    assert gold.rows(study, lena)[0].is_known


def test_the_showing_of_another_lead_is_not_found(study):
    shown = adjudication.hand_out(study, lead("lena"))
    with pytest.raises(Presentation.DoesNotExist):
        adjudication.choose(shown.token, lead("lars"), form(shown.left, "tie"))
