"""Where in an answer the confidence line stands, and how it is taken out.

What goes is the line alone: with its line break, with a code fence or braces around nothing else,
and with the blank lines that set it off from the answer. Every other letter stays. The last line
that counts is the one, with others in the agreed form right above it:
- as the answer's last line it counts in any spelling, also at the end of a sentence;
- up to three lines before the end, in the agreed capitals or as a paragraph of its own;
- inside a code block that holds other things, in the agreed form only;
- as the first line, in the agreed capitals or as a paragraph of its own.
A row of a table, and an item like the one right above it, count in the agreed capitals only; a
code block that names its language is code. A mention anywhere else is prose. What follows the
value on its line goes with it where it explains the value, and stays where it may be the answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from routing.wire import spellings
from routing.wire.spellings import Found

#: The answer's end, and its beginning, that are looked at.
_WINDOW = 6_000
_LINES_AFTER = 3
_INLINE_CHARS = 160
#: Who says it more often than this is in a loop, which is a gate's to see.
_MOST_TIMES = 20
_BREAK = re.compile(r"\r\n|\n|\r")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_OPENS = re.compile(
    r"\s*(?:(?P<fence>`{3,}|~{3,})(?P<language>[\w-]*)|(?P<brace>\{)|<(?P<tag>[A-Za-z]\w*)>)\s*"
)
_CLOSES = re.compile(r"\s*(?:(?P<fence>`{3,}|~{3,})|(?P<brace>\})|</(?P<tag>[A-Za-z]\w*)>)\s*")
#: What a block may be said to hold that is no code.
_NO_CODE = ("", "text", "txt", "plain", "plaintext", "markdown", "md", "json")
_LABEL = re.compile(r"[^\W\d_]+(?:[ -][^\W\d_]+)*")
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s")
_RULE = re.compile(r"\s*(?:[-*_=]\s*){3,}")
_AGREED = re.compile(r"\W*CONFIDENCE\W*[:：]")
_MIRRORS = {"(": ")", "[": "]", "{": "}", "<": ">", "“": "”", "（": "）", "【": "】"}
#: What may close what stood around the value.
_MARKS = "*_`\"'”’>])}$\\"
_SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", ":", "…")


class Split(NamedTuple):
    """An answer without its confidence line, and what that said: None for nothing readable."""

    text: str
    confidence: float | None


class _Line(NamedTuple):
    """A line that is not blank: its place in the answer, without the line break."""

    start: int
    stop: int
    text: str


def split(text: str) -> Split:
    r"""Take the confidence line out of an answer; one without it comes back as it is.

    Example:
        >>> split("Paris.\n\nCONFIDENCE: 85")
        Split(text='Paris.', confidence=0.85)
        >>> split("The 95% confidence interval is [1, 2].").confidence is None
        True
    """
    last = _last(text)
    if last is None:
        return _first(text, is_second=False) or Split(text, None)
    for _ in range(_MOST_TIMES):
        if (again := _last(last.text, is_second=True)) is None:
            break
        last = Split(again.text, last.confidence)
    first = _first(last.text, is_second=True)  # some models say it twice
    return last if first is None else Split(first.text, last.confidence)


def _lines(text: str, start: int, stop: int) -> list[_Line]:
    """Return the lines that are not blank of a stretch of an answer."""
    lines = []
    for end in [*_BREAK.finditer(text, start, stop), None]:
        line_stop = stop if end is None else end.start()
        if text[start:line_stop].strip():
            lines.append(_Line(start, line_stop, text[start:line_stop]))
        start = stop if end is None else end.end()
    return lines


def _last(text: str, is_second: bool = False) -> Split | None:
    """Return the answer without the last line that counts.

    Args:
        text: an answer.
        is_second: another one was found; then only the agreed form as the very last line counts.
    """
    stop = len(text.rstrip())
    lines = _lines(text, max(0, stop - _WINDOW), stop)
    after = 0
    for n in range(len(lines) - 1, -1, -1):
        if is_second:
            is_agreed = _AGREED.match(lines[n].text) and _says_all(lines[n].text)
            return _taken(text, lines, n, 0) if is_agreed else None
        if any(mark.fullmatch(lines[n].text) for mark in (_CLOSES, _OPENS, _RULE)):
            continue
        taken = _taken(text, lines, n, after) or (
            _at_the_end(text, lines, n) if not after else None
        )
        if taken is not None:
            return taken
        after += 1
        if after > _LINES_AFTER:
            break
    return None


def _says_all(line: str) -> bool:
    found = spellings.find(line)
    return found is not None and found.is_alone


def _taken(text: str, lines: Sequence[_Line], n: int, after: int) -> Split | None:
    """Return the answer without line n if that counts, with so many lines of answer after it."""
    found = spellings.find(lines[n].text)
    if found is None:
        return None
    low, high = _wrapped(text, lines, n)
    if found.is_json and not (found.is_alone and _is_braced(lines, n, low, high)):
        return None
    if not found.is_agreed and _is_one_of_many(text, lines, n):
        return None
    if _is_inside(text, lines, low, high):
        fits = found.is_alone and _AGREED.match(lines[n].text) is not None
    else:
        fits = not after or _stands_out(text, lines, low, high, found)
    goes = found.is_explained and (not after or _is_bracketed(lines[n], found))
    return _cut(text, lines, (low, high), n, found, goes) if fits else None


def _is_one_of_many(text: str, lines: Sequence[_Line], n: int) -> bool:
    """Return whether a line goes on with what the one right above it began: rows, rated items."""
    if n == 0 or _has_blank(text, lines[n - 1].stop, lines[n].start):
        return False
    above, line = lines[n - 1].text, lines[n].text
    if _cells(line) > 1:
        return _cells(above) == _cells(line)
    is_rated = _ITEM.match(line) or _DIGITS.search(line)
    return bool(is_rated) and ":" in line and _shape(above) == _shape(line)


def _cells(line: str) -> int:
    """Return how many cells a row of a table has; 1 for a line that is none."""
    return line.strip().strip("|").count("|") + 1


def _shape(line: str) -> str:
    """Return a line with its words and numbers made the same, to be compared with another."""
    return _DIGITS.sub("0", _LABEL.sub("a", line[: spellings.MOST_CHARS].strip()))


def _wrapped(text: str, lines: Sequence[_Line], n: int) -> tuple[int, int]:
    """Return the lines that hold line n and nothing else: fences, braces, tags."""
    low = high = n
    while low > 0 and high + 1 < len(lines):
        opens = _OPENS.fullmatch(lines[low - 1].text)
        closes = _CLOSES.fullmatch(lines[high + 1].text)
        is_pair = opens and closes and _kind(opens) == _kind(closes) and not _is_code(opens)
        if not is_pair or (opens and opens["fence"] and _is_in_fence(text, lines[low - 1].start)):
            break
        low, high = low - 1, high + 1
    return low, high


def _is_code(opens: re.Match[str]) -> bool:
    return (opens["language"] or "").lower() not in _NO_CODE


def _kind(match: re.Match[str]) -> str:
    """Return what a line opens or closes: a fence by its signs, a tag by its name, a brace."""
    return match["fence"] or match["tag"] or "brace"


def _is_in_fence(text: str, place: int) -> bool:
    """Return whether a code block is open there."""
    return sum(1 for _ in _FENCE.finditer(text, 0, place)) % 2 == 1


def _is_braced(lines: Sequence[_Line], n: int, low: int, high: int) -> bool:
    """Return whether a JSON member has braces to itself, on its line or around it."""
    said = lines[n].text.strip(" \t`*_,")
    if said[:1] == "{" and said[-1:] == "}":
        return True
    around = [line.text.strip() for line in lines[low:high]]
    return "{" in around


def _is_inside(text: str, lines: Sequence[_Line], low: int, high: int) -> bool:
    """Return whether lines are part of code that goes on around them."""
    following = _CLOSES.fullmatch(lines[high + 1].text) if high + 1 < len(lines) else None
    in_braces = following is not None and following["brace"] is not None
    return in_braces or _is_in_fence(text, lines[low].start)


def _stands_out(text: str, lines: Sequence[_Line], low: int, high: int, found: Found) -> bool:
    """Return whether a line amid others is the line: in capitals, or a paragraph of its own."""
    if found.is_agreed:
        return found.is_alone or found.is_explained
    is_apart = low == 0 or _has_blank(text, lines[low - 1].stop, lines[low].start)
    ends = high + 1 == len(lines) or _has_blank(text, lines[high].stop, lines[high + 1].start)
    return found.is_alone and is_apart and ends


def _has_blank(text: str, start: int, stop: int) -> bool:
    return len(_BREAK.findall(text[start:stop])) > 1


def _is_bracketed(line: _Line, found: Found) -> bool:
    """Return whether what follows the value stands in brackets: then it is not the answer."""
    return line.text[found.rest :].lstrip(_MARKS + " \t")[:1] in ("(", "[", "（")


def _cut(
    text: str, lines: Sequence[_Line], span: tuple[int, int], n: int, found: Found, goes: bool
) -> Split:
    """Take the lines of a span out.

    Args:
        text: the answer.
        lines: of it.
        span: the first and the last line that go.
        n: the confidence line among them.
        found: what it says.
        goes: what follows its value goes too, unless nothing else is left.
    """
    left = _without(text, lines, *span)
    if not found.is_alone and not (goes and left.strip()):
        line = lines[n]
        rest = line.text[found.rest :].lstrip(_MARKS).lstrip(" \t.,;:–—-")
        left = text[: line.start] + rest + text[line.stop :]
    return Split(left, found.confidence)


def _without(text: str, lines: Sequence[_Line], low: int, high: int) -> str:
    before, after = text[: lines[low].start], text[lines[high].stop :]
    if not after.strip():
        return before[: _end(before)]
    before = before if before.strip() else ""
    following = lines[high + 1].start if high + 1 < len(lines) else lines[high].stop
    return before + text[following:]


def _end(before: str) -> int:
    """Return where the last line of an answer ends, its trailing spaces included."""
    said = len(before.rstrip())
    end = _BREAK.search(before, said)
    return (end.start() if end else len(before)) if said else 0


def _at_the_end(text: str, lines: Sequence[_Line], n: int) -> Split | None:
    """Return the answer without a value under its heading, or without the end of a sentence."""
    value = spellings.value(lines[n].text)
    if value is not None and n > 0 and spellings.is_key(lines[n - 1].text):
        high = n + (_is_tagged(lines, n - 1, n + 1))
        taken: Split | None = Split(_without(text, lines, n - 1, high), value.confidence)
    else:
        taken = _inline(text, lines[n])
    return None if taken is None or _is_inside(text, lines, n, n) else taken


def _is_tagged(lines: Sequence[_Line], low: int, high: int) -> bool:
    """Return whether a line opens a tag that another one closes."""
    if high >= len(lines):
        return False
    opens, closes = _OPENS.fullmatch(lines[low].text), _CLOSES.fullmatch(lines[high].text)
    return bool(opens and closes and opens["tag"] and _kind(opens) == _kind(closes))


def _inline(text: str, line: _Line) -> Split | None:
    said = line.text.rstrip()
    begin = max(0, len(said) - _INLINE_CHARS)
    at = said.lower().rfind("confidence", begin) if len(said.lower()) == len(said) else -1
    if at <= 0:
        return None
    found, before = spellings.find(said[at:]), said[:at]
    opened = before[len(before.rstrip("([{<*_`\"'“（【")) :]
    before = before[: len(before) - len(opened)]
    is_apart = found is not None and (
        found.is_agreed or (said[at] == "C" and before.rstrip().endswith(_SENTENCE_ENDS))
    )
    is_word = opened or before[-1:].isspace() or before[-1:] in _SENTENCE_ENDS
    if found is None or not found.is_alone or not is_apart or not is_word:
        return None
    rest = _unclosed(said[at + found.rest :], opened)
    if rest.strip() in (".", "。", "!", ",", ";") and before.rstrip().endswith(_SENTENCE_ENDS):
        rest = ""
    return Split(text[: line.start] + before.rstrip() + rest, found.confidence)


def _unclosed(close: str, opened: str) -> str:
    """Return what follows a value without the marks that close what was opened before it."""
    for sign in reversed(opened):
        close = close.lstrip().removeprefix(_MIRRORS.get(sign, sign))
    return close


def _first(text: str, is_second: bool) -> Split | None:
    """Return the answer without its first line, if that is the confidence line.

    Args:
        text: an answer whose end has none any more.
        is_second: another one was found; then only the agreed form is taken for one too.
    """
    start = len(text) - len(text.lstrip())
    start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    lines = _lines(text, start, min(len(text), start + _WINDOW))
    for n in (0, 1):
        low, high = _wrapped(text, lines, n) if n < len(lines) else (-1, -1)
        found = spellings.find(lines[n].text) if low == 0 else None
        if found is None or (found.is_json and not _is_braced(lines, n, low, high)):
            continue
        is_alone = found.is_alone and _stands_out(text, lines, low, high, found)
        is_agreed = found.is_agreed and _AGREED.match(lines[n].text) is not None
        if (is_agreed and (found.is_alone or not is_second)) or (is_alone and not is_second):
            return _cut(text, lines, (low, high), n, found, goes=_is_bracketed(lines[n], found))
    return None
