"""What in an answer tells who wrote it. Pure: no Django; positions in, positions out.

A strong pattern (a self-identification, a versioned model, a tier's own id) is masked. A name
alone may be a painter, a star sign or an animal: it is flagged, as is every name in code or query.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from reviews import modelnames

MASK = "[model]"


class Kind(StrEnum):
    """Why a passage tells; the strongest one is kept where several overlap."""

    SELF = "says who it is"
    OWN_ID = "a tier's own id"
    MODEL = "a versioned model"
    NAME = "a name alone"
    PHRASE = "an assistant's phrase"
    MARKUP = "a model's own markup"


@dataclass(frozen=True)
class Leak:
    """A passage that tells; `content` if it may belong to the answer."""

    kind: Kind
    start: int
    end: int
    content: bool = False

    @property
    def masked(self) -> bool:
        """Tell whether `mask` replaces it."""
        return not self.content and self.kind in _STRONG


_STRONG = {Kind.SELF, Kind.OWN_ID, Kind.MODEL}
_ORDER = list(Kind)
_PHRASES = (
    r"(?:[Aa]s|I(?:'m|’m| am)(?: just| only)?) an? "
    r"(?:AI|artificial intelligence|large language model|language model)\b"
    r"(?: (?:language )?(?:model|assistant|chatbot))?"
    r"|(?:my|My) (?:knowledge|training)(?: data)? cut-?off"
)
_MARKUP = (
    r"</?(?:think|thinking|antThinking|antml:\w+|antArtifact|scratchpad|reflection|reasoning"
    r"|tool_call|tool_use|tool_result|function_calls?|invoke)\b[^<>\n]{0,200}>"
    r"|<\|[\w ]{1,40}\|>|\[/?INST\]|<</?SYS>>|<\uff5c[^<>\n]{1,40}\uff5c>"
    r"|^(?:### )?(?:Assistant|ASSISTANT|Human|HUMAN):"
)
_CODE = re.compile(r"^ {0,3}(```|~~~)[\s\S]*?(?:^ {0,3}\1|\Z)|(?<!`)`[^`\n]+`(?!`)", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z]+|\d+(?:\.\d+)*[A-Za-z]*")
_DATE = re.compile(r"[-@:]\d{4}-\d\d-\d\d(?!\d)")
#: Behind an opening quotation mark somebody in a story speaks.
_LEAD = (
    r"(?<![\"“])\b(?:I(?:'m|’m| am)(?: called| named)?|[Mm]y name(?: is|'s|’s)"
    r"|[Ii]t(?:'s|’s| is) me,?)"
    r"(?: an? (?:AI|(?:large )?language model)(?: (?:language )?(?:model|assistant|chatbot))?)?,?"
    r"(?: (?:called|named))? "
)
_MADE = (
    r"\b(?:(?:model|assistant) from |"
    r"(?:made|built|created|developed|trained|designed|provided|fine-?tuned|powered)(?: and \w+)?"
    r" by(?: (?:the )?(?:team|people|researchers|engineers) (?:at|from))? )"
)
_GOODBYE = r"\b(?:Best|Regards|Sincerely|Yours|Cheers|Love|[Rr]egards|[Ww]ishes|[Tt]ruly),?\s{1,4}"
_ABOUT_ITSELF = (
    r"\b(?:[Aa]s an?|I(?:'m|’m| am)(?: an?)?|I was|I(?:'ve|’ve| have) been"
    r"|(?:AI|language) (?:model|assistant))\b"
)


def find(text: str, names: Iterable[str], query: str = "") -> tuple[Leak, ...]:
    """Return what tells, in order and without overlap.

    Args:
        text: The answer.
        names: The ids of the models that play the two tiers.
        query: What was asked; a name in it may be repeated by any model.
    """
    own = tuple(filter(None, map(words, names)))
    code = [found.span() for found in _CODE.finditer(text)]
    asked = {word.lower() for word in _WORD.findall(query)}
    found = sorted(_all(text, own), key=lambda hit: (hit[1], _ORDER.index(hit[0]), hit[1] - hit[2]))
    return tuple(
        Leak(kind, start, end, _inside(start, code) or _is_asked(text[start:end], asked))
        for kind, start, end in _apart(found)
    )


def mask(text: str, leaks: Iterable[Leak]) -> str:
    """Return the text with each leak that is to be masked replaced by a neutral word."""
    for leak in sorted(leaks, key=lambda leak: leak.start, reverse=True):
        if leak.masked:
            text = text[: leak.start] + MASK + text[leak.end :]
    return text


_ME = r"(?:made|built|created|developed|trained|designed) me\b"
_VENDOR = (
    rf"(?P<name>{modelnames.VENDORS})\b"
    r"(?! (?:engineers|researchers|scientists|employees|staff|teams?)\b)"
)
_Hit = tuple[Kind, int, int]


def _all(text: str, own: tuple[tuple[str, ...], ...]) -> Iterator[_Hit]:
    for kind, pattern in (*_FIXED, *_own_patterns(own)):
        for found in pattern.finditer(text):
            yield kind, *found.span("name" if "name" in pattern.groupindex else 0)


def _who(names: str) -> Iterator[tuple[Kind, re.Pattern[str]]]:
    """Yield how a speaker gives its own name: a statement, a maker, a signature."""
    who = rf"(?:(?:{modelnames.VENDORS})(?:'s|’s)? )?(?:{names})(?:[- ]\d[\w.]*)?(?! [A-Z][a-z])"
    yield Kind.SELF, re.compile(rf"{_LEAD}(?P<name>{who})(?![\w'’-])")
    yield Kind.SELF, re.compile(rf"\b[Aa]s (?P<name>{who}), (?=(?:I|an? AI|my)\b)")
    yield (
        Kind.SELF,
        re.compile(
            rf"^[ >*_]{{0,9}}[-—–~]{{1,3}} ?(?P<name>{who}(?: \([^()\n]{{1,40}}\))?)\W{{0,9}}\Z",
            re.M,
        ),
    )
    yield Kind.SELF, re.compile(rf"{_GOODBYE}(?P<name>{who})\W{{0,9}}\Z")


_FIXED: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    *_who(modelnames.FAMILIES),
    (Kind.SELF, re.compile(rf"{_ABOUT_ITSELF}(?:[^.!?\n]|\.(?=\d)){{0,80}}?{_MADE}{_VENDOR}")),
    (Kind.SELF, re.compile(rf"\b[Mm]y (?:creator|maker|developer)s?(?: is| are| at|,)? {_VENDOR}")),
    (Kind.SELF, re.compile(rf"\b{_VENDOR},? (?:\w+ ){{0,3}}{_ME}")),
    (Kind.MODEL, re.compile(rf"(?<![\w/-])(?:{modelnames.MODELS})(?!\w){modelnames.NOT_A_COUNT}")),
    (Kind.NAME, re.compile(rf"(?<![\w/.@-])(?:{modelnames.ALONE})(?![\w])")),
    (Kind.PHRASE, re.compile(_PHRASES)),
    (Kind.MARKUP, re.compile(_MARKUP, re.MULTILINE)),
)  # fmt: skip


def words(model: str) -> tuple[str, ...]:
    """Split a model's id into its words: no vendor before a slash, no date behind."""
    bare = _DATE.sub("", model.rsplit("/", 1)[-1])
    return tuple(word for word in _WORD.findall(bare) if not re.fullmatch(r"\d{6,8}", word))


def _own_patterns(own: tuple[tuple[str, ...], ...]) -> Iterator[tuple[Kind, re.Pattern[str]]]:
    families = {word.lower() for name in own for word in name if len(word) > 2 and word.isalpha()}
    families -= modelnames.COMMON
    for name in own:
        joined = r"[-_ .:]?".join(map(re.escape, name))
        # An id that is one plain word may be any word.
        kind = Kind.NAME if len(name) == 1 and name[0].isalpha() else Kind.OWN_ID
        date = rf"(?:{_DATE.pattern}|[-@:]\d{{4,8}})?"
        yield kind, re.compile(rf"(?<![\w-]){joined}{date}(?![\w])", re.IGNORECASE)
    if families:
        names = "|".join(map(re.escape, sorted(families)))
        yield from _who(f"(?i:{names})")
        yield Kind.NAME, re.compile(rf"(?<![\w/.@-])(?:{names})(?![\w])", re.IGNORECASE)


def _apart(hits: Iterable[_Hit]) -> Iterator[_Hit]:
    """Join what overlaps into one passage of the strongest kind."""
    open_: _Hit | None = None
    for kind, start, end in hits:
        if open_ and start < open_[2]:
            stronger = min(open_[0], kind, key=_ORDER.index)
            open_ = (stronger, open_[1], max(open_[2], end))
            continue
        if open_:
            yield open_
        open_ = (kind, start, end)
    if open_:
        yield open_


def _inside(position: int, spans: list[tuple[int, int]]) -> bool:
    index = bisect_right(spans, position, key=lambda span: span[0]) - 1
    return index >= 0 and position < spans[index][1]


def _is_asked(name: str, asked: set[str]) -> bool:
    words = {word.lower() for word in _WORD.findall(name) if word.isalpha()} - modelnames.COMMON
    return bool(words & asked)
