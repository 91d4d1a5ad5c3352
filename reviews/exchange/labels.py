"""What other tools export, in one shape: a label says what one person chose, by side.

Nothing here knows a tier or a row. What is malformed is refused with its place in the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

from reviews.errors import BadInput

MOST_BYTES = 50_000_000
#: With so many refused rows the file is not what was meant.
MOST_REFUSED = 1_000
_MOST_NAME = 120
_LINE = re.compile(r"[^\n]*\n?")
_SPACE = re.compile(r"[ \t\n\r]*")

#: What is understood of a preference, by its words in lower case with `_` for spaces and hyphens.
PREFERENCES = {
    "left": "left", "a": "left", "a_is_better": "left", "left_is_better": "left",
    "right": "right", "b": "right", "b_is_better": "right", "right_is_better": "right",
    "tie": "tie", "equal": "tie", "about_equal": "tie", "same": "tie",
    "both_bad": "both_bad", "neither": "both_bad",
    "cannot": "cannot", "cannot_judge": "cannot",
}  # fmt: skip
_YES = ("yes", "true", "good_enough", "adequate")
_NO = ("no", "false", "not_good_enough", "inadequate")


@dataclass(frozen=True)
class Names:
    """How the tool's project names things; the defaults are those of the tasks made here.

    Attributes:
        left: field of the text that stood left.
        preference: control or question whose answer prefers a side.
        left_adequate: control or question that says whether the left answer is good enough.
        left_supported: that says whether the sources support it; it need not be there.
        adequate_from: a rating of so many or more is good enough; None when no rating says so.
    """

    left: str = "left"
    right: str = "right"
    preference: str = "preference"
    left_adequate: str = "left_adequate"
    right_adequate: str = "right_adequate"
    left_supported: str = "left_supported"
    right_supported: str = "right_supported"
    adequate_from: float | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """What one person said of one item.

    Attributes:
        row: place of the item in the file, from 1.
        rater: the person, as the tool names them.
        where: ids by which the item may be known: of the request, or `pair` and its number.
        preference: `left`, `right`, `tie`, `both_bad`, `cannot`, or nothing.
        at: when it was said, to order what one person said twice; nothing when unknown.
    """

    row: int
    rater: str
    where: tuple[str, ...]
    left: str
    right: str
    preference: str
    left_adequate: bool | None
    right_adequate: bool | None
    at: str = ""
    left_supported: bool | None = None
    right_supported: bool | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be taken, and why."""

    row: int
    reason: str


@dataclass
class Read:
    """What a file holds.

    Attributes:
        skipped: answers that are none: cancelled, drafts, discarded, ground truth.
    """

    labels: list[Label] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    skipped: int = 0


class Malformed(ValueError):
    """A row is not what the tool writes; the message is for people."""


def refuse(refused: list[Refused], row: int, why: Malformed) -> None:
    """Note a row that cannot be taken, before such rows fill the memory.

    Raises:
        BadInput: at `MOST_REFUSED` rows.
    """
    refused.append(Refused(row, f"{why}."))
    if len(refused) >= MOST_REFUSED:
        first = refused[0]
        raise BadInput(
            f"{MOST_REFUSED:,} rows are refused; the first is row {first.row}: {first.reason} "
            "The rest was not looked at, and nothing was imported."
        )


def items(content: bytes) -> Iterator[Any]:
    """Return the items of a file, a JSON array or one object a line, each as it is asked for.

    Raises:
        BadInput: when the file is too large or no such file; what is wrong further on is said when
            the items before it were read.
    """
    if len(content) > MOST_BYTES:
        raise BadInput(f"The file is larger than {MOST_BYTES // 1_000_000} MB: split it.")
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as exc:
        raise BadInput("The file is not UTF-8 text.") from exc
    found = _array(text) if text.startswith("[") else _lines(text)
    first = [*islice(found, 1)]
    if not first:
        raise BadInput("The file holds nothing.")
    return chain(first, found)


def _array(text: str) -> Iterator[Any]:
    at, end = _past_space(text, 1), len(text) - 1
    while at < end:
        item, at = _decode(text, at, "The file")
        yield item
        at = _past_space(text, at)
        if at < end:
            at = _past_space(text, at + 1) if text[at] == "," else end
            if at == end:
                raise BadInput("The file is not JSON.")
    if at != end or text[at] != "]":
        raise BadInput("The file is not JSON.")


def _past_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _lines(text: str) -> Iterator[Any]:
    for number, found in enumerate(_LINE.finditer(text), 1):
        if line := found[0].strip():
            item, end = _decode(line, 0, f"Line {number}")
            if end != len(line):
                raise BadInput(f"Line {number} is not JSON.")
            yield item


def _decode(text: str, at: int, what: str) -> tuple[Any, int]:
    """Return the value that begins at a place, and the place behind it."""
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError as exc:
        raise BadInput(f"{what} is nested too deep.") from exc
    except ValueError as exc:
        raise BadInput(f"{what} is not JSON.") from exc


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def obj(value: Any, what: str) -> dict[str, Any]:
    """Return the value, which must be an object.

    Raises:
        Malformed: when it is not.
    """
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not an object")
    return value


def array(value: Any, what: str) -> list[Any]:
    """Return the value, which must be a list.

    Raises:
        Malformed: when it is not.
    """
    if not isinstance(value, list):
        raise Malformed(f"{what} is not a list")
    return value


def texts(fields: Mapping[str, Any], names: Names) -> tuple[str, str]:
    """Return what stood left and right.

    Raises:
        Malformed: when a text is missing.
    """
    for name in (names.left, names.right):
        if not isinstance(fields.get(name), str):
            raise Malformed(f"the text {name} is missing")
    return fields[names.left], fields[names.right]


def where(*places: Any) -> tuple[str, ...]:
    """Return the ids that name the item, `request_id` or `pair_id`, from wherever they are.

    Raises:
        Malformed: when there is none.
    """
    found: list[str] = []
    for place in places:
        given = place if isinstance(place, dict) else {}
        request_id, pair_id = given.get("request_id"), given.get("pair_id")
        if isinstance(request_id, str):
            found.append(request_id.strip())
        if isinstance(pair_id, int | str) and not isinstance(pair_id, bool):
            found.append(f"pair {pair_id}")
    if not found:
        raise Malformed("it names no request_id or pair_id")
    return tuple(dict.fromkeys(found))


def person(tool: str, name: Any) -> str:
    """Return a person's name, with the tool in which it is theirs.

    Raises:
        Malformed: when nobody is named.
    """
    is_name = isinstance(name, int | str) and not isinstance(name, bool)
    text = str(name).strip() if is_name else ""
    if not text or text == "None" or len(text) > _MOST_NAME or not text.isprintable():
        raise Malformed("it does not say who answered")
    return f"{tool}/{text}"


def preference(value: Any) -> str:
    """Return what is preferred.

    Raises:
        Malformed: when the words are none of those known.
    """
    found = PREFERENCES.get(_word(value))
    if found is None:
        raise Malformed("its preference is none of left, right, tie, both_bad and cannot")
    return found


def adequate(value: Any, names: Names) -> bool | None:
    """Return whether an answer is good enough by a yes, a no or a rating; None when not said.

    Raises:
        Malformed: when it is neither, or a rating and nobody said from where on it is enough.
    """
    if value is None:
        return None
    if isinstance(value, int | float) and not isinstance(value, bool):
        if names.adequate_from is None or value != value:
            raise Malformed("it rates, and no rating was named from which on it is good enough")
        return value >= names.adequate_from
    word = _word(value)
    if word not in _YES + _NO:
        raise Malformed("whether an answer is good enough is neither yes nor no")
    return word in _YES


def supported(value: Any) -> bool | None:
    """Return whether the sources support an answer by a yes or a no; None when not said.

    Raises:
        Malformed: when it is neither.
    """
    if value is None or value == []:
        return None
    word = _word(value)
    if word not in ("yes", "no"):
        raise Malformed("whether sources support an answer is neither yes nor no")
    return word == "yes"


def _word(value: Any) -> str:
    """Return a choice in one spelling; a list of one choice is that choice."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, int | str):
        return ""
    return str(value).strip().lower().replace(" ", "_").replace("-", "_")
