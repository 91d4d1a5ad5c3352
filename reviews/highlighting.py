"""Code in an answer to coloured HTML: four classes, no style, no script, one pass.

Pygments' own lexers are not used: on 4,000 hostile characters some take seconds. Every pattern here
either matches to its end or to the end of the line or text, so no character is looked at twice.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape

_SLASHES = r"//[^\n]*|/\*[\s\S]*?(?:\*/|\Z)"
_STARS = r"/\*[\s\S]*?(?:\*/|\Z)"
_HASH = r"#[^\n]*"
_DASHES = r"--[^\n]*"
_NEVER = r"(?!)"
#: How a comment looks in a language; a language that is not here stays without colour.
_COMMENTS = {
    "bash": _HASH, "c": _SLASHES, "cpp": _SLASHES, "csharp": _SLASHES, "css": _STARS,
    "dockerfile": _HASH, "go": _SLASHES, "html": r"<!--[\s\S]*?(?:-->|\Z)", "ini": r"[;#][^\n]*",
    "java": _SLASHES, "javascript": _SLASHES, "json": _NEVER, "kotlin": _SLASHES, "lua": _DASHES,
    "makefile": _HASH, "php": f"{_SLASHES}|{_HASH}", "python": _HASH, "r": _HASH, "ruby": _HASH,
    "rust": _SLASHES, "scala": _SLASHES, "sql": f"{_DASHES}|{_STARS}", "swift": _SLASHES,
    "toml": _HASH, "typescript": _SLASHES, "xml": r"<!--[\s\S]*?(?:-->|\Z)", "yaml": _HASH,
}  # fmt: skip
_ALIASES = {
    "c#": "csharp", "c++": "cpp", "cs": "csharp", "docker": "dockerfile", "js": "javascript",
    "jsx": "javascript", "make": "makefile", "py": "python", "python3": "python", "rb": "ruby",
    "rs": "rust", "sh": "bash", "shell": "bash", "ts": "typescript", "tsx": "typescript",
    "yml": "yaml", "zsh": "bash",
}  # fmt: skip
_DOUBLE = r'"(?:\\.|[^"\\\n])*"?'
_SINGLE = r"'(?:\\.|[^'\\\n])*'?"
_LONG = r'"""[\s\S]*?(?:"""|\Z)|' + r"'''[\s\S]*?(?:'''|\Z)"
_TICKS = r"`(?:\\[\s\S]|[^`\\])*`?"
#: In Rust an apostrophe begins a lifetime, in HTML and XML it is prose.
_STRINGS = {
    "python": f"{_LONG}|{_DOUBLE}|{_SINGLE}",
    "rust": _DOUBLE, "html": _DOUBLE, "xml": _DOUBLE,
    "go": f"{_DOUBLE}|{_SINGLE}|{_TICKS}",
    "javascript": f"{_DOUBLE}|{_SINGLE}|{_TICKS}",
    "typescript": f"{_DOUBLE}|{_SINGLE}|{_TICKS}",
}  # fmt: skip
_KEYWORDS = frozenset(
    """abstract and as assert async await begin boolean bool break case catch char class const
    continue def default del do double elif else elsif end enum except export extends false final
    finally float fn for foreach from func function global if impl implements import in include
    instanceof int interface is lambda let local long match mod module mut namespace new nil none
    nonlocal not null or package pass private protected pub public raise require return self short
    static string struct super switch template then this throw throws trait true try type typedef
    typeof union unless unsigned until use using val var void when where while with yield
    select insert update delete create table alter drop join left right inner outer on group order
    by having limit values into set distinct primary key""".split()  # noqa: SIM905 - a table of words reads best as one
)
CLASSES = frozenset({"code-comment", "code-string", "code-number", "code-keyword"})


def highlight(code: str, language: str) -> str:
    """Return the code escaped, every character in its order, with spans if the language is known.

    Args:
        code: Any text.
        language: The word after the fence, in any case; may be empty or nonsense.
    """
    name = _ALIASES.get(language.lower(), language.lower())
    if name not in _COMMENTS:
        return escape(code)
    parts, end = [], 0
    for found in _pattern(name).finditer(code):
        parts += [escape(code[end : found.start()]), _span(found)]
        end = found.end()
    return "".join([*parts, escape(code[end:])])


@cache
def _pattern(name: str) -> re.Pattern[str]:
    strings = _STRINGS.get(name, f"{_DOUBLE}|{_SINGLE}")
    return re.compile(
        rf"(?P<comment>{_COMMENTS[name]})|(?P<string>{strings})"
        rf"|(?P<number>\d[\w.]*)|(?P<word>[^\W\d]\w*)"
    )


def _span(found: re.Match[str]) -> str:
    kind, text = found.lastgroup, escape(found[0])
    if kind == "word":
        return f'<span class="code-keyword">{text}</span>' if _is_keyword(found[0]) else text
    return f'<span class="code-{kind}">{text}</span>'


def _is_keyword(word: str) -> bool:
    """Tell; SQL shouts its keywords, Python writes three with a capital."""
    small = word.lower() if word.isupper() or word in ("None", "True", "False") else word
    return small in _KEYWORDS
