"""Gold: who may be made it, what waits, who knows the answer, what is suggested."""

import pytest

from reviews import checks, estimation, gold, rating, revealing, sampling
from reviews.errors import BadInput, Conflict
from reviews.models import Adjudication, Gold, Rating, Slot
from reviews.opinions import Answer
from routing import policy
from tests.reviews.rated import form, lead, rate_all, rater
from tests.reviews.rows import add_pair, add_pairs
from tests.reviews.showings import again, rate

pytestmark = pytest.mark.django_db
TIE = Answer("tie", True, True)


def started(project, n=4, **plan):
    add_pairs(project, [k / n for k in range(n)])
    usual = {"rate": 1.0, "second_share": 0, "check_every": 0, "origin_every": 0}
    return sampling.start(policy.live(project), name="s", seed="7", **usual | plan)


@pytest.fixture
def study(project):
    return started(project)


def pairs(study):
    return [row.pair for row in study.sample.order_by("pair_id")]


@pytest.mark.parametrize("use", ["practice", "hidden"])
def test_gold_waits_for_the_ratings_of_the_sample(study, use):
    ann, bob = rater("ann"), rater("bob")
    waits = pairs(study)[0]
    gold.add(study, waits, lead("lena").user, use=use, answer=TIE)
    assert gold.rows(study, ann)[0].is_waiting
    assert checks.practice_left(study, bob) == 0
    rate_all(study, ann, lambda pair: (("tie",), {}))
    assert study.slots.filter(pair=waits, kind="sample", state="done").exists()
    assert not gold.rows(study, ann)[0].is_waiting
    assert checks.practice_left(study, bob) == (use == "practice")


def test_a_practice_pair_never_empties_the_queue(study):
    everything = pairs(study)
    for pair in everything:
        gold.add(study, pair, lead(f"lead-{pair.pk}").user, use="practice", answer=TIE)
    rate_all(study, rater("ann"), lambda pair: (("tie",), {}))
    kinds = study.slots.filter(state="done").values_list("kind", flat=True)
    assert list(kinds) == [Slot.Kind.SAMPLE] * len(everything)
    assert estimation.estimate(study).n_rated == len(everything)


def test_a_pair_is_gold_once_also_after_it_was_retired(study):
    pair, by = pairs(study)[0], lead("lena").user
    made = gold.add(study, pair, by, use="hidden", answer=TIE)
    gold.retire(made)
    gold.retire(made)
    assert Gold.objects.get().retired_at is not None
    with pytest.raises(Conflict, match="already"):
        gold.add(study, pair, by, use="practice", answer=TIE)


def test_a_pair_outside_the_frame_is_refused(study, project):
    later = add_pair(project, 0.3)
    with pytest.raises(Conflict, match="frame"):
        gold.add(study, later, lead("lena").user, use="hidden", answer=TIE)


@pytest.mark.parametrize(
    ("use", "preference"), [("", "tie"), ("both", "tie"), ("hidden", ""), ("hidden", "cannot")]
)
def test_a_use_or_an_answer_that_is_none_is_refused(study, use, preference):
    answer = Answer(preference, None, None)
    with pytest.raises(BadInput):
        gold.add(study, pairs(study)[0], lead("lena").user, use=use, answer=answer)


def test_of_practice_the_list_counts_what_came_before_the_feedback(project):
    study = started(project, practice_pairs=1)
    first, by = pairs(study)[0], lead("lena").user
    rate_all(study, rater("ann"), lambda pair: (("tie",), {}))
    gold.add(study, first, by, use="practice", answer=TIE)
    for _ in range(3):
        add_pair(project, 0.1)
    sampling.extend(study)
    bob, cid = rater("bob"), rater("cid")
    for who, words in ((bob, ("cheap",)), (cid, ("tie",))):
        shown = rating.hand_out(study, who)
        assert shown.slot.kind == Slot.Kind.PRACTICE
        rating.submit(shown.token, who, **form(shown.left, *words))
    row = gold.rows(study, by.rater)[0]
    assert (row.right, row.n) == (1, 2)
    shown = bob.presentations.get()
    rating.submit(shown.token, bob, **form(shown.left, "tie"))
    row = gold.rows(study, by.rater)[0]
    assert (row.right, row.n) == (1, 2)


def test_the_answer_is_for_those_to_whom_it_changes_nothing(study):
    ann, lena = rater("ann"), lead("lena")
    rate_all(study, ann, lambda pair: (("tie",), {}))
    pair = pairs(study)[0]
    gold.add(study, pair, lena.user, use="hidden", answer=TIE)
    assert gold.rows(study, ann)[0].is_known
    assert not gold.rows(study, lena)[0].is_known
    revealing.reveal(pair, lena)
    assert gold.rows(study, lena)[0].is_known


def test_three_who_agree_suggest_gold_and_two_do_not(project):
    study = started(project, ratings_per_pair=3)
    same, differs = pairs(study)[0], pairs(study)[1]
    for n, name in enumerate(("ann", "bob")):
        rate_all(study, rater(name), lambda pair, n=n: (("tie",), {}))
    assert gold.suggestions(study) == []
    last = {differs.pk: (("cheap",), {})}
    rate_all(study, rater("cid"), lambda pair: last.get(pair, (("tie",), {})))
    found = gold.suggestions(study)
    assert [(one.pair, one.answer, one.source) for one in found] == [
        (pair, TIE, "3 raters agree") for pair in pairs(study) if pair != differs
    ]
    made = gold.accept(study, same.pk, lead("lena").user, "hidden")
    assert (made.pair, made.preference) == (same, "tie")
    assert same not in [one.pair for one in gold.suggestions(study)]
    with pytest.raises(Conflict):
        gold.accept(study, differs.pk, made.created_by, "hidden")


@pytest.mark.parametrize("cause", Adjudication.Cause.values)
def test_what_was_settled_is_suggested_unless_no_answer_is_known(study, cause):
    lena = lead("lena")
    rate_all(study, lena, lambda pair: (("tie",), {}))
    Adjudication.objects.create(
        study=study, pair=pairs(study)[0], rater=lena, rating=Rating.objects.earliest("id"),
        preference="cheap", cheap_adequate=True, expensive_adequate=False, cause=cause,
    )  # fmt: skip
    expected = cause in ("slip", "guideline", "knowledge")
    answers = [one.answer for one in gold.suggestions(study)]
    assert answers == [Answer("cheap", True, False)] * expected


def test_of_a_hidden_check_the_list_counts_the_newest_word(study):
    pair, by, bob = pairs(study)[0], lead("lena"), rater("bob")
    gold.add(study, pair, by.user, use="hidden", answer=TIE)
    rate(study, bob, pair, "a_much", kind="gold")
    assert (gold.rows(study, by)[0].right, gold.rows(study, by)[0].n) == (0, 1)
    again(bob.presentations.get(), "equal")
    assert (gold.rows(study, by)[0].right, gold.rows(study, by)[0].n) == (1, 1)


@pytest.mark.parametrize("word", ["Cheap", "EXPENSIVE", "tier"])
def test_an_explanation_names_no_tier(study, word):
    why = {"use": "practice", "answer": TIE, "explanation": f"The {word} one is right."}
    with pytest.raises(BadInput, match=f"“{word}” could tell"):
        gold.add(study, pairs(study)[0], lead("lena").user, **why)
    assert not Gold.objects.exists()
