"""Answers become inert HTML, whatever is in them."""

import pytest

from reviews import rendering


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](http://evil/pixel.png)",
        "<a href='http://evil'>x</a>",
        "<style>*{display:none}</style>",
        "<svg/onload=alert(1)>",
    ],
)
def test_nothing_in_an_answer_loads_or_runs(text):
    html = rendering.markdown(text)
    assert not any(bad in html for bad in ("<script", "<img", "<a ", "<style", "<svg"))


def test_markdown_is_shown_as_markdown():
    html = rendering.markdown("# Title\n\n- **bold**\n\n```\ncode < 1\n```")
    assert all(part in html for part in ("<h1>", "<li>", "<strong>", "<code>", "&lt;"))


def test_a_long_answer_is_cut_and_says_so():
    html = rendering.markdown("x" * 200_000)
    assert len(html) < 101_000
    assert "(cut for display)" in html


def test_thousands_of_brackets_are_shown_as_they_are():
    html = rendering.markdown("<b>" + "[" * 50_000)
    assert html.startswith("<p class='as-is'>&lt;b&gt;[[[")
