"""How badly people disagree, what they hold in common, what nobody said."""

import pytest

from reviews import opinions
from reviews.models import Adjudication, Rater, Verdict
from reviews.opinions import Answer, Opinion
from tests.reviews.showings import pairs_of, rate, rater, study_of


def said(*answers, strong=()):
    return [Opinion(n, Answer(*one), n in strong, None) for n, one in enumerate(answers)]


CHEAP, EXPENSIVE = ("cheap", True, True), ("expensive", True, True)
TIE, BAD = ("tie", True, True), ("both_bad", False, False)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([], 0), ([CHEAP], 0), ([CHEAP, CHEAP], 0), ([BAD, BAD], 0),
        ([CHEAP, EXPENSIVE], 3), ([CHEAP, TIE, EXPENSIVE], 3),
        ([CHEAP, TIE], 2), ([EXPENSIVE, TIE], 2), ([TIE, BAD], 2), ([CHEAP, BAD], 2),
        ([("cheap", True, True), ("cheap", True, False)], 1),
        ([("tie", True, True), ("tie", False, True)], 1),
        ([("tie", True, True), ("tie", None, None)], 0),
        ([("", True, None), ("tie", True, True)], 0),
        ([("", False, None), ("tie", True, True)], 1),
    ],
)  # fmt: skip
def test_the_kind_of_a_disagreement(answers, kind):
    assert opinions.disagreement(said(*answers)) == kind


def test_strong_words_order_one_kind_and_never_lift_it_above_a_worse_one():
    mild = opinions.disagreement(said(CHEAP, EXPENSIVE))
    half = opinions.disagreement(said(CHEAP, EXPENSIVE, strong={0}))
    strong = opinions.disagreement(said(CHEAP, EXPENSIVE, strong={0, 1}))
    assert mild < half < strong
    assert opinions.disagreement(said(CHEAP, TIE, strong={0, 1})) < mild
    assert opinions.disagreement(said(TIE, ("tie", False, True), strong={0, 1})) < 2
    assert opinions.disagreement(said(CHEAP, CHEAP, strong={0, 1})) == 0


@pytest.mark.parametrize(
    ("answers", "common"),
    [
        ([CHEAP, CHEAP], CHEAP),
        ([CHEAP, TIE], None),
        ([("tie", True, None), ("tie", None, False)], ("tie", True, False)),
        ([("", True, True), ("", True, True)], None),
        ([("cheap", True, True), ("cheap", False, True)], None),
    ],
)
def test_what_is_held_in_common(answers, common):
    assert opinions.common(said(*answers)) == common


@pytest.mark.parametrize(
    ("answer", "answers", "overrules"),
    [
        (CHEAP, [CHEAP, EXPENSIVE], False),
        (TIE, [CHEAP, EXPENSIVE], True),
        (("cheap", False, True), [CHEAP, EXPENSIVE], True),
        (("cheap", False, True), [("cheap", False, True), EXPENSIVE], False),
        (CHEAP, [("", True, True), ("", None, True)], False),
    ],
)
def test_what_nobody_said(answer, answers, overrules):
    assert opinions.overrules(Answer(*answer), said(*answers)) == overrules


# --- which pairs are in dispute, in one query -------------------------------------------------


@pytest.mark.django_db
def test_pairs_in_dispute_are_those_on_which_people_disagree(project, django_assert_num_queries):
    said = [
        [("cheap", None, None), ("expensive", None, None)],
        [("cheap", True, True), ("cheap", True, False)],
        [("tie", True, None), ("", False, None)],
        [("tie", True, None), ("tie", None, False)],
        [("", None, True), ("tie", None, True)],
        [("cannot", None, None), ("tie", None, None)],
        [("both_bad", False, False)],
    ]
    study = study_of(project, [n / 10 for n in range(len(said))])
    people = [rater("ann"), rater("bob")]
    judge = rater("judge", kind=Rater.Kind.LLM_JUDGE)
    for pair, some in zip(pairs_of(study), said, strict=True):
        Verdict.objects.create(study=study, pair=pair, rater=judge, preference="cheap")
        for who, (preference, cheap, expensive) in zip(people, some, strict=False):
            Verdict.objects.create(study=study, pair=pair, rater=who, preference="split")
            Verdict.objects.create(
                study=study, pair=pair, rater=who, preference=preference, cheap_adequate=cheap,
                expensive_adequate=expensive,
            )  # fmt: skip
    by_hand = {k for k, v in opinions.by_pair(study).items() if opinions.disagreement(v)}
    with django_assert_num_queries(1):
        found = opinions.in_dispute()
    assert found == by_hand == {pair.pk for pair in pairs_of(study)[:3]}


@pytest.mark.django_db
def test_a_dispute_is_settled_in_its_own_study(project):
    study = study_of(project, [0.1])
    (pair,) = pairs_of(study)
    other = study_of(project, [])
    first = rate(study, rater("ann"), pair, "a_much")
    rate(study, rater("bob"), pair, "b_much")
    settled = {
        "pair": pair, "rater": rater("lena"), "rating": first, "cause": "slip",
        "cheap_adequate": True, "expensive_adequate": True,
    }  # fmt: skip
    Adjudication.objects.create(study=other, preference="tie", **settled)
    assert opinions.in_dispute() == {pair.pk}
    last = rate(study, rater("lars"), pair, "equal", kind="adjudication")
    Adjudication.objects.create(study=study, preference="tie", **settled | {"rating": last})
    assert opinions.in_dispute() == set()
