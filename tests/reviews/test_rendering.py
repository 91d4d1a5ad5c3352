"""Answers become inert HTML, whatever is in them."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews import highlighting, rendering

_TAGS = {
    "p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "span",
    "h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "div",
}  # fmt: skip
_CLASSES = highlighting.CLASSES | {"scroll", "invisible", "as-is"}
_MILLION = 1_000_000
#: The longest page for any answer: 60,000 characters, each at its dearest.
_LONGEST = 1_000_000

_PIECES = st.sampled_from(
    ["<script>", "</p>", "<img src=x onerror=a>", "[a](javascript:b)", "![a](http://b)", "<!--",
     "-->", "&#x202e;", "&lt;b&gt;", "\u202e", "\u200b", "\x00", "\ud800", "```", "```python\n",
     "\n", "\n\n", "> ", "- ", "1. ", "# ", "|", "|-|-|\n", "**", "_", "`", "[", "](", ")", "\\",
     "<svg/onload=a>", "<math>", " ", "    ", "a", '"', "'", "<a id=x name=y>", "<style>", "$",
     "\\(", "~~", "\r", "[x]: http://y\n", "<https://a.b>", "data:text/html,<b>", "x='1' # y\n",
     "\u2028", "☃", "]]>", "<![CDATA["]
)  # fmt: skip
_ANSWERS = st.lists(_PIECES, max_size=40).map("".join) | st.text(max_size=300)


class _Seen(HTMLParser):
    """Collects what a browser would act on, and what it would show."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.text, self.other = set(), set(), "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {(tag, *attribute) for attribute in attrs}

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.other.append(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def _is_harmless(tag, name, value):
    if name == "class":
        return value in _CLASSES and tag in ("span", "div", "p")
    return (tag, name, value) == ("div", "tabindex", "0") or (
        (tag, name) == ("ol", "start") and value.isdigit()
    )


def _assert_inert(html):
    seen = _Seen(html)
    assert seen.tags <= _TAGS
    assert not seen.other
    assert all(_is_harmless(*attribute) for attribute in seen.attributes)
    assert not re.search("[\x00\u202a-\u202e\u2066-\u2069\u200b\ud800-\udfff]", html)


@given(_ANSWERS)
def test_any_answer_is_inert(text):
    _assert_inert(rendering.markdown(text))
    _assert_inert(rendering.plain(text))


@given(st.text(alphabet="abc<>&'\"", max_size=200))
def test_no_word_of_an_answer_is_lost(text):
    def only_words(shown):
        return re.findall("[abc]", shown)

    assert only_words(_Seen(rendering.markdown(text)).text) == only_words(text)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "![x](data:image/svg+xml,<svg onload=a>)",
        "<a href='http://evil' id=rating name=submit>x</a>",
        "<style>*{display:none}</style>",
        "<svg/onload=alert(1)>",
        "<math><mtext></table><mglyph><style><img src=x>",
        "<!-- hidden -->",
        "<div style='position:fixed'>",
        "# <b id=save>x</b>",
        "```python class=x onclick=y\nx\n```",
        "```<img src=x>\nx\n```",
        "&lt;img src=x&gt; &#60;script&#62;",
    ],
)
def test_nothing_in_an_answer_loads_or_runs(text):
    _assert_inert(rendering.markdown(text))


def test_what_looks_like_html_is_shown():
    text = _Seen(rendering.markdown("a <b onclick=x>c</b> <!-- d -->")).text
    assert text.strip() == "a <b onclick=x>c</b> <!-- d -->"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[a *b*](http://c)", "a b (http://c)"),
        ("[http://c](http://c)", "http://c"),
        ("[a](<http://c> 'title')", "a (http://c)"),
        ("[a](http://c_(d))", "a (http://c_(d))"),
        ("![a](http://c/d.png)", "image: a (http://c/d.png)"),
        ("<http://c>", "<http://c>"),
        ("[a][b]\n\n[b]: http://c", "[a][b]\n[b]: http://c"),
        ("$a_1 * b_2 * c$", "$a_1 * b_2 * c$"),
        (r"\(a_1\) and \[x * y * z\]", r"\(a_1\) and \[x * y * z\]"),
        ("$5 and *6* $7", "$5 and 6 $7"),
        ("`[a](b)`", "[a](b)"),
        ("a\u202eb", "aU+202Eb"),
        ("a&#x202e;b", "aU+202Eb"),
        ("a\x00b", "a\ufffdb"),
        ("👩\u200d👧 می\u200cخواهم", "👩\u200d👧 می\u200cخواهم"),
        ("a\ud800b", "a\ufffdb"),
    ],
)
def test_what_a_reader_sees(text, shown):
    assert _Seen(rendering.markdown(text)).text.strip() == shown


def test_markdown_is_shown_as_markdown():
    html = rendering.markdown("# Title\n\n- **bold**\n\n```\ncode < 1\n```\n\n4. a\n5. b")
    assert all(
        part in html
        for part in ("<h1>", "<li>", "<strong>", "<pre><code>code &lt; 1", '<ol start="4">')
    )


def test_code_is_coloured_until_the_allowance_is_spent():
    block = "```python\nreturn 1\n```\n\n"
    long = "```python\n" + "return 1\n" * 1_200 + "```\n\n"
    html = rendering.markdown(block + long + block)
    assert html.count("code-keyword") == 1
    assert html.count("<pre>") == 3


def test_a_table_scrolls_by_itself():
    html = rendering.markdown("|a|b|\n|-|-|\n|1|2|")
    assert '<div class="scroll" tabindex="0"><table>' in html
    assert html.strip().endswith("</table></div>")


def test_a_long_answer_is_cut_and_says_so():
    html = rendering.markdown("x" * 200_000)
    assert len(html) < 61_000
    assert "(cut for display)" in html
    assert "(cut for display)" in rendering.plain("x" * 200_000)


def test_what_is_left_of_much_markup_is_shown_as_it_is():
    html = rendering.markdown("# first\n\n" + "*a* <b>\n" * 4_000)
    assert html.startswith("<h1>first</h1>")
    assert html.endswith("*a* &lt;b&gt;\n</p>")
    assert _Seen(html).text.count("<b>") == 4_000


@pytest.mark.parametrize("text", [">" * 300 + "secret", "- " * 200 + "a\n\nsecret"])
def test_what_is_nested_too_deep_to_parse_is_shown_as_it_is(text):
    html = rendering.markdown(text)
    assert html.startswith('<p class="as-is">')
    assert "secret" in html


_HOSTILE = {
    "one line": "x" * _MILLION,
    "quotes": ">" * _MILLION,
    "quotes and lazy lines": "> " * 25 + "a\n" + "b\n" * (_MILLION // 2),
    "lists": "- " * 9 + "a\n" + "b\n" * (_MILLION // 2),
    "items": "1. a\n" * (_MILLION // 5),
    "brackets": "[" * _MILLION,
    "open links": "[a](" * (_MILLION // 4),
    "links": '[a](b "c' * (_MILLION // 8),
    "images": "![" * (_MILLION // 2),
    "emphasis": "*a_ " * (_MILLION // 4),
    "stars": "*_" * (_MILLION // 2),
    "backticks": " ".join("`" * n for n in range(1, 1_400)),
    "definitions": "[a]: b\n" * (_MILLION // 7),
    "headings": "# a\n" * (_MILLION // 4),
    "columns": "|a" * 10_000 + "|\n" + "|-" * 10_000 + "|\n" + "|a|\n" * 200_000,
    "short rows": "|".join("a" * 300) + "\n" + "|".join("-" * 300) + "\n" + "|\n" * 400_000,
    "code": "```python\n" + "if x == 'a': # b\n" * 60_000,
    "blocks": "```python\nif 1\n```\n" * 50_000,
    "quotes in code": "```python\n" + "'a" * (_MILLION // 2),
    "formulas": "\\(" * (_MILLION // 2),
    "dollars": "$a" * (_MILLION // 2),
    "entities": "&amp;" * (_MILLION // 5),
    "markup": "<a " * (_MILLION // 3),
    "hidden": "\u200b\u200c" * (_MILLION // 2),
    "directions": "a\u202e" * (_MILLION // 2),
    "surrogates": "\ud800" * _MILLION,
    "nothing": "\x00" * _MILLION,
    "white space": ("\t" * 50 + "a\n") * (_MILLION // 52),
    "empty lines": "\n" * _MILLION,
    "carriage returns": "\r" * _MILLION,
    "escapes": "\\\n" * (_MILLION // 2),
    "pictures": "👨\u200d👩" * (_MILLION // 3),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", _HOSTILE.values(), ids=_HOSTILE.keys())
def test_a_million_hostile_characters_end_in_a_bounded_inert_page(text):
    html = rendering.markdown(text)
    assert len(html) < _LONGEST
    _assert_inert(html)


@pytest.mark.parametrize(
    ("left", "right", "folds"),
    [("a", "b", False), ("a" * 4_000, "b", True), ("a", "b\n" * 60, True), ("", "", False)],
)
def test_both_answers_fold_as_soon_as_one_is_long(left, right, folds):
    assert rendering.fold(left, right) is folds
    assert rendering.fold(right, left) is folds
