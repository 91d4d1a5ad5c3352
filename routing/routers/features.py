"""What a learned router reads off a text beside its embedding: n-grams as hashes, and its surface.

Everything is computed from code points with numpy, in a fraction of a millisecond: of a long text
the first 4,096 characters. Hashes stand for n-grams, so that an artifact holds no text. They are
this module's own, the same in every process and release: artifacts depend on them.
"""

from __future__ import annotations

import re
from collections import Counter
from math import log, log1p
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Hashes = NDArray[np.uint64]
FloatArray = NDArray[np.float64]

#: What is read of a text.
MAX_CHARS = 4096
_SPACE = 32
_LONG_WORD, _LARGE = 8, 100

_COMMON = (
    "a an the of to in on at for and or but is are was were be been it its this that these those"
    " he she they his her their him them we you i as by with from not no do does did has have had"
    " will would can could so what which who how"
)
_COMPARING = (
    "than more less fewer twice half times each every per percent total remaining left average"
    " rate ratio double triple third quarter another rest same difference"
)
_CONDITIONAL = "if when unless until after before while then except only not without never"
_COUNTING = (
    "one two three four five six seven eight nine ten eleven twelve dozen half third quarter twice"
)
_WORDINGS = tuple(
    frozenset(words.split()) for words in (_COMMON, _COMPARING, _CONDITIONAL, _COUNTING)
)
_WORD = re.compile(r"[a-z']+")
_TOKEN = re.compile(r"\w+|[^\w\s]")
#: The same in ASCII, in two thirds of the time; four control characters are spaces to the other.
_ASCII_TOKEN = re.compile(r"\w+|[^\w\s\x1c-\x1f]", re.ASCII)
_ONE_DIGIT = re.compile(r"\d")
#: Every ASCII character, a zero for each digit: a string is found in faster than a dictionary.
_ZEROS = "".join("0" if chr(code).isdigit() else chr(code) for code in range(128))
_NUMBER = re.compile(r"\d[\d,]*\.?\d*", re.ASCII)
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_CODE = ("```", "def ", "();", "return ", "SELECT ", "{\n", "}\n", ";\n")
_MATH = tuple(ord(mark) for mark in "+-*/=^<>\\$%()[]{}")
_CAPITALISED = re.compile(r"(?<![A-Z])[A-Z][a-z]")
# Of SplitMix64, as numpy has them: a Python number would be converted at each use.
_GOLDEN, _FIRST, _SECOND = (
    np.array(value, np.uint64)[()]
    for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
_21, _27, _30, _31, _42 = map(np.uint64, (21, 27, 30, 31, 42))
_THREE = np.uint64(3)

#: In the order of `surface`; the first dozen are the shape.
SHAPE = 12
NAMES = (
    "log characters",
    "log words",
    "characters a word",
    "digits",
    "log numbers",
    "log lines",
    "mathematical marks",
    "different words",
    "question marks",
    "looks like code",
    "capitals",
    "log commas",
    "log sentences",
    "words a sentence",
    "common words",
    "log comparing words",
    "log conditional words",
    "log number words",
    "commonest word",
    "long words",
    "log longest word",
    "log largest number",
    "log decimal numbers",
    "log different numbers",
    "log large numbers",
    "log percent signs",
    "log dollar signs",
    "log slashes",
    "log brackets",
    "log quotation marks",
    "entropy of characters",
    "log characters above ASCII",
    "capitalised words",
)


class Counted(NamedTuple):
    """Hold the n-grams of a text: each hash once, rising, with how often it is there."""

    hashes: Hashes
    counts: NDArray[np.intp]


def clip(text: str) -> str:
    """Return the part of a text that is read."""
    return text[:MAX_CHARS]


def char_grams(text: str) -> Counted:
    """Count runs of 2 to 4 characters inside words, each word with a space before and after it.

    Case is ignored. Two spaces never meet, so that a run has one at an end only.
    """
    codes = _codes(" " + " ".join(clip(text).lower().split()) + " ").astype(np.uint64)
    inside = codes != _SPACE
    twos = codes[:-1] | codes[1:] << _21
    threes = twos[:-1] | codes[2:] << _42
    within = inside[1:-1]
    both = within[:-1] & within[1:]
    fours = _mixed(threes[:-1][both]) + codes[3:][both]
    return _counted(_mixed(np.concatenate([twos, threes[within], fours])))


def word_grams(text: str) -> Counted:
    """Count words and punctuation marks, and each two of them that follow one another.

    Case is ignored, and so is which digits a number has: only how many.
    """
    sums = [crc32(token.encode("utf-8", "surrogatepass")) for token in _tokens(clip(text).lower())]
    words = _mixed(np.array(sums, np.uint64))
    pairs = _mixed(words[:-1] * _THREE ^ words[1:])
    return _counted(np.concatenate([words, pairs]))


def _tokens(lower: str) -> list[str]:
    if lower.isascii():
        return _ASCII_TOKEN.findall(lower.translate(_ZEROS))
    return _TOKEN.findall(_ONE_DIGIT.sub("0", lower))


def surface(text: str) -> FloatArray:
    """Return numbers that describe how a text looks, in the order of `NAMES`."""
    read = clip(text)
    lower = read.lower()
    words, numbers = _WORD.findall(lower), _NUMBER.findall(read)
    # How often each ASCII character is there, and, as one, all others.
    each = np.bincount(np.minimum(_codes(read), 128), minlength=129).tolist()
    return np.array(
        [
            *_shape(read, lower.split(), each, len(numbers)),
            *_wording(words, len(_SENTENCE_END.findall(read))),
            *_numbers(numbers),
            *_marks(each, len(_CAPITALISED.findall(read)) / max(len(words), 1)),
        ]
    )


def _shape(read: str, pieces: list[str], each: list[int], numbers: int) -> tuple[float, ...]:
    n, many = max(len(read), 1), max(len(pieces), 1)
    return (
        log1p(n),
        log1p(many),
        n / many,
        sum(each[48:58]) / n,
        log1p(numbers),
        log1p(each[10]),
        sum(each[mark] for mark in _MATH) / n,
        len(set(pieces)) / many,
        each[63],
        float(any(mark in read for mark in _CODE)),
        sum(each[65:91]) / n,
        log1p(each[44]),
    )


def _wording(words: list[str], sentences: int) -> tuple[float, ...]:
    found, many = Counter(words), max(len(words), 1)
    common, *others = (sum(found[word] for word in found.keys() & kind) for kind in _WORDINGS)
    return (
        log1p(sentences),
        len(words) / max(sentences, 1) / 20,
        common / many,
        *map(log1p, others),
        max(found.values(), default=0) / many,
        sum(len(word) > _LONG_WORD for word in words) / many,
        log1p(max(map(len, found), default=0)),
    )


def _numbers(written: list[str]) -> tuple[float, ...]:
    # Of a longer number only the first digits: it would be infinite at some length.
    values = [float(number.replace(",", "")[:15]) for number in written]
    return (
        log1p(max(values, default=0.0)),
        log1p(sum("." in number.rstrip(".") for number in written)),
        log1p(len(set(values))),
        log1p(sum(value >= _LARGE for value in values)),
    )


def _marks(each: list[int], capitalised: float) -> tuple[float, ...]:
    n = max(sum(each), 1)
    return (
        *(log1p(each[ord(mark)]) for mark in "%$/("),
        log1p(each[34] + each[39]),
        -sum(many / n * log(many / n) for many in each if many),
        log1p(each[128]),
        capitalised,
    )


def _codes(text: str) -> Codes:
    # A lone surrogate, which JSON can carry, is a code point like others here.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _mixed(values: Hashes) -> Hashes:
    """Spread every bit over all others: the finalizer of SplitMix64, which overflows by intent."""
    mixed = values + _GOLDEN
    mixed ^= mixed >> _30
    mixed *= _FIRST
    mixed ^= mixed >> _27
    mixed *= _SECOND
    mixed ^= mixed >> _31
    return mixed


def _counted(found: Hashes) -> Counted:
    # As np.unique does, in a fifth of its time.
    if not found.size:
        return Counted(found, np.empty(0, np.intp))
    found.sort()
    differs = np.ones(found.size + 1, np.bool_)
    np.not_equal(found[1:], found[:-1], out=differs[1:-1])
    edges = np.flatnonzero(differs)
    return Counted(found[edges[:-1]], edges[1:] - edges[:-1])
