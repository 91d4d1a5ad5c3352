"""Rules answer with 0 or 1, in their order, in bounded time; bad ones are told in sentences."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.routers import rulepatterns, rules
from routing.routers.rules import BadRules, Rule, Rules
from routing.types import Score

#: The rules that every version had before they became data: their scores must stay.
_GREETING = re.compile(
    r"^\W*(hi|hello|hey|thanks|thank you|good (morning|afternoon|evening)|bye|goodbye|ok(ay)?)"
    r"( there| all| again| so much| very much)?\W*$",
    re.IGNORECASE,
)


def as_before(query):
    if len(query) > 12_000:
        return Score(1.0, "long_input")
    if _GREETING.match(query):
        return Score(0.0, "greeting")
    if len(re.findall("```", query)) >= 6:
        return Score(1.0, "many_code_blocks")
    return None if query.strip() else Score(1.0, "no_text")


SAID = st.sampled_from(
    [
        "hi",
        "Hello",
        "THANKS",
        " there",
        "so much",
        "你好",
        "é",
        "_",
        "!",
        "\n",
        " ",
        "```",
        "x" * 3000,
    ]
)


@given(st.lists(SAID, max_size=12).map("".join) | st.text())
def test_the_usual_rules_say_what_they_always_said(query):
    assert Rules().score(query) == as_before(query)


def test_rules_come_back_from_json_as_they_were():
    told = json.loads(json.dumps(Rules().to_json()))
    assert Rules.from_json(told) == Rules()


def only(kind, value=1.0, **said):
    return Rules.from_json([{"name": "mine", "kind": kind, "value": value, **said}])


LONG = "Some paragraph of a report. " * 20


@pytest.mark.parametrize(
    ("found", "query", "fits"),
    [
        (only("longer_than", limit=5), "12345", False),
        (only("longer_than", limit=5), "123456", True),
        (only("code_blocks", limit=2), "```a```", False),
        (only("code_blocks", limit=2), "```a``` and ```b```", True),
        (only("documents", limit=2), f"<document>{LONG}</document>", False),
        (only("documents", limit=2), "<document id=1>a</document><document id=2>b", True),
        (only("documents", limit=2), "Document 1: a\nDocument 2: b\nWhich one?", True),
        (only("documents", limit=2), "Document 1: a\nSee document 1 again", False),
        (only("documents", limit=3), f"{LONG}\n---\n{LONG}\n---\n{LONG}", True),
        (only("documents", limit=2), "Dear you,\n---\nyours", False),
        (only("no_text"), " \n ", True),
        (only("greeting"), "thank you so much!", True),
        (only("matches", pattern=r"\bprove\b"), "Please prove it", True),
        (only("matches", pattern=r"\bprove\b"), "Please improve it", False),
        (only("matches", pattern="é+"), "caféé", True),
        (only("matches", pattern="a"), "\ud800a", True),
    ],
)
def test_each_kind_of_rule_fits_what_it_says(found, query, fits):
    assert found.score(query) == (Score(1.0, "mine") if fits else None)


CAPITAL = only("template", 0.0, pattern="What is the capital of {country}?")


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("What is the capital of France?", True),
        ("  what  is the CAPITAL of\nNew Zealand", True),
        ("What is the capital of Côte d’Ivoire ?!", True),
        ("What is the capital of ", False),
        ("What is the capital of France? And prove it,\nplease.", False),
        ("Tell me, what is the capital of France?", False),
        ("What is the capital of " + "x" * 500, False),
    ],
)
def test_a_template_fits_its_question_with_the_slots_filled_and_nothing_around(query, fits):
    assert (CAPITAL.score(query) is not None) == fits


def test_marks_in_a_template_are_only_marks():
    price = only("template", 0.0, pattern="How much is {a} (+ {b}) in $ [EUR]")
    assert price.score("how much is 5 (+ 7) in $ [eur]?")
    assert not price.score("how much is 5 7 in $ E")


def test_what_says_cheap_must_have_seen_the_whole_text():
    cheap, expensive = (only("matches", value, pattern="^easy") for value in (0.0, 1.0))
    text = "easy " * rulepatterns.PATTERN_CHARS
    assert cheap.score(text) is None
    assert expensive.score(text) == Score(1.0, "mine")


def test_the_first_rule_that_is_on_and_fits_has_the_word():
    on, off = (
        Rules(
            (
                Rule("a", "matches", 0.0, pattern="x", is_on=is_on),
                Rule("b", "matches", 1.0, pattern="x"),
            )
        )
        for is_on in (True, False)
    )
    assert (on.score("x"), off.score("x")) == (Score(0.0, "a"), Score(1.0, "b"))
    assert rules.NONE.score("") is None


GOOD = {"name": "mine", "kind": "matches", "value": 1, "pattern": "x"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": "Mine"}, "Rule 1 needs a name"),
        ({"name": "unfamiliar"}, "this name is taken"),
        ({"name": None}, "Rule 1 needs a name"),
        ({"kind": "magic"}, "Rule mine: the kind is one of longer_than"),
        ({"kind": ["matches"]}, "Rule mine: the kind is one of"),
        ({"value": 0.5}, "Rule mine: the value is 0"),
        ({"value": True}, "Rule mine: the value is 0"),
        ({"value": float("nan")}, "Rule mine: the value is 0"),
        ({"value": [1]}, "Rule mine: the value is 0"),
        ({"on": "yes"}, "Rule mine: on is true or false"),
        ({"pattern": ""}, "Rule mine: the pattern is missing"),
        ({"pattern": 3}, "Rule mine: the pattern is missing"),
        ({"pattern": "x" * 501}, "Rule mine: the pattern is longer than 500"),
        ({"pattern": "(a"}, "Rule mine: the pattern cannot be used: missing )"),
        ({"pattern": "(?=a)b"}, "Rule mine: the pattern cannot be used: invalid perl operator"),
        ({"pattern": r"(a)\1"}, "Rule mine: the pattern cannot be used"),
        ({"pattern": "(.{1,300}){3}"}, "Rule mine: the pattern is too large"),
        ({"pattern": "\ud800"}, "Rule mine: the pattern cannot be used"),
        ({"kind": "template", "pattern": "{a} {b}?"}, "needs words beside its slots"),
        ({"kind": "template", "pattern": "What is {a"}, "has a brace"),
        ({"kind": "longer_than"}, "the kind longer_than has no pattern"),
        ({"kind": "longer_than", "pattern": "", "limit": 0}, "a whole number from 1"),
        ({"kind": "longer_than", "pattern": "", "limit": True}, "a whole number from 1"),
        ({"kind": "longer_than", "pattern": "", "limit": 1.5}, "a whole number from 1"),
        ({"colour": "red"}, "nobody knows the field 'colour'"),
    ],
)
def test_a_rule_that_cannot_be_is_told_by_name(change, sentence):
    with pytest.raises(ValueError) as raised:
        Rules.from_json([{**GOOD, **change}])
    assert sentence in str(raised.value)


def test_each_bad_rule_has_its_sentence():
    with pytest.raises(BadRules) as raised:
        Rules.from_json([{**GOOD, "value": 2}, 7, GOOD])
    assert (
        len(raised.value.sentences) == 3
    )  # the value, the seven, and the name that is there twice


@pytest.mark.parametrize("told", [{}, "rules", None, [GOOD] * 101])
def test_what_is_no_list_of_rules_is_refused(told):
    with pytest.raises(BadRules):
        Rules.from_json(told)


def test_patterns_are_bounded_together():
    big = r".{1,60}x"
    size = rulepatterns.size("matches", big)
    n = 5_000 // size + 1
    told = [{**GOOD, "name": f"r{i}", "pattern": big} for i in range(n)]
    with pytest.raises(BadRules, match="too large together"):
        Rules.from_json(told)
    Rules.from_json([{**one, "on": i > 0} for i, one in enumerate(told)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "name": JSON | st.just("a"),
                "kind": JSON | st.sampled_from(["matches", "template", "longer_than"]),
                "value": JSON | st.just(1),
                "pattern": JSON,
                "limit": JSON | st.just(3),
            },
        ),
        max_size=3,
    )
    | JSON
)
def test_whatever_is_told_is_rules_or_a_sentence(told):
    try:
        made = Rules.from_json(told)
    except BadRules:
        return
    assert Rules.from_json(made.to_json()) == made


@pytest.mark.parametrize(
    "text", ["x" * 10_000_000, "hi " * 5_000, "<document" * 100_000, "---\n" * 10**5]
)
def test_a_huge_text_takes_no_huge_time(text):
    most = [{**GOOD, "name": f"r{i}", "pattern": f"(a+)+{i}$"} for i in range(90)]
    most += [{"name": "d", "kind": "documents", "value": 1, "limit": 900}]
    found = Rules.from_json(most)
    found.score(text)  # quadratic work would pass the time limit of tests
