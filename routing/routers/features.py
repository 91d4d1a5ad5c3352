"""What a learned router reads off a text beside its embedding: n-grams as hashes, and its surface.

Everything is computed from code points with numpy, in a fraction of a millisecond: of a long text
the first 4,096 characters. Hashes stand for n-grams, so that an artifact holds no text. They are
this module's own, the same in every process and release: artifacts depend on them.
"""

from __future__ import annotations

import re
from collections import Counter
from math import log1p
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
_ONE_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d[\d,]*\.?\d*", re.ASCII)
_SENTENCE_END = re.compile(r"[.!?](?:\s|$)")
_CODE = ("```", "def ", "();", "return ", "SELECT ", "{\n", "}\n", ";\n")
_MATH = np.array([ord(mark) for mark in "+-*/=^<>\\$%()[]{}"])

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
    twos = codes[:-1] | codes[1:] << np.uint64(21)
    threes = twos[:-1] | codes[2:] << np.uint64(42)
    fours = _mixed(threes[:-1]) + codes[3:]
    within = inside[1:-1]
    return _counted(_mixed(np.concatenate([twos, threes[within], fours[within[:-1] & within[1:]]])))


def word_grams(text: str) -> Counted:
    """Count words and punctuation marks, and each two of them that follow one another.

    Case is ignored, and so is which digits a number has: only how many.
    """
    tokens = _TOKEN.findall(_ONE_DIGIT.sub("0", clip(text).lower()))
    sums = [crc32(token.encode("utf-8", "surrogatepass")) for token in tokens]
    words = _mixed(np.array(sums, np.uint64))
    pairs = _mixed(words[:-1] * np.uint64(3) ^ words[1:])
    return _counted(np.concatenate([words, pairs]))


def surface(text: str) -> FloatArray:
    """Return numbers that describe how a text looks, in the order of `NAMES`."""
    read = clip(text)
    lower = read.lower()
    codes, words, numbers = _codes(read), _WORD.findall(lower), _NUMBER.findall(read)
    # How often each ASCII character is there, and, as one, all others.
    each = np.bincount(np.minimum(codes, 128), minlength=129)
    return np.array(
        [
            *_shape(read, lower.split(), each, len(numbers)),
            *_wording(words, len(_SENTENCE_END.findall(read))),
            *_numbers(numbers),
            *_marks(codes, each, max(len(words), 1)),
        ]
    )


def _shape(read: str, pieces: list[str], each: NDArray[np.intp], numbers: int) -> tuple[float, ...]:
    n, many = max(len(read), 1), max(len(pieces), 1)
    return (
        log1p(n),
        log1p(many),
        n / many,
        int(each[48:58].sum()) / n,
        log1p(numbers),
        log1p(each[10]),
        int(each[_MATH].sum()) / n,
        len(set(pieces)) / many,
        int(each[63]),
        float(any(mark in read for mark in _CODE)),
        int(each[65:91].sum()) / n,
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


def _marks(codes: Codes, each: NDArray[np.intp], many: int) -> tuple[float, ...]:
    share = each[each > 0] / max(codes.size, 1)
    upper = (codes >= ord("A")) & (codes <= ord("Z"))
    capital = upper[:-1] & (codes[1:] >= ord("a")) & (codes[1:] <= ord("z"))
    capital[1:] &= ~upper[:-2]
    return (
        *(log1p(each[ord(mark)]) for mark in "%$/("),
        log1p(each[34] + each[39]),
        -float(share @ np.log(share)),
        log1p(each[128]),
        int(capital.sum()) / many,
    )


def _codes(text: str) -> Codes:
    # A lone surrogate, which JSON can carry, is a code point like others here.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _mixed(values: Hashes) -> Hashes:
    """Spread every bit over all others: the finalizer of SplitMix64, which overflows by intent."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _counted(found: Hashes) -> Counted:
    # As np.unique does, in a third of its time.
    if not found.size:
        return Counted(found, np.empty(0, np.intp))
    found.sort()
    begins = np.append(0, np.flatnonzero(found[1:] != found[:-1]) + 1)
    return Counted(found[begins], np.diff(np.append(begins, found.size)))
