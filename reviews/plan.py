"""What a lead decides when a study starts: every field with its range, and what it means."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from reviews.errors import BadInput
from reviews.planfields import CHOICES, NUMBERS, OPTIONAL, SWITCHES, Number

_MOST_NAME = 120
_DROP = "drop_"


#: Shares that make 1 together as people write them.
_ROUNDING = 1e-9


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
    """The plan of a study; the names are the study's own.

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
    loss: str = "harm"
    floor: float = 0.05
    confidence: float = 0.95
    adequacy_floor: float | None = None
    certified_only: bool = True
    window_days: int = 14
    by_task: bool = False
    early_stop: bool = True
    rating_budget: int = 0
    judge_role: str = "shown"
    guardrails: list[dict[str, Any]] = field(default_factory=list)
    valid_days: int = 90
    after_expiry: str = "keep"
    after_alarm: str = "floor"

    def __post_init__(self) -> None:
        problems = {} if self.name.strip() else {"name": "Give the study a name."}
        for name, value in drops(self.guardrails).items():
            if value is not None and (problem := _problem(OPTIONAL[name], value)):
                problems[name] = problem
        problems |= {
            name: f"{choice.label}: choose one of {len(choice.options)}."
            for name, choice in CHOICES.items()
            if getattr(self, name) not in choice.options
        }
        for name, number in (NUMBERS | {"adequacy_floor": OPTIONAL["adequacy_floor"]}).items():
            value = getattr(self, name)
            if value is not None and (problem := _problem(number, value)):
                problems[name] = problem
        if not problems and (self._left < 0 or self.train_rate > self._left + _ROUNDING):
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

    @property
    def _left(self) -> float:
        """Return the largest share for training: of .8 and .2 the sum is a hair above 1."""
        return 1 - self.rate * self.tilt

    def as_fields(self) -> dict[str, Any]:
        """Return the plan by name of the study's fields."""
        return asdict(self) | {"train_rate": min(self.train_rate, self._left)}


def drops(guardrails: list[dict[str, Any]]) -> dict[str, float | None]:
    """Return the largest drop of each outcome by field, None where nobody looks."""
    known = {f"{_DROP}{one['metric']}": one["largest_drop"] for one in guardrails}
    return {name: known.get(name) for name in OPTIONAL if name.startswith(_DROP)}


def guardrails(allowed: Mapping[str, float | None]) -> list[dict[str, Any]]:
    """Return largest drops by field as they are stored; the other way round than `drops`."""
    return [
        {"metric": name.removeprefix(_DROP), "largest_drop": value}
        for name, value in allowed.items()
        if value is not None
    ]


def _problem(number: Number, value: float) -> str:
    if number.low <= value <= number.high:  # not so for what is no number, or has no end
        return ""
    kind = "whole number" if number.is_whole else "number"
    return f"{number.label} must be a {kind} from {number.low:g} to {number.high:g}."


def parse(form: Mapping[str, str]) -> Plan:
    """Return the plan that a form says; what it leaves out keeps its default.

    A form that holds any switch holds them all: a box without a tick is not sent.

    Raises:
        PlanError: with a sentence for each field that cannot be.
    """
    return Plan(**read(form, {"name": form.get("name", "").strip()[:_MOST_NAME]}))


def read(form: Mapping[str, str], known: dict[str, Any]) -> dict[str, Any]:
    """Return what a form says by the plan's fields, over what is known; not checked yet."""
    said = dict(known)
    said |= {name: _read(number, form[name]) for name, number in NUMBERS.items() if name in form}
    said |= {name: form[name] for name in CHOICES if name in form}
    if "switches" in form:
        said |= {name: form.get(name) == "yes" for name in SWITCHES}
    optional = {
        name: _read(number, form[name]) if form[name].strip() else None
        for name, number in OPTIONAL.items()
        if name in form
    }
    if "adequacy_floor" in optional:
        said["adequacy_floor"] = optional.pop("adequacy_floor")
    if optional:
        said["guardrails"] = guardrails(drops(said.get("guardrails", [])) | optional)
    return said


def _read(number: Number, text: str) -> float:
    """Return the number typed; what is none is not in any range."""
    try:
        return int(text) if number.is_whole else float(text)
    except ValueError:
        return math.nan


def shown(known: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """Return what a form shows by field: its own words, else what is known.

    Args:
        known: values by the plan's fields, as `Plan.as_fields` has them.
        form: as it was sent; empty when it is shown for the first time.
    """
    values = {**known, **drops(known["guardrails"])}
    del values["guardrails"]
    values |= {name: form[name] for name in ("name", *NUMBERS, *OPTIONAL, *CHOICES) if name in form}
    if "switches" in form:
        values |= {name: form.get(name) == "yes" for name in SWITCHES}
    return values


def usual() -> dict[str, Any]:
    """Return the fields of a plan that only has a name to come."""
    return Plan("-").as_fields() | {"name": ""}
