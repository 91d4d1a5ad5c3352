"""Heuristics that label a pair without asking anybody. Pure: no Django, texts in, a label out.

Each has a name and a sentence, and says nothing where it is not sure. They are the weakest labels
there are: people and judges are believed before them. How often each is right was measured on
recorded answers with a key; see docs/adr/0035.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from routing.routers import gates
from routing.routers.asking import Seen

#: By name, what a heuristic goes by, as people read it. The first that speaks is believed.
SENTENCES = {
    "answer_key": "An answer key that came with the pair says which answers are right.",
    "feedback": "The application told what became of the cheap answer when it was served.",
    "empty": "The cheap answer is empty, the expensive one is not.",
    "truncated": "The cheap answer reached its length limit, the expensive one ended by itself.",
    "refusal": "The cheap answer begins with a refusal, the expensive one does not.",
    "broken_json": "The expensive answer is JSON as a whole; the cheap one begins so and is none.",
    "same_answer": "Both answers say the same, but for case, space and punctuation.",
    "same_result": "Both answers name the same final result.",
    "other_result": "The answers name different final results, so that the cheap one is doubted.",
}
#: How well the expensive answer does, where only the cheap one is known to fail.
UNKNOWN = 0.5
#: What is wrong with an answer on its face, as gates of routers see it.
_FAILURES = ("empty", "truncated", "refusal")
_SPACE = re.compile(r"[\s*_`#>\"'“”‘’.,;:!?()\[\]{}-]+")
#: Longer answers are alike by no accident, and never to the letter.
_LONGEST_COMPARED = 4_000
_BEGINNING = 80
_TAIL = 600
_RESULTS = (
    re.compile(r"####\s*([^\n]{1,60})"),
    re.compile(r"\\boxed\{([^{}\n]{1,60})\}"),
    re.compile(r'"answer"\s*:\s*"?([^"\n}]{1,60})'),
    re.compile(
        r"\b(?:final |correct |best )?(?:answer|result|option|choice)(?: is|:|\s*=)\s*:?\s*\**\s*"
        r"([^\n]{1,60})",
        re.IGNORECASE,
    ),
)
_NUMBER = re.compile(r"[-−]?\$?\s?\d[\d,  ]*(?:\.\d+)?(?:\s*/\s*\d+)?")
_LETTER = re.compile(r"\(?([A-J])\)?(?![A-Za-z'’])")


class Answer(NamedTuple):
    """One stored answer: its text, and why it ended, in the words of the API it came by."""

    text: str
    stop_reason: str = ""


class Told(NamedTuple):
    """What a heuristic says: its name, and how well each answer does, in [0, 1]."""

    name: str
    cheap_ok: float
    expensive_ok: float


def of_answers(cheap: Answer, expensive: Answer) -> Told | None:
    r"""Return what the first heuristic says that is sure of two answers; None when none is.

    Example:
        >>> of_answers(Answer("I'm sorry, but I can't help."), Answer("Press Save."))
        Told(name='refusal', cheap_ok=0.0, expensive_ok=1.0)
        >>> of_answers(Answer("So it is 3.\n#### 3"), Answer("Thus 3.0. #### 3.0")).name
        'same_result'
        >>> of_answers(Answer("Press Save."), Answer("Use the menu."))
    """
    if failed(expensive):
        return None
    if name := failed(cheap):
        return Told(name, 0.0, 1.0)
    if is_broken_json(cheap) and _is_json(expensive):
        return Told("broken_json", 0.0, 1.0)
    if is_broken_json(expensive) and _is_json(cheap):
        return None
    return _of_contents(cheap.text, expensive.text)


def _of_contents(cheap: str, expensive: str) -> Told | None:
    if _are_alike(cheap, expensive):
        return Told("same_answer", 1.0, 1.0)
    one = result(cheap)
    other = result(expensive) if one else ""
    if not one or not other:
        return None
    if one == other:
        return Told("same_result", 1.0, 1.0)
    # One may be a number and the other words: they differ in form, and perhaps in nothing else.
    is_comparable = one[0] == other[0]
    return Told("other_result", 0.0, UNKNOWN) if is_comparable else None


def of_feedback(*, is_cheap: bool, thumb: str, task_completed: bool | None) -> Told | None:
    """Return what an application's words say; None when they contradict each other or say nothing.

    Words about an expensive answer say nothing of the cheap one that nobody got.

    Args:
        is_cheap: whether the cheap answer was served.
        thumb: `up`, `down` or nothing.
        task_completed: None when it was not said.

    Example:
        >>> of_feedback(is_cheap=True, thumb="down", task_completed=None)
        Told(name='feedback', cheap_ok=0.0, expensive_ok=0.5)
    """
    said = {thumb == "up"} if thumb else set()
    said |= {task_completed} if task_completed is not None else set()
    if not is_cheap or len(said) != 1:
        return None
    return Told("feedback", 1.0, 1.0) if said.pop() else Told("feedback", 0.0, UNKNOWN)


def failed(answer: Answer) -> str:
    """Return what is wrong with an answer on its face, or nothing."""
    return gates.failed(Seen((answer.text,), (None,), answer.stop_reason), _FAILURES)


def is_broken_json(answer: Answer) -> bool:
    """Return whether an answer begins as JSON does and is none."""
    return answer.text.lstrip()[:1] in ("{", "[") and not _is_json(answer)


def _is_json(answer: Answer) -> bool:
    if answer.text.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(answer.text)
    except (ValueError, RecursionError):
        return False
    return True


def _are_alike(one: str, other: str) -> bool:
    """Return whether two answers say the same; most differ at once, and are not read to the end."""
    if max(len(one), len(other)) > _LONGEST_COMPARED or _begins(one) != _begins(other):
        return False
    plain = _plain(one)
    return bool(plain) and plain == _plain(other)


def _begins(text: str) -> str:
    return _plain(text[:_BEGINNING])[: _BEGINNING // 4]


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()


def result(text: str) -> str:
    r"""Return the final result that an answer names, in one spelling; nothing when it names none.

    Letters of choices begin with `=`, numbers with `#`: the two are never compared.

    Example:
        >>> result("The answer is (B)."), result("Hence \\boxed{1,200.0}"), result("It depends.")
        ('=B', '#1200', '')
    """
    end = text[-_TAIL:]
    for pattern in _RESULTS:
        if found := pattern.findall(end):
            return _spelled(found[-1])
    return ""


def _spelled(said: str) -> str:
    if letter := _LETTER.match(said.strip(" *$")):
        return f"={letter[1]}"
    number = _NUMBER.search(said)
    return f"#{_number(number[0])}" if number else ""


def _number(said: str) -> str:
    bare = re.sub(r"[$,\s ]", "", said).replace("−", "-")
    return bare if "/" in bare else f"{float(bare):.12g}"
