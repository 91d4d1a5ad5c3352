"""What tells who wrote an answer is found; what is content stays."""

import gzip
import json
from pathlib import Path

import pytest

from reviews import leaks
from reviews.leaks import Kind

WORDS = [
    ("anthropic/claude-haiku-5-5-20251001", ("claude", "haiku", "5", "5")),
    ("gpt-4o-mini-2024-07-18", ("gpt", "4o", "mini")),
    ("20251001", ()),
]
NAMES = ("claude-3-haiku-20240307", "openai/gpt-4o-mini", "acme-zephyrus-7b")

TELLING = [
    ("I'm Claude, an assistant.", "I'm [model], an assistant."),
    ("I am ChatGPT.", "I am [model]."),
    ("My name is Gemini and I help.", "My name is [model] and I help."),
    ("my name's Claude.", "my name's [model]."),
    ("Hello! I’m Claude.", "Hello! I’m [model]."),
    ("I am an AI assistant called Claude.", "I am an AI assistant called [model]."),
    ("I'm an AI language model called Mistral.", "I'm an AI language model called [model]."),
    ("As Claude, I cannot do that.", "As [model], I cannot do that."),
    ("As an AI made by Anthropic, I try.", "As an AI made by [model], I try."),
    ("As an AI model developed by OpenAI, I try.", "As an AI model developed by [model], I try."),
    ("I was created by Anthropic to help.", "I was created by [model] to help."),
    ("I've been trained by Google.", "I've been trained by [model]."),
    (
        "I'm a large language model trained by Google DeepMind.",
        "I'm a large language model trained by [model].",
    ),
    ("As a language model built by Meta AI, no.", "As a language model built by [model], no."),
    (
        "I am an assistant developed by the team at Mistral AI.",
        "I am an assistant developed by the team at [model].",
    ),
    ("My creator is OpenAI.", "My creator is [model]."),
    ("My developers at Anthropic decided.", "My developers at [model] decided."),
    ("Here you are.\n\n— Claude", "Here you are.\n\n— [model]"),
    ("Here you are.\n-- ChatGPT", "Here you are.\n-- [model]"),
    ("Best regards,\nClaude", "Best regards,\n[model]"),
    ("Sincerely, Gemini", "Sincerely, [model]"),
    ("This was written by GPT-4.", "This was written by [model]."),
    ("GPT-3.5-turbo has limits.", "[model] has limits."),
    ("GPT-4o is fast.", "[model] is fast."),
    ("Ask ChatGPT about it.", "Ask [model] about it."),
    ("Claude 3 Opus said so.", "[model] said so."),
    ("Anthropic's Claude 2 said so.", "[model] said so."),
    ("Claude 3.5 Sonnet is a model.", "[model] is a model."),
    ("Claude Instant was quicker.", "[model] was quicker."),
    ("Gemini 1.5 Pro reads images.", "[model] reads images."),
    ("Gemini Ultra reads images.", "[model] reads images."),
    ("Llama 2 is open.", "[model] is open."),
    ("LLaMA-3.1 is open.", "[model] is open."),
    ("Mixtral 8x7B is sparse.", "[model] is sparse."),
    ("Mistral Large is dense.", "[model] is dense."),
    ("Qwen2.5 is multilingual.", "[model] is multilingual."),
    ("DeepSeek-R1 reasons.", "[model] reasons."),
    ("DeepSeek V3 does not.", "[model] does not."),
    ("OpenAI o1 thinks first.", "[model] thinks first."),
    ("o1-mini thinks first.", "[model] thinks first."),
    ("Google Bard was its name.", "[model] was its name."),
    ("text-davinci-003 was earlier.", "[model] was earlier."),
    ("Model: claude-3-haiku-20240307", "Model: [model]"),
    ("Model: Claude 3 Haiku", "Model: [model]"),
    ("gpt-4o-mini wrote this.", "[model] wrote this."),
    ("Written by ACME Zephyrus 7B.", "Written by [model]."),
    ("I'm Claude Sonnet 4.5, made by Anthropic.", "I'm [model], made by [model]."),
    ("I am a large language model from Google AI.", "I am a large language model from [model]."),
    (
        "OpenAI, the company that created me, says so.",
        "[model], the company that created me, says so.",
    ),
    ("Anthropic trained me to be honest.", "[model] trained me to be honest."),
    ("Hello, it's me, Gemini!", "Hello, it's me, [model]!"),
    ("Here you are.\n— Claude (Anthropic)", "Here you are.\n— [model]"),
    ("I'm Zephyrus, your helper.", "I'm [model], your helper."),
    ("I am zephyrus.", "I am [model]."),
]

CONTENT = [
    "Claude Monet painted water lilies.",
    "I am Claude Monet, said the painter.",
    "Claude Debussy wrote La mer.",
    "“I'm Claude,” said the gardener.",
    "Opus 27 is the Moonlight Sonata.",
    "His magnum opus took years.",
    "A sonnet has fourteen lines; a haiku has three.",
    "Gemini is the third sign of the zodiac.",
    "I'm a Gemini, born in June.",
    "As Gemini season begins, travel more.",
    "Gemini 8 docked in orbit in 1966.",
    "The llama 2 years old ate hay.",
    "A llama is a camelid from Peru.",
    "A Llama 3 years old ate hay.",
    "The mistral is a cold wind.",
    "The GPT partition table replaced MBR.",
    "Falcon 9 landed again.",
    "The bard sang of old wars.",
    "Shakespeare is called the Bard of Avon.",
    "Google was founded in 1998.",
    "Meta analysis of nine trials.",
    "The car was built by Google.",
    "Microsoft made Windows.",
    "The golden ratio is phi, 1.618.",
    "Pi is about 3.14.",
    "A nova is a stellar explosion.",
    "Press Command-R to reload.",
    "The pythia spoke at Delphi.",
    "An alpaca is smaller than a llama.",
    "A falcon and a koala met.",
    "Grok comes from a novel by Heinlein.",
    "Copilot and pilot share the cockpit.",
    "I am Claude's brother.",
    "I was trained by Google engineers in 2015.",
    "St. Claude 2 km",
    "My name is Claude Dupont.",
    "The zephyrus blew from the west.",
    "A mini version would cost 4 dollars.",
    "Call claude() to start the engine.",
    "See https://example.org/claude-guide for more.",
    "As an AI, I do not feel.",
    "I am a language model.",
    "It was the best of times.",
    "Sincerely yours, Maria",
]


@pytest.mark.parametrize(("text", "masked"), TELLING)
def test_what_tells_is_masked(text, masked):
    assert leaks.mask(text, leaks.find(text, NAMES)) == masked


@pytest.mark.parametrize("text", CONTENT)
def test_what_can_be_content_stays(text):
    assert leaks.mask(text, leaks.find(text, NAMES)) == text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Claude Monet painted.", Kind.NAME),
        ("The zephyrus blew.", Kind.NAME),
        ("OpenAI is a company.", Kind.NAME),
        ("As an AI language model, no.", Kind.PHRASE),
        ("<thinking>hm</thinking> Yes.", Kind.MARKUP),
        ("Yes.<|im_end|>", Kind.MARKUP),
        ("[INST] hi", Kind.MARKUP),
        ('<tool_call name="x">', Kind.MARKUP),
        ("Yes.\nHuman: and now?", Kind.MARKUP),
    ],
)
def test_what_may_tell_is_flagged_and_stays(text, kind):
    found = leaks.find(text, NAMES)
    assert kind in {leak.kind for leak in found}
    assert leaks.mask(text, found) == text


def test_a_name_of_the_query_is_content():
    text = "Claude 3 Opus is slower than GPT-4."
    found = leaks.find(text, NAMES, query="How fast is Claude?")
    assert [leak.content for leak in found] == [True, False]
    assert leaks.mask(text, found) == "Claude 3 Opus is slower than [model]."


@pytest.mark.parametrize(
    "text", ['```python\nmodel="gpt-4o-mini"\n```', "Set `GPT-4` there.", "~~~\nGPT-4\n"]
)
def test_a_name_in_code_is_flagged_only(text):
    found = leaks.find(text, NAMES)
    assert found
    assert all(leak.content for leak in found)
    assert leaks.mask(text, found) == text


def test_code_that_ends_hides_nothing_behind_it():
    text = "```\nx\n```\nI'm Claude."
    assert leaks.mask(text, leaks.find(text, ())) == "```\nx\n```\nI'm [model]."


def test_an_id_of_one_plain_word_is_flagged_only():
    (leak,) = leaks.find("The echo of the hall.", ["echo"])
    assert not leak.masked


def test_an_unknown_id_is_found_by_the_callers_names_only():
    text = "Written by acme zephyrus 7b."
    assert not leaks.find(text, ())
    assert leaks.find(text, NAMES)[0].kind is Kind.OWN_ID


def test_leaks_come_in_order_and_apart():
    found = leaks.find("I'm Claude 3 Haiku by Anthropic. As an AI made by OpenAI, GPT-4o.", NAMES)
    assert len(found) > 3
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))


def test_masking_again_finds_nothing_more():
    text = " ".join(text for text, _ in TELLING)
    once = leaks.mask(text, leaks.find(text, NAMES))
    assert leaks.mask(once, leaks.find(once, NAMES)) == once


def test_recorded_answers_are_hardly_touched():
    folder = Path(__file__).parents[3] / "shared" / "data"
    files = sorted(folder.glob("routellm_*.jsonl.gz"))
    if not files:
        pytest.skip("no recorded answers here")
    rows = [row for file in files for row in _rows(file)]
    touched = sum(
        any(leak.masked for leak in leaks.find(row[side], _ids(row), row["query"]))
        for row in rows
        for side in ("cheap_response", "expensive_response")
        if row[side]
    )
    assert touched <= len(rows) // 100


def _rows(file):
    with gzip.open(file, "rt") as lines:
        return [row for row in map(json.loads, lines) if row.get("query")]


def _ids(row):
    return (row["cheap_model"], row["expensive_model"])


@pytest.mark.parametrize(("model", "words"), WORDS)
def test_an_id_has_words_without_vendor_and_date(model, words):
    assert leaks.words(model) == words


@pytest.mark.parametrize("behind", ["", "-20240718", "-2024-07-18"])
def test_an_own_id_is_masked_with_its_date(behind):
    text = f"This is acme-zephyrus-7b{behind} speaking."
    found = leaks.find(text, ["acme-zephyrus-7b-2024-07-18"])
    assert leaks.mask(text, found) == "This is [model] speaking."
