"""What rules look for in a text. Patterns from people run in linear time, on a bounded text."""

from __future__ import annotations

import re
from collections.abc import Callable

import re2

#: A pattern sees this much of a text.
PATTERN_CHARS = 4_000
#: Instructions of one compiled pattern: what one character costs at most.
PROGRAM = 1_000
#: What one slot of a template may hold.
SLOT_CHARS = 80

_SLOT = re.compile(r"\{[A-Za-z0-9_ ]{0,30}\}")
_TAGS = re.compile(r"<(document|doc|source|file|article)\b[^<>]{0,200}>", re.IGNORECASE)
_HEADINGS = re.compile(
    r"^[ \t#*\[]{0,6}(document|doc|source|file|article|passage|context|attachment)"
    r"[ \t]?#?[ \t]?\d{1,3}\b",
    re.IGNORECASE | re.MULTILINE,
)
_RULERS = re.compile(r"^[ \t]{0,3}(-{3,}|={3,}|\*{3,}|_{3,})[ \t]*$", re.MULTILINE)
#: A part between rulers that is as long as this is a document, not the body of a letter.
_DOCUMENT_CHARS = 400


def documents(text: str) -> int:
    """Return how many documents were pasted, by the way of marking them that shows most.

    Tags such as `<document>`; headings such as `Document 2:`; long parts between lines of `---`.
    """
    parts = [part for part in _RULERS.split(text)[::2] if len(part.strip()) >= _DOCUMENT_CHARS]
    separated = len(parts) if len(parts) > 1 else 0
    tagged = sum(1 for _ in _TAGS.finditer(text))
    headed = len({match[0].strip().lower() for match in _HEADINGS.finditer(text)})
    return max(separated, tagged, headed)


def compiled(pattern: str) -> re2._Regexp:
    """Return a pattern for UTF-8 bytes.

    Raises:
        ValueError: with what is wrong with it, as the end of a sentence.
    """
    options = re2.Options()
    options.max_mem, options.log_errors = 1 << 20, False
    try:
        made = re2.compile(pattern, options)
    except re2.error as exc:
        said = exc.args[0] if exc.args else ""
        said = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise ValueError(f"cannot be used: {said}") from exc
    except UnicodeEncodeError as exc:
        raise ValueError("cannot be used: it holds half a character") from exc
    if made.programsize > PROGRAM:
        raise ValueError("is too large once its repetitions are written out")
    return made


def size(kind: str, pattern: str) -> int:
    """Return how many instructions the pattern of a `template` or `matches` rule comes to.

    Raises:
        ValueError: see `compiled` and `template`.
    """
    made = compiled(_expression(pattern) if kind == "template" else pattern)
    return int(made.programsize)


def matches(pattern: str, whole: bool = False) -> Callable[[str], bool]:
    """Return whether a text's first `PATTERN_CHARS` characters hold the pattern.

    Args:
        pattern: in the syntax of RE2.
        whole: a longer text never fits. Who says "the cheap model will do" has to see all of it.

    Raises:
        ValueError: see `compiled`.
    """
    made = compiled(pattern)

    def fits(text: str) -> bool:
        if whole and len(text) > PATTERN_CHARS:
            return False
        # As bytes: a lone surrogate, which JSON can carry, has no UTF-8.
        return made.search(text[:PATTERN_CHARS].encode("utf-8", "replace")) is not None

    return fits


def template(text: str) -> Callable[[str], bool]:
    """Return whether a text is the template with its {slots} filled; case and spaces do not count.

    Raises:
        ValueError: see `compiled`, or when nothing but slots is left.
    """
    made = compiled(_expression(text))
    most = len(text) + SLOT_CHARS * len(_SLOT.findall(text)) + 20

    def fits(query: str) -> bool:
        return len(query) <= most and bool(made.fullmatch(query.encode("utf-8", "replace")))

    return fits


def _expression(text: str) -> str:
    # The mark at the end is people's habit, not part of the question.
    words = _SLOT.split(text.strip().rstrip("?.! "))
    if not any(re.search(r"\w{2}", part) for part in words):
        raise ValueError("needs words beside its slots")
    if any(mark in part for part in words for mark in "{}"):
        raise ValueError("has a brace that closes or opens no slot")
    return r"(?i)\s*" + r"[^\n]+".join(_literal(part) for part in words) + r"[?.!\s]*"


def _literal(part: str) -> str:
    """Quote; any run of spaces stands for any other. A slot takes the spaces beside it."""
    return r"\s+".join(re2.escape(word) for word in re.split(r"\s+", part))
