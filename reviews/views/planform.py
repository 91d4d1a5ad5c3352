"""A plan as pages show it: a form by groups, and the same groups as words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from reviews.models import Study
from reviews.plan import drops
from reviews.planfields import CHOICES, GROUPS, NUMBERS, OPTIONAL, SWITCHES

_ALL_NUMBERS = NUMBERS | OPTIONAL


class Field(NamedTuple):
    """One field of a form: `kind` is number, choice or switch; `problem` is what is wrong."""

    name: str
    kind: str
    label: str
    about: str
    value: Any
    problem: str
    low: float = 0.0
    high: float = 0.0
    step: float = 0.0
    is_optional: bool = False
    options: tuple[tuple[str, str], ...] = ()


class FormGroup(NamedTuple):
    """Fields that stand together; `is_open` unfolds them, as where one of them has a problem."""

    title: str
    about: str
    fields: list[Field]
    is_open: bool


class Line(NamedTuple):
    """One field of a plan in words."""

    label: str
    value: str
    about: str


def form(
    values: Mapping[str, Any], problems: Mapping[str, str], without: Collection[str] = ()
) -> list[FormGroup]:
    """Return the fields of a form by groups.

    Args:
        values: by field, as `plan.shown` has them.
        problems: sentences by field.
        without: fields that are left out, and so are groups of nothing else.
    """
    groups = []
    for group in GROUPS:
        names = [name for name in group.fields if name not in without]
        fields = [_field(name, values[name], problems.get(name, "")) for name in names]
        if fields:
            is_open = any(field.problem for field in fields)
            groups.append(FormGroup(group.title, group.about, fields, is_open))
    return groups


def _field(name: str, value: Any, problem: str) -> Field:
    if name in SWITCHES:
        return Field(name, "switch", *SWITCHES[name], value, problem)
    if name in CHOICES:
        choice = CHOICES[name]
        options = tuple(choice.options.items())
        return Field(name, "choice", choice.label, choice.about, value, problem, options=options)
    number = _ALL_NUMBERS[name]
    return Field(
        name, "number", number.label, number.about, _words(value), problem,
        number.low, number.high, number.step, name in OPTIONAL,
    )  # fmt: skip


def card(study: Study) -> list[tuple[str, list[Line]]]:
    """Return the study's plan in words, by groups."""
    allowed = drops(study.guardrails)
    return [
        (group.title, [_line(name, _value(study, name, allowed)) for name in group.fields])
        for group in GROUPS
    ]


def _value(study: Study, name: str, allowed: Mapping[str, float | None]) -> Any:
    return allowed[name] if name in allowed else getattr(study, name)


def _line(name: str, value: Any) -> Line:
    if name in SWITCHES:
        label, about = SWITCHES[name]
        return Line(label, "yes" if value else "no", about)
    if name in CHOICES:
        return Line(CHOICES[name].label, CHOICES[name].options[value], CHOICES[name].about)
    number = _ALL_NUMBERS[name]
    return Line(number.label, _words(value) or "none", number.about)


def label(name: str) -> str:
    """Return the words for a field, also for one that is no plan's own.

    Example:
        >>> label("floor"), label("window")
        ('Floor', 'Window')
    """
    if name in SWITCHES:
        return SWITCHES[name][0]
    known = CHOICES.get(name) or _ALL_NUMBERS.get(name)
    return known.label if known else name.replace("_", " ").capitalize()


def _words(value: Any) -> str:
    """Return a number as people write it; what was typed stays as it is."""
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:g}"
