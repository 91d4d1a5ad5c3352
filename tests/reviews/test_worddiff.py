"""Two texts are compared as closely as bounded work allows; their text is always escaped."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews import worddiff
from reviews.worddiff import Level


def test_words_that_differ_are_marked_on_their_side():
    both = worddiff.compare("the red fox", "the brown fox")
    assert both.left_html == "the <del>red </del>fox"
    assert both.right_html == "the <ins>brown </ins>fox"
    assert both.level is Level.WORDS


def test_equal_texts_have_no_marks():
    both = worddiff.compare("a < b", "a < b")
    assert both.left_html == both.right_html == "a &lt; b"


def test_markup_in_a_text_is_escaped():
    both = worddiff.compare("<script>x</script>", "<ins onclick='x'>")
    assert set(re.findall(r"<[^>]*>", both.left_html)) <= {"<del>", "</del>"}
    assert set(re.findall(r"<[^>]*>", both.right_html)) <= {"<ins>", "</ins>"}


def test_long_texts_are_compared_by_lines():
    lines = [f"line {n} of a text with some words" for n in range(1_000)]
    both = worddiff.compare("\n".join(lines), "\n".join([*lines[:-1], "other"]))
    assert both.level is Level.LINES
    assert both.right_html.endswith("<ins>other</ins>")
    assert both.right_html.count("<ins>") == 1


def test_too_many_equal_lines_are_too_different():
    both = worddiff.compare("a\n" * 500_000, "b\na\n" * 250_000)
    assert both.level is Level.NONE
    assert "<del>" not in both.left_html


@pytest.mark.parametrize("piece", ["a ", "a\n", "\n", "ab,", "\u202e", "a\u202e", "<"])
def test_a_million_characters_end_in_a_bounded_page(piece):
    both = worddiff.compare(piece * 1_000_000, piece[::-1] * 1_000_000)
    assert len(both.left_html) < 300_000
    assert "(cut for display)" in both.left_html


def test_a_hidden_character_shows():
    assert "U+202E" in worddiff.compare("a\u202eb", "ab").left_html


@given(st.text(max_size=80), st.text(max_size=80))
def test_each_side_keeps_its_text(left, right):
    both = worddiff.compare(left, right)
    for html, text in ((both.left_html, left), (both.right_html, right)):
        bare = unescape(re.sub(r"</?(?:del|ins)>", "", html))
        if "U+" not in bare and text.isprintable():
            assert bare == text
