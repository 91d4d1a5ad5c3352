"""The confidence line is found in any spelling; an answer never keeps it and loses nothing else."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.wire.confidence import split

#: Value as written, and as read.
VALUES = {
    "85": 0.85,
    "85%": 0.85,
    "85 %": 0.85,
    "85％": 0.85,
    "８５％": 0.85,
    "85\u202f%": 0.85,
    "0.85": 0.85,
    "0,85": 0.85,
    ".85": 0.85,
    ",85": 0.85,
    "85.5": 0.855,
    "85,5 %": 0.855,
    "85.5%": 0.855,
    "85/100": 0.85,
    "85 / 100": 0.85,
    "８５／１００": 0.85,
    "9/10": 0.9,
    "4 out of 5": 0.8,
    "85 out of 100": 0.85,
    "~85%": 0.85,
    "≈ 85": 0.85,
    "about 85%": 0.85,
    "approximately 85": 0.85,
    ">95%": 0.95,
    "80-90%": 0.8,
    "80%–90%": 0.8,
    "80 to 90": 0.8,
    "85 percent": 0.85,
    "85 Prozent": 0.85,
    "85 pour cent": 0.85,
    "85 por ciento": 0.85,
    "[85]": 0.85,
    "<85>": 0.85,
    "**85**": 0.85,
    "`85`": 0.85,
    "$85\\%$": 0.85,
    "٨٥٪": 0.85,
    "100": 1.0,
    "100%": 1.0,
    "0": 0.0,
    "0%": 0.0,
    "1": 0.01,
    "1.0": 1.0,
    "1,0": 1.0,
    "0.5%": 0.005,
    "high": 0.85,
    "Very High": 0.95,
    "medium": 0.5,
    "low": 0.2,
    "very low": 0.05,
    "High (80%)": 0.8,
    "high, 80%": 0.8,
    "150": None,
    "101%": None,
    "-5": None,
    "7/5": None,
    "N/A": None,
    "unknown": None,
}
WORDS = [
    "CONFIDENCE", "Confidence", "confidence", "ＣＯＮＦＩＤＥＮＣＥ", "Confidence level",
    "Confidence score", "My confidence", "Overall confidence", "Confidence (0-100)",
    "Confidence in my answer", "Confianza", "Nivel de confianza", "Konfidenz", "Vertrauen",
    "Confiance", "Niveau de confiance", "Fiducia", "Livello di fiducia", "Confiança",
    "Vertrouwen", "Säkerhet", "Pewność", "Уверенность", "Уровень уверенности", "Впевненість",
    "Güven", "置信度", "信心", "信頼度", "確信度", "신뢰도", "확신도", "الثقة", "Độ tin cậy",
]  # fmt: skip
SEPARATORS = [": ", ":", " : ", " = ", "：", " - ", " — ", " -> ", " is ", ":\u00a0"]
DRESSES = [
    "{}", "**{}**", "*{}*", "__{}__", "`{}`", "({})", "[{}]", "> {}", "- {}", "* {}", "# {}",
    "### {}", "{}.", "  {}  ", "\t{}", "“{}”", "\u200b{}", "🔒 {}", "| {} |", "\ufeff{}", "<{}>",
    "1. {}",
]  # fmt: skip
WHOLE = {
    '{"confidence": 0.9}': 0.9,
    '{"CONFIDENCE": 85}': 0.85,
    "{'confidence': .9}": 0.9,
    '{\n  "confidence": 0.9\n}': 0.9,
    "**Confidence:** 85%": 0.85,
    "**CONFIDENCE**: 85": 0.85,
    "__Confidence:__ 0.85": 0.85,
    "| Confidence | 85% |": 0.85,
    "<confidence>85</confidence>": 0.85,
    "<confidence>\n85\n</confidence>": 0.85,
    "$\\boxed{CONFIDENCE: 85}$": 0.85,
    "\\text{CONFIDENCE: } 85\\%": 0.85,
    "CONFIDENCE: $\\boxed{85}$": 0.85,
    "**CONFIDENCE:** \\(\\mathbf{85}\\)": 0.85,
    "I am 85% confident in this answer.": 0.85,
    "I'm about 85% sure": 0.85,
    "85% confidence": 0.85,
    "My confidence is 85%.": 0.85,
    "CONFIDENCE 85": 0.85,
    "Confidence 85%": 0.85,
    "CONFIDENCE:": None,
    "CONFIDENCE: ninety": None,
    "## Confidence\n85%": 0.85,
    "**Confidence:**\n\n0.85": 0.85,
    "CONFIDENCE: 85 (the date is well known)": 0.85,
    "CONFIDENCE: 85 - the date is well known": 0.85,
    "CONFIDENCE: 85, since the date is well known": 0.85,
    "CONFIDENCE: 85% because the date is well known.": 0.85,
    "CONFIDENCE: 85. I am fairly sure of the date.": 0.85,
    "Confidence: 85% — based on two sources": 0.85,
    "Confidence: high (two sources agree)": 0.85,
}
FENCES = [
    "{}",
    "```\n{}\n```",
    "```text\n{}\n```",
    "~~~\n{}\n~~~",
    "```\n\n{}\n\n```",
    "````\n{}\n````",
]
ANSWERS = [
    "Paris",
    "Paris.",
    "The capital is Paris.\n\nIt has two million inhabitants.",
    "```python\nprint('hi')\n```",
    "Look:\n```yaml\nconfidence: 0.9\nlimit: 3\n```",
    "# Title\n\n- one\n- two",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "a trailing space \t",
    "  indented",
    "Zeile eins\r\nZeile zwei",
    "The 95% confidence interval is [1, 2].",
    "Label: spam\nConfidence: 0.9 was asked for",
    "Done.\n\n---",
    '{"answer": 4}',
    "答えは東京です。",
    "<b>42</b>",
    "42",
    "He said:\n> confidence: it comes with practice",
]
BREAKS = ["\n", "\n\n", "\r\n", "\r\n\r\n", "\n \n", "\n\n\n"]
ENDS = ["", "\n", "\n\n", "  \n", "\r\n"]


def lines():
    return st.builds(
        lambda word, separator, value, dress: (dress.format(word + separator + value), value),
        st.sampled_from(WORDS),
        st.sampled_from(SEPARATORS),
        st.sampled_from(sorted(VALUES)),
        st.sampled_from(DRESSES),
    ).map(lambda made: (made[0], VALUES[made[1]]))


def answers():
    """Texts of any kind that have no line of the sort, no open fence, no blank line at their ends.

    Blank lines between answer and line are the line's.
    """
    free = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)
    return st.sampled_from(ANSWERS) | free.filter(is_plain)


def is_plain(text):
    first, *_, last = [*re.split(r"\r\n|\n|\r", text), ""][:-1] * 2
    has_ends = bool(first.strip() and last.strip())
    return has_ends and not re.search(r"```|~~~", text) and split(text) == (text, None)


@settings(max_examples=800)
@given(answers(), lines(), st.sampled_from(BREAKS), st.sampled_from(ENDS))
def test_a_last_line_of_any_spelling_goes_and_nothing_else(answer, line, gap, end):
    said, value = line
    assert split(answer + gap + said + end) == (answer, pytest.approx(value))


@settings(max_examples=300)
@given(answers(), st.sampled_from(sorted(VALUES)), st.sampled_from(FENCES), st.sampled_from(BREAKS))
def test_a_fence_around_the_line_alone_goes_with_it(answer, value, fence, gap):
    said = fence.format(f"CONFIDENCE: {value}").replace("\n", gap[: 1 + (gap[:2] == "\r\n")])
    assert split(answer + gap + said) == (answer, pytest.approx(VALUES[value]))


@settings(max_examples=300)
@given(answers(), lines(), st.sampled_from(["\n\n", "\r\n\r\n", "\n\n\n"]))
def test_a_first_paragraph_of_any_spelling_goes_and_nothing_else(answer, line, gap):
    said, value = line
    assert split(said + gap + answer) == (answer, pytest.approx(value))


def misread(texts):
    """Return of many texts those that are not split as is told, each with what came of it."""
    found = {text: (split(text), told) for text, told in texts}
    return {text: got for text, (got, told) in found.items() if got != told}


def test_other_forms_of_the_last_line():
    texts = (
        (f"{a}\n\n{said}", (a, pytest.approx(value)))
        for a in ANSWERS
        for said, value in WHOLE.items()
    )
    assert misread(texts) == {}


def test_every_word_with_every_separator():
    values = ["85", "0,85", "85%"]
    said = (word + separator + v for word in WORDS for separator in SEPARATORS for v in values)
    assert misread((f"Paris\n{line}", ("Paris", 0.85)) for line in said) == {}


def test_every_value():
    words = ["CONFIDENCE: ", "Confidence = ", "**Confidence:** "]
    texts = (
        (f"Paris\n\n{w}{v}", ("Paris", pytest.approx(r))) for w in words for v, r in VALUES.items()
    )
    assert misread(texts) == {}


def test_every_dress():
    line = "CONFIDENCE: 85"
    texts = ((f"{a}\n{dress.format(line)}", (a, 0.85)) for a in ANSWERS for dress in DRESSES)
    assert misread(texts) == {}


@given(st.text(max_size=300))
def test_any_text_comes_through_and_keeps_no_line_that_counts(text):
    left, value = split(text)
    assert value is None or 0.0 <= value <= 1.0
    assert len(left) <= len(text)
    assert set(left) <= set(text)


# --- what is left alone

PROSE = [
    "The 95% confidence interval is [1, 2].",
    "confidence: interval estimation is a way to say how far off a number may be",
    "Confidence: interval estimation is a way to say how far off a number may be",
    "Confidence comes from practice.",
    "Confidence: 95% CI [1.2, 3.4]",
    "Confidence level: 95% interval 3 to 5",
    "Confidence intervals: 3",
    "Confidence: 2 ways to build it",
    "Confidence: High-performing teams have it",
    "With confidence: 85",
    "We may say with confidence: 85",
    "The mean lies between 3 and 5 (confidence: 95%).",
    "Self-confidence is 1 of 3 traits.",
    "The result holds at a confidence of 95%",
    "Sicherheit geht vor.",
    "Vertrauen ist gut, Kontrolle ist besser.",
    "信心是成功的一半。",
    '{"answer": 4, "confidence": 0.9}',
    '{"confidence": 0.9, "answer": 4}',
    '{\n  "answer": 4,\n  "confidence": 0.9\n}',
    "```yaml\nlimit: 3\nconfidence: 0.9\n```",
    "```python\nCONFIDENCE = 0.95\nprint(CONFIDENCE)\n```",
    "- size: 3\n- Confidence: 95%\n- power: 80%",
    "Confidence: 95%\nMargin: 3%\nThat is all there is.",
    "| Metric | Value |\n|---|---|\n| Accuracy | 90% |\n| Confidence | 95% |",
    "Metric | Value\n---|---\nConfidence | 95%",
    "| Merkmal | Wert |\n|---|---|\n| Sicherheit | hoch |",
    "Volvo V60:\n- Leistung: 9/10\n- Sicherheit: 8/10",
    "1. Comfort: high\n2. Security: low\n3. Vertrauen: low",
    "Accuracy: 90%\nConfidence: 95%",
    "**Support:** 0.2\n**Confidence:** 0.95",
    "Set this:\n```yaml\nconfidence: 0.9\n```",
    "Set this:\n```python\nCONFIDENCE = 0.9\n```",
]


@pytest.mark.parametrize("text", PROSE)
def test_prose_and_data_that_mention_confidence_stay(text):
    assert split(text) == (text, None)


@pytest.mark.parametrize("text", PROSE)
def test_they_stay_above_the_line_too(text):
    assert split(f"{text}\n\nCONFIDENCE: 70") == (text, 0.7)


def test_a_mention_in_the_middle_of_a_long_answer_is_prose():
    text = "Intro.\n\nConfidence: 90%\n\n" + "\n".join(f"line {n}" for n in range(9))
    assert split(text) == (text, None)
    assert split(f"{text}\n\nCONFIDENCE: 60") == (text, 0.6)


def test_the_last_line_that_counts_is_the_one():
    assert split("Label: spam\nConfidence: 0.9\nCONFIDENCE: 60") == (
        "Label: spam\nConfidence: 0.9",
        0.6,
    )


@pytest.mark.parametrize(
    "answer", ["| a | b |\n|---|---|\n| c | 1 |", "- a: 1\n- b: 2", "Accuracy: 90%"]
)
@pytest.mark.parametrize("said", ["| CONFIDENCE | 85 |", "- CONFIDENCE: 85", "CONFIDENCE: 85%"])
def test_in_the_agreed_capitals_it_is_no_row_or_item_of_the_answer(answer, said):
    assert split(f"{answer}\n{said}") == (answer, 0.85)


def test_a_model_that_says_it_first_and_last_keeps_neither():
    assert split("CONFIDENCE: 80\n\nParis\n\nCONFIDENCE: 70") == ("Paris", 0.7)


@pytest.mark.parametrize(
    "twice",
    ["CONFIDENCE: 85\n\nCONFIDENCE: 70", "CONFIDENCE: 80\nCONFIDENCE: 70",
     "**CONFIDENCE: 90%**\n\nCONFIDENCE: 80\n\nConfidence: 70%"],
)  # fmt: skip
def test_a_model_that_says_it_twice_at_the_end_keeps_neither(twice):
    assert split(f"Paris.\n\n{twice}") == ("Paris.", 0.7)


def test_code_above_the_line_keeps_its_own():
    code = "```python\nx = 1\n# CONFIDENCE: 85\n```"
    assert split(f"{code}\n\nCONFIDENCE: 70") == (code, 0.7)


# --- where it stands


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Paris.\n\nCONFIDENCE: 85\n\nLet me know if you need more!",
         "Paris.\n\nLet me know if you need more!"),
        ("Paris.\n\nConfidence: 85%\n\nLet me know!", "Paris.\n\nLet me know!"),
        ("Paris.\nCONFIDENCE: 85 (sure)\nBye.", "Paris.\nBye."),
        ("```python\nx = 1\nCONFIDENCE: 85\n```", "```python\nx = 1\n```"),
        ("```python\nx = 1\n# CONFIDENCE: 85\n```", "```python\nx = 1\n```"),
        ("```\na\n```\nCONFIDENCE: 85\n```\nb\n```", "```\na\n```\n```\nb\n```"),
        ("<answer>\nParis\nCONFIDENCE: 85\n</answer>", "<answer>\nParis\n</answer>"),
        ("Paris. CONFIDENCE: 85", "Paris."),
        ("Paris. CONFIDENCE: 85.", "Paris."),
        ("Paris CONFIDENCE: 85", "Paris"),
        ("Paris. (CONFIDENCE: 85).", "Paris."),
        ("Paris **CONFIDENCE: 85**", "Paris"),
        ("**Paris CONFIDENCE: 85**", "**Paris**"),
        ("Paris. Confidence: 85%", "Paris."),
        ("東京です。CONFIDENCE: 85", "東京です。"),
        ("CONFIDENCE: 85 The answer is Paris.", "The answer is Paris."),
        ("**CONFIDENCE: 85** The answer is Paris.", "The answer is Paris."),
        ("CONFIDENCE: 85. \"Paris\" is the answer.", '"Paris" is the answer.'),
        ("First thoughts.\nCONFIDENCE: 85. The answer is Paris.",
         "First thoughts.\nThe answer is Paris."),
        ("CONFIDENCE: 85 (fairly sure)\nParis", "Paris"),
        ("CONFIDENCE: 85 - Paris\nis the answer", "Paris\nis the answer"),
        ("```\nCONFIDENCE: 85\n```\n\nParis", "Paris"),
        ("\n\n  CONFIDENCE: 85\nParis\n", "Paris\n"),
        ("CONFIDENCE: 85", ""),
        ("\n CONFIDENCE: 85 \n", ""),
    ],
)  # fmt: skip
def test_where_the_line_may_stand(text, expected):
    assert split(text) == (expected, 0.85)


def test_spaces_at_the_end_of_the_answer_stay_and_blank_lines_before_the_line_go():
    assert split("a  \n\n \n\nCONFIDENCE: 85\n\n").text == "a  "


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    ["*" * 590, "> " * 290, "([" * 290, "a" * 10**6, "\n" * 10**6, " " * 10**6 + "x",
     "CONFIDENCE: 85\n" * 60_000,
     "```\n" * 250_000, "confidence: " * 80_000, ("*" * 590 + "\n") * 1000,
     "CONFIDENCE" + "*" * 580, "CONFIDENCE " + "my the our " * 50, "CONFIDENCE: " + "1 - " * 140,
     "x\nCONFIDENCE: " + "(" * 500, "confidence" + " level" * 90],
)  # fmt: skip
def test_no_text_takes_long(text):
    split(text)
    split(f"{text}\nCONFIDENCE: 85")
