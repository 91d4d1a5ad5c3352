"""Gates say what is wrong with an answer on its face, and take long on none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.routers import gates, schemas
from routing.routers.agreement import agreement
from routing.routers.asking import Seen
from routing.routers.refusals import is_refusal

LONG = 1_000_000


def failed(text, stop_reason="end_turn", **seen):
    return gates.failed(Seen((text,), (None,), stop_reason, **seen))


REFUSALS = [
    "I'm sorry, but I can't help with that.",
    "I’m unable to assist with this request.",
    "I cannot provide that information.",
    "Sorry, can't do that.",
    "**I'm sorry**, but I won't be able to answer this.",
    "As an AI language model, I don't have access to real-time data.",
    "I apologize, but as an AI I cannot browse the internet.",
    "Unfortunately, I do not have enough information to answer.",
    "I must respectfully decline.",
    "That's not something I can help with.",
    "I don't know.",
    "I'm not able to generate that image.",
    "Es tut mir leid, aber ich kann dabei nicht helfen.",
    "Das weiß ich leider nicht.",
    "Dabei kann ich leider nicht helfen.",
    "Je suis désolé, mais je ne peux pas vous aider.",
    "Je ne sais pas.",
    "Lo siento, no puedo ayudar con eso.",
    "Mi dispiace, ma non posso aiutarti.",
    "Desculpe, não posso ajudar com isso.",
    "Het spijt me, maar ik kan je daar niet bij helpen.",
    "Tyvärr kan jag inte hjälpa till med det.",
    "Przepraszam, ale nie mogę w tym pomóc.",
    "Omlouvám se, ale s tím nemohu pomoci.",
    "Üzgünüm, bu konuda yardımcı olamam.",
    "Извините, но я не могу с этим помочь.",
    "На жаль, я не можу допомогти.",
    "抱歉，我无法回答这个问题。",
    "我不能协助这个请求。",
    "申し訳ありませんが、お答えできません。",
    "죄송하지만 도와드릴 수 없습니다.",
    "عذرًا، لا أستطيع المساعدة في ذلك.",
    "क्षमा करें, मैं इसमें मदद नहीं कर सकता।",
    "Maaf, saya tidak dapat membantu.",
    "Xin lỗi, tôi không thể giúp việc này.",
]
ANSWERS = [
    "Paris.",
    "I'm sorry for your loss. Here is what to do first.",
    "I can't stress enough how useful tests are.",
    "Sorry is an English word of Germanic origin.",
    "Unfortunately, the train you want does not run on Sundays.",
    "Unfortunately, you cannot access private members from outside the class.",
    "Leider kann man das Problem nicht in linearer Zeit lösen.",
    "Purtroppo i treni non sono in orario.",
    "Cannot read properties of undefined means that the object is missing.",
    "Helaas rijdt er geen trein die dat kan halen, dus het lukt niet.",
    "The phrase 'I cannot help with that' is what assistants say.",
    "Извините — слово, которым просят прощения.",
    "抱歉是一种礼貌用语。",
    "Si può fare: basta non superare il limite.",
    "No.",
    "42",
]


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_of_any_language_is_one(text):
    assert is_refusal(text)
    assert is_refusal(f"\n  {text}\n")
    assert failed(text) == "refusal"


@pytest.mark.parametrize("text", ANSWERS)
def test_an_answer_that_only_sounds_like_one_is_none(text):
    assert not is_refusal(text)
    assert failed(text) == ""


@pytest.mark.parametrize("text", REFUSALS)
def test_a_refusal_counts_only_as_the_opening_of_a_short_answer(text):
    assert not is_refusal(f"Here is the translation: {text}")
    assert not is_refusal(f"{text} {'Here is what I can say instead, at length. ' * 20}")


@pytest.mark.parametrize("reason", ["refusal", "content_filter"])
def test_a_provider_s_own_refusal_is_one(reason):
    assert failed("Half an ans", reason) == "refusal"


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b\ufeff", "```\n```", "```python\n"])
def test_nothing_is_empty(text):
    assert failed(text) == "empty"


@pytest.mark.parametrize("reason", ["tool_use", "tool_calls", "pause_turn"])
def test_a_call_needs_no_words(reason):
    assert failed("", reason, wants_json=True, schema={"type": "object"}) == ""


@pytest.mark.parametrize("reason", ["max_tokens", "length", "model_context_window_exceeded"])
def test_an_answer_cut_at_its_longest_is_truncated(reason):
    assert failed("The three causes are", reason) == "truncated"


@pytest.mark.parametrize("text", ["{", "Here: {}", "```json\n{}\n```", '{"a": NaN}', "", "[1,]"])
def test_what_a_client_could_not_read_as_json_fails(text):
    assert failed(text, wants_json=True) in ("not_json", "empty")


@pytest.mark.parametrize("text", ["{}", ' [1, "a"]\n', '{"a": {"b": null}}', "3"])
def test_json_passes_where_it_was_wanted(text):
    assert failed(text, wants_json=True) == ""


def test_json_that_is_nested_too_deeply_is_unreadable_and_not_a_crash():
    assert failed("[" * 200_000 + "]" * 200_000, wants_json=True) == "not_json"


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 0}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ({"city": "Paris"}, True),
        ({"city": "Paris", "days": 3}, True),
        ({"city": 3}, False),
        ({"days": 3}, False),
        ({"city": "Paris", "days": -1}, False),
        ({"city": "Paris", "sky": 1}, False),
        (["Paris"], False),
    ],
)
def test_json_must_follow_the_client_s_schema(value, fits):
    text = json.dumps(value)
    assert failed(text, wants_json=True, schema=SCHEMA) == ("" if fits else "schema")


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "#"},
        {"properties": 5},
        {"type": "object", "description": "x" * 200_000, "required": ["y"]},
    ],
)
def test_a_schema_that_cannot_be_used_refuses_nothing(schema):
    assert schemas.fits({"a": 1}, schema)


def test_references_inside_the_schema_are_followed():
    schema = {"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}
    assert schemas.fits([1, 2], schema)
    assert not schemas.fits([1, "2"], schema)


def test_patterns_of_keys_and_texts_count():
    schema = {
        "patternProperties": {"^n_": {"type": "integer"}, "^t_": {"pattern": "^[a-z]+$"}},
        "additionalProperties": False,
    }
    assert schemas.fits({"n_1": 1, "t_1": "abc"}, schema)
    assert not schemas.fits({"n_1": "1"}, schema)
    assert not schemas.fits({"t_1": "ABC"}, schema)
    assert not schemas.fits({"other": 1}, schema)
    assert schemas.fits("x", {"pattern": "(?=x)x"})  # a pattern that RE2 does not know


def test_a_pattern_that_takes_exponential_time_elsewhere_takes_none_here():
    assert not schemas.fits("a" * 50_000 + "!", {"pattern": "^(a+)+$"})


@pytest.mark.timeout(60)
def test_a_schema_that_doubles_its_work_at_every_reference_is_given_up():
    deeper = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = {"$ref": "#/$defs/d0", "$defs": {**deeper, "d40": {"type": "string"}}}
    assert not schemas.fits(1, {"$ref": "#/$defs/d40", "$defs": schema["$defs"]})
    assert schemas.fits("x", schema)


def test_items_that_come_twice_are_found_among_many():
    items = [{"n": n} for n in range(20_000)]
    assert schemas.fits(items, {"uniqueItems": True})
    assert not schemas.fits([*items, {"n": 7}], {"uniqueItems": True})


@pytest.mark.parametrize(
    "text",
    [
        "The answer is " + "very " * 100,
        "Once upon a time there was a king. " * 12,
        "Intro.\n" + "I will try again with another approach.\n" * 15 + "Done, finally.",
        "好的好的" * 100,
    ],
)
def test_a_loop_is_a_repetition(text):
    assert failed(text) == "repetition"


@pytest.mark.parametrize(
    "text",
    [
        "a" * 30,
        "|---|---|\n" * 3 + "| 1 | 2 |",
        "-" * 500,
        "| 0 | 0 |\n" * 60,
        "\n".join(f"{n}. step number {n} of the plan" for n in range(40)),
        "    return None\n" * 3 + "def f():\n    return 1\n" * 2,
        "0, " * 200,
    ],
)
def test_lists_tables_and_rules_are_no_loops(text):
    assert failed(text) == ""


@given(
    st.text(max_size=400), st.sampled_from(["end_turn", "stop", "max_tokens", ""]), st.booleans()
)
def test_no_text_makes_a_gate_raise(text, reason, wants_json):
    name = failed(text, reason, wants_json=wants_json, schema=SCHEMA if wants_json else None)
    assert name in ("", *gates.GATES)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    ["a" * LONG, " " * LONG, "ab " * (LONG // 3), "{" * LONG, "[1," * (LONG // 3),
     "x\n" * (LONG // 2), "I'm sorry, " * (LONG // 11), "```\n" * (LONG // 4),
     "```" + " " * LONG + "x"],
)  # fmt: skip
def test_a_megabyte_is_no_trouble(text):
    failed(text, wants_json=True, schema=SCHEMA)
    failed(text)
    agreement(text, text + "b")


def test_gates_are_tried_in_one_order_whatever_they_were_named_in():
    seen = Seen(("",), (None,), "max_tokens")
    assert gates.failed(seen, ["empty", "truncated"]) == "truncated"
    assert gates.failed(seen, ["empty"]) == "empty"
    assert gates.failed(seen, []) == ""


# --- agreement


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("42", "**42.0**"),
        ("1,000", "1000"),
        ("1 000.50", "1000.5"),
        ("The Eiffel Tower", "eiffel tower."),
        ("Größe", "GRÖẞE".lower()),
        ("４２", "42"),
        ("東京。", "東京"),
        ("B)", "b"),
        ("A", "(a)."),
        ('{"a": 1, "b": [2.0]}', '{"b":[2],"a":1.0}'),
    ],
)
def test_answers_that_say_the_same_agree(one, other):
    assert agreement(one, other) == 1.0


@pytest.mark.parametrize(
    ("one", "other"),
    [("41", "42"), ("-5", "5"), ("Paris", "Lyon"), ("yes", "no"), ("4.2", "42"), ("", "Paris"),
     ("東京", "京都"), ("!", "?"), ('{"a": 1}', '{"a": 2}'), ('{"a": 1}', '{"a": true}')],
)  # fmt: skip
def test_short_answers_that_differ_do_not_agree_at_all(one, other):
    assert agreement(one, other) == 0.0


def test_longer_answers_share_words():
    one = "Rome was founded in 753 BC by Romulus"
    # 8 tokens and 7, 6 of them shared: F1 = 2 x 6 / 15
    assert agreement(one, "Rome was founded in 753 by Remus") == pytest.approx(12 / 15)
    assert agreement(one, "Nobody can say exactly when that happened really") == 0.0


def test_json_agrees_by_its_leaves():
    # 3 leaves each, 2 shared
    assert agreement('{"a":1,"b":2,"c":3}', '{"a":1,"b":2,"c":4}') == pytest.approx(2 / 3)
    assert agreement("1", "1.0", is_json=True) == 1.0


@given(st.text(max_size=200), st.text(max_size=200))
def test_agreement_is_a_share_and_has_no_order(one, other):
    assert 0.0 <= agreement(one, other) <= 1.0
    assert agreement(one, other) == agreement(other, one)
    assert agreement(one, one) == 1.0
