"""The same plain style for both answers, so that habits of formatting do not decide. Pure.

What is said stays; how loudly it is said goes. Code blocks are never touched.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r"(^ {0,3}(?:```|~~~)[\s\S]*?(?:^ {0,3}(?:```|~~~)[^\S\n]*$|\Z))", re.MULTILINE)
_BOLD = re.compile(r"(?<![\w*])\*\*(?=[^\s*])([^*\n]{1,500}?)(?<=[^\s*])\*\*(?![\w*])")
_BOLD_LINE = re.compile(r"[ \t]*\*\*[^*\n]+\*\*:?[ \t]*\n?\Z")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+([^\n]*?)(?:[ \t]+#+)?[ \t]*(\n?)\Z")
_BULLET = re.compile(r"^([ \t]*)[*+•‣◦] +(?=\S)", re.MULTILINE)
_EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff\U0001f300-\U0001f64f\U0001f680-\U0001f6ff\U0001f900-\U0001faff"
    "\u2600-\u26ff\u2705\u2728\u274c\u274e\u2753-\u2757\u2764\u2b50]"
    "[\ufe0f\u200d\U0001f3fb-\U0001f3ff]* ?"
)
_OPENING = re.compile(
    r"\A(?:(?:Sure(?: thing)?|Certainly|Of course|Absolutely|Great question|Good question|"
    r"(?:What|That's|That’s) an? (?:great|good|excellent|interesting) question|"
    r"(?:I'd|I’d|I would) be happy to help(?: you)?(?: with that)?)[!.] *\n*)+(?=[^\s])"
)
_CLOSING = re.compile(
    r"(?:\A|\n|(?<=[.!?]) )[ \t]*(?:Please )?(?:[Ll]et me know if|[Ff]eel free to (?:ask|reach out)"
    r"|(?:I )?[Hh]ope (?:this|that) helps|[Ii]f you have any (?:other |more |further )?questions)"
    r"[^\n.!?]{0,200}[.!?]?\s*\Z"
)


#: What a pass leaves may be matter for the next; real answers settle in two.
_MOST_PASSES = 8


def normalise(text: str) -> str:
    """Return the text in the plain style; what is plain already comes back as it is.

    Headings become bold lines, bullets hyphens; emoji, bold inside lines, and the pleasantries
    around an answer go. An answer that was nothing else, or does not settle, stays.
    """
    before = text
    for _ in range(_MOST_PASSES):
        after = _pass(before)
        if after == before:
            return after if after.strip() else text
        before = after
    return text


def _pass(text: str) -> str:
    parts = _FENCE.split(text)
    parts[::2] = [_calm(part) for part in parts[::2]]
    return _CLOSING.sub("", _OPENING.sub("", "".join(parts)))


def _calm(prose: str) -> str:
    prose = _BULLET.sub(r"\1- ", _EMOJI.sub("", prose))
    return "".join(_calm_line(line) for line in prose.splitlines(keepends=True))


def _calm_line(line: str) -> str:
    if _BOLD_LINE.match(line):
        return line
    calm = _BOLD.sub(r"\1", line)
    heading = _HEADING.match(calm)
    if not heading:
        return calm
    words = heading[1].replace("*", "").strip()
    return (f"**{words}**" if words else "") + heading[2]
