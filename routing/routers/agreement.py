"""How far two answers to one question say the same.

Short answers agree or they do not, once spelling is set aside: between 41 and 42 there is no half.
Longer ones share words: F1 of their tokens. JSON is compared as values.

Source: F1 of tokens and the normalising of short answers are those of the SQuAD evaluation
(Rajpurkar et al. 2016, section 6.1), here for more scripts.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

#: Answers of up to so many tokens are compared as a whole.
SHORT = 6
#: Of longer answers this much is compared: enough to see whether they differ.
MOST_CHARS = 20_000
_MOST_LEAVES = 10_000
#: Scripts without spaces count by letters; a number keeps its point.
_TOKEN = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]|[-+]?\d+(?:\.\d+)?|[^\W\d_]+"
)
_THOUSANDS = re.compile(r"(?<=\d)[, '’\u202f](?=\d{3}(?!\d))")
_ARTICLES = {"a", "an", "the"}


def agreement(one: str, other: str, is_json: bool = False) -> float:
    """Return how far two answers agree, in [0, 1].

    Example:
        >>> agreement("**42**", "42.0")
        1.0
        >>> agreement("Paris", "Lyon")
        0.0
    """
    if one == other:
        return 1.0
    values = _value(one, is_json), _value(other, is_json)
    if None not in values:
        return _f1(_leaves(values[0]), _leaves(values[1]))
    tokens = _tokens(one), _tokens(other)
    if max(map(len, tokens)) <= SHORT:
        return float(tokens[0] == tokens[1] and bool(tokens[0]))
    return _f1(Counter(tokens[0]), Counter(tokens[1]))


def _value(text: str, is_json: bool) -> Any:
    """Return the value of a JSON object or list, of any JSON where that was wanted; else None."""
    if len(text) > MOST_CHARS or not (is_json or text.lstrip()[:1] in ("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _leaves(value: Any) -> Counter[tuple[str, str]]:
    """Count the ends of a JSON value, each with its place; the order of members is no matter."""
    return Counter(_walk(value))


def _walk(value: Any) -> Iterator[tuple[str, str]]:
    waiting, told = [("", value)], 0
    while waiting and told < _MOST_LEAVES:
        place, value = waiting.pop()
        if isinstance(value, dict) and value:
            waiting += [(f"{place}/{json.dumps(key)}", inner) for key, inner in value.items()]
        elif isinstance(value, list) and value:
            waiting += [(f"{place}/{n}", inner) for n, inner in enumerate(value)]
        else:
            told += 1
            yield place, _leaf(value)


def _leaf(value: Any) -> str:
    """Return one spelling for one value: 1 and 1.0 are the same number, true is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.12g}" if abs(value) < 1e300 else str(value)
    return json.dumps(value)


def _tokens(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text[:MOST_CHARS]).casefold()
    found = _TOKEN.findall(_THOUSANDS.sub("", folded))
    # Alone it is no article: "A" may be the answer to a question with choices.
    said = [token for token in found if token not in _ARTICLES] if len(found) > 1 else found
    return [_number(token) for token in said]


def _number(token: str) -> str:
    """Return a number in one spelling: 42, 42.0 and +42 are the same."""
    if not token[-1].isdigit():
        return token
    whole, _, part = token.removeprefix("+").partition(".")
    part = part.rstrip("0")
    return f"{whole}.{part}" if part else whole


def _f1(one: Counter[Any], other: Counter[Any]) -> float:
    shared = (one & other).total()
    return 2 * shared / (one.total() + other.total()) if shared else 0.0
