"""What hides or reorders is shown; what joins letters and pictures stays."""

import pytest

from reviews import invisible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", ">U+202E<"),
        ("a\u2066b", ">U+2066<"),
        ("a\u200bb", ">U+200B<"),
        ("a\u200cb", ">U+200C<"),
        ("a\u200db", ">U+200D<"),
        ("a\u200fb", ">U+200F<"),
        ("a\u00adb", ">U+00AD<"),
        ("\ufeffa", ">U+FEFF<"),
        ("\x00", ">U+0000<"),
        ("\x1b[2J", ">U+001B<"),
        ("a\ufe00\ufe01", ">U+FE00<"),
        ("\U000e0041\U000e0042", ">U+E0041<"),
        ("a\U000e0101", ">U+E0101<"),
        ("\u200b" * 40, ">U+200B×20<"),
        ("\u200b" * 40, ">+20<"),
    ],
)
def test_a_hidden_character_becomes_a_mark(text, shown):
    html = invisible.show(text)
    assert shown in html
    assert not set(text) & set(html) - set("ab[2J")


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",
        "क्\u200dष",
        "👩\u200d👩\u200d👧",
        "👩🏽\u200d🚀",
        "❤\ufe0f",
        "❤\ufe0f\u200d🔥",
        "1\ufe0f\u20e3",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "שלום\u200f!",
        "naïve café, Ωμέγα, 日本語\t\n",
    ],
)
def test_a_character_in_its_place_stays(text):
    assert invisible.show(text) == text


def test_thousands_of_runs_become_replacement_characters():
    assert invisible.show("a\u202e" * 6_000) == "a\ufffd" * 6_000


def test_surrogates_are_joined_or_replaced():
    assert invisible.valid("\ud83d\ude00 \ud800 \x00") == "😀 \ufffd \x00"
