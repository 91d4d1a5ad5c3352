"""How badly people disagree, what they hold in common, what nobody said."""

import pytest

from reviews import opinions
from reviews.opinions import Answer, Opinion


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
