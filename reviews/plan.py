"""What a lead decides when a study starts: every number with its range, and what it means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from reviews.errors import BadInput

_MOST_NAME = 120


class Number(NamedTuple):
    """The range of one number of a plan, and the line that explains it."""

    label: str
    low: float
    high: float
    step: float
    about: str

    @property
    def is_whole(self) -> bool:
        """Return whether only whole numbers fit."""
        return self.step == 1


NUMBERS = {
    "rate": Number(
        "Share drawn to calibrate", 0.001, 1, 0.001,
        "Of the pairs that matter, so many are rated for the curve: 0.15 is 15 in 100.",
    ),
    "tilt": Number(
        "Tilt", 1, 4, 0.1,
        "How many times likelier the highest scores are drawn than the lowest; 1 is equal.",
    ),
    "train_rate": Number(
        "Share for training", 0, 1, 0.001,
        "So many more are rated to train a router. No pair serves both.",
    ),
    "ratings_per_pair": Number(
        "Ratings per pair", 1, 5, 1, "How many people rate each drawn pair.",
    ),
    "second_share": Number(
        "Share rated once more", 0, 1, 0.01,
        "Of the drawn pairs, so many get one rating more: it shows how far raters agree.",
    ),
    "rater_target": Number(
        "Pairs per rater", 1, 10_000, 1,
        "What each rater sees as their goal; nobody is stopped there.",
    ),
    "check_every": Number(
        "Hidden check about every", 0, 1000, 1,
        "Gold, repeats and identical answers among the pairs: 10 is about one in ten, 0 is never.",
    ),
    "origin_every": Number(
        "Ask for the origin about every", 0, 1000, 1,
        "After a rating: which answer came from the costlier model? 0 is never.",
    ),
    "practice_pairs": Number(
        "Practice pairs", 0, 50, 1,
        "Gold pairs with feedback before a rater’s first real one, as far as there is gold.",
    ),
    "largest_threshold": Number(
        "Largest candidate threshold", 0.01, 1.01, 0.01,
        "Pairs scored at or above it are not drawn: no threshold in question sends them to CHEAP.",
    ),
}  # fmt: skip
SWITCHES = {
    "masks_leaks": (
        "Mask leaks", "What tells the model, such as “As Claude, …”, is masked in both answers."
    ),
    "normalises_style": (
        "Make style alike", "Headings, lists and bold become plain, so that form does not decide."
    ),
}  # fmt: skip


class PlanError(BadInput):
    """A plan that cannot be.

    Attributes:
        problems: by field, one sentence each.
    """

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


@dataclass(frozen=True)
class Plan:
    """The sampling plan of a study; the names are the study's own.

    Raises:
        PlanError: with every problem at once.
    """

    name: str
    rate: float = 0.15
    tilt: float = 1.0
    train_rate: float = 0.0
    ratings_per_pair: int = 1
    second_share: float = 0.15
    rater_target: int = 40
    check_every: int = 10
    origin_every: int = 10
    practice_pairs: int = 5
    masks_leaks: bool = True
    normalises_style: bool = False
    largest_threshold: float = 1.01

    def __post_init__(self) -> None:
        problems = {} if self.name.strip() else {"name": "Give the study a name."}
        for name, number in NUMBERS.items():
            if problem := _problem(number, getattr(self, name)):
                problems[name] = problem
        if not problems and self.rate * self.tilt + self.train_rate > 1 + 1e-9:
            problems["train_rate"] = (
                "Share to calibrate times tilt, plus share for training, is more than 1: "
                "no pair can serve both."
            )
        if problems:
            raise PlanError(problems)

    @property
    def ratings(self) -> float:
        """Return the ratings that a drawn pair gets on average."""
        return self.ratings_per_pair + self.second_share

    def as_fields(self) -> dict[str, Any]:
        """Return the plan by name of the study's fields."""
        return asdict(self)


def _problem(number: Number, value: float) -> str:
    if math.isfinite(value) and number.low <= value <= number.high:
        return ""
    kind = "whole number" if number.is_whole else "number"
    return f"{number.label} must be a {kind} from {number.low:g} to {number.high:g}."


def parse(form: Mapping[str, str]) -> Plan:
    """Return the plan that a form says; numbers it leaves out keep their defaults.

    A form that holds any switch holds them all: a box without a tick is not sent.

    Raises:
        PlanError: with a sentence for each field that cannot be.
    """
    said: dict[str, Any] = {"name": form.get("name", "").strip()[:_MOST_NAME]}
    said |= {name: _read(number, form[name]) for name, number in NUMBERS.items() if name in form}
    if "switches" in form:
        said |= {name: form.get(name) == "yes" for name in SWITCHES}
    return Plan(**said)


def _read(number: Number, text: str) -> float:
    """Return the number typed; what is none is not in any range."""
    try:
        return int(text) if number.is_whole else float(text)
    except ValueError:
        return math.nan


def typed(form: Mapping[str, str]) -> dict[str, Any]:
    """Return what a form shows again: its own words, and defaults where it has none."""
    shown = {field.name: field.default for field in fields(Plan) if field.name != "name"}
    shown |= {"name": form.get("name", "")}
    shown |= {name: form[name] for name in NUMBERS if name in form}
    if "switches" in form:
        shown |= {name: form.get(name) == "yes" for name in SWITCHES}
    return shown
