"""Code gets colours by class alone and keeps every character."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviews import highlighting

_LANGUAGES = [
    "python", "js", "rust", "sql", "html", "go", "css", "json", "bash", "php", "ini", "lua", "c",
]  # fmt: skip
_CODE = st.text(alphabet="ab1 '\"`/*#-<!>\\\n\u00e9", max_size=120)


@pytest.mark.parametrize(
    ("code", "language", "span"),
    [
        ("return x", "python", '<span class="code-keyword">return</span>'),
        ("x = None", "py", '<span class="code-keyword">None</span>'),
        ("SELECT a", "SQL", '<span class="code-keyword">SELECT</span>'),
        ("x # why", "python", '<span class="code-comment"># why</span>'),
        ("x /* a\nb", "c", '<span class="code-comment">/* a\nb</span>'),
        ("'''a\nb''' c", "python", "<span class=\"code-string\">'''a\nb'''</span>"),
        ("`a${b}`", "js", '<span class="code-string">`a${b}`</span>'),
        ("<!-- a -->", "html", '<span class="code-comment">&lt;!-- a --&gt;</span>'),
        ("x = 0x1f", "c", '<span class="code-number">0x1f</span>'),
    ],
)
def test_known_languages_are_coloured(code, language, span):
    assert span in highlighting.highlight(code, language).replace("&#x27;", "'")


def test_an_unknown_language_is_only_escaped():
    assert highlighting.highlight("if <b>", "brainfuck onclick=x") == "if &lt;b&gt;"


def test_a_lifetime_is_no_string():
    assert "code-string" not in highlighting.highlight("fn f<'a>(x: &'a str)", "rust")


@given(_CODE | st.text(max_size=60), st.sampled_from(_LANGUAGES))
def test_every_character_is_kept_and_only_known_classes_appear(code, language):
    html = highlighting.highlight(code, language)
    assert set(re.findall(r'class="([^"]*)"', html)) <= highlighting.CLASSES
    assert unescape(re.sub(r'</?span(?: class="[\w-]+")?>', "", html)) == unescape(
        code.replace("&", "&amp;")
    )
