"""Both answers get one plain style; what they say and their code stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews import style

_PIECES = st.sampled_from(
    ["# ", "## a", "**", "*", "- ", "• ", "+ ", "\n", "\n\n", "```", "```\n", "Sure! ", "a", " ",
     "b.", "Let me know if you need more.", "😀", "❤️", "1. ", "__", "Great question! ", "`", "#",
     "~~~\n", "Hope this helps!", "\t", "Certainly. ", ":", "\u2028"]
)  # fmt: skip
_ANSWERS = st.lists(_PIECES, max_size=30).map("".join)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("# Title\nText", "**Title**\nText"),
        ("### A **b** c ###\n", "**A b c**\n"),
        ("* a\n+ b\n• c\n  * d", "- a\n- b\n- c\n  - d"),
        ("a **b** c **d**", "a b c d"),
        ("**Alone**\ntext", "**Alone**\ntext"),
        ("Done ✅ well 🎉!", "Done well !"),
        ("Sure! Here it is.", "Here it is."),
        ("Great question!\n\nIt is 4.", "It is 4."),
        ("It is 4.\n\nLet me know if you need more!", "It is 4.\n"),
        ("It is 4. I hope this helps!", "It is 4."),
        ("It is 4.\nFeel free to ask.", "It is 4."),
    ],
)
def test_habits_of_style_go(text, plain):
    assert style.normalise(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "2**3 and 4**5",
        "Call __init__ first.",
        "```\n# not a title\n* **x** 😀\nSure! Let me know if\n```",
        "~~~\n# open to the end\n**x** y",
        "a * b",
        "#hashtag",
        "Surely this stays.",
        "Let me know if it rains, she said. He did.",
        "Sure!",
    ],
)
def test_what_is_said_stays(text):
    assert style.normalise(text) == text


@given(_ANSWERS | st.text(max_size=200))
def test_a_plain_text_comes_back_as_it_is(text):
    once = style.normalise(text)
    assert style.normalise(once) == once


@given(_ANSWERS, st.text(alphabet="ab#*😀 \n", max_size=60))
def test_a_block_of_code_is_not_touched(prose, code):
    block = f"```\n{code}\n```\n"
    assert block in style.normalise(f"{block}\na {prose}")
