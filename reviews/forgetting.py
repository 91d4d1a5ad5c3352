"""Forget an end user, and change how a project keeps texts; both are told in its audit trail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from reviews import audit
from reviews.errors import BadInput
from routing import erasing, redaction
from routing.models import Erasure, Project

_MOST_PATTERNS, _LONGEST_PATTERN, _MOST_DAYS = 20, 500, 36_500
_KIND = re.compile(r"[a-z][a-z0-9_]{0,29}")


@dataclass(frozen=True)
class Choice:
    """How a project keeps texts: `Project.keeps`, its own patterns, days or None."""

    keeps: str
    redactions: list[dict[str, str]]
    retention_days: int | None


def forget(project: Project, named: str, by: User | None) -> Erasure:
    """Delete everything about an end user; the entry in the trail tells how much, not who.

    Raises:
        BadInput: when nobody is named.
    """
    try:
        made = erasing.forget(project, named, by)
    except ValueError as exc:
        raise BadInput(str(exc)) from exc
    audit.write(project, by, "privacy.erased", f"erasure {made.pk}", {"deleted": made.counts})
    return made


def read(keeps: str, patterns: str, days: str) -> Choice:
    """Read what a form says: `kind: pattern` on each line, days from 1 or empty.

    Raises:
        BadInput: in a sentence, when it cannot be.
    """
    if keeps not in Project.Keeps.values:
        raise BadInput("Say what is stored: everything, redacted texts, or nothing.")
    lines = [line.strip() for line in patterns.splitlines() if line.strip()]
    if len(lines) > _MOST_PATTERNS:
        raise BadInput(f"At most {_MOST_PATTERNS} patterns.")
    return Choice(keeps, [_pattern(line) for line in lines], _days(days.strip()))


def _pattern(line: str) -> dict[str, str]:
    kind, sign, source = (part.strip() for part in line.partition(":"))
    if not (sign and _KIND.fullmatch(kind) and 0 < len(source) <= _LONGEST_PATTERN):
        raise BadInput("Write each pattern on a line like `order: ORD-[0-9]+`.")
    said = {"kind": kind, "pattern": source}
    try:
        redaction.own([said])
    except ValueError as exc:
        raise BadInput(str(exc)) from exc
    return said


def _days(text: str) -> int | None:
    if not text:
        return None
    if not (text.isdecimal() and len(text) < 6 and 1 <= int(text) <= _MOST_DAYS):
        raise BadInput(f"Days are a whole number from 1 to {_MOST_DAYS}, or empty.")
    return int(text)


@transaction.atomic
def put(project: Project, choice: Choice, by: User) -> None:
    """Have the project keep texts so from now on, and note it; what is stored stays as it is."""
    before, after = _said(project), vars(choice)
    if before == after:
        return
    Project.objects.filter(pk=project.pk).update(**after)
    audit.write(
        project, by, "privacy.changed", f"project {project.slug}",
        {"before": before, "after": after},
    )  # fmt: skip


def _said(project: Project) -> dict[str, Any]:
    return {name: getattr(project, name) for name in Choice.__dataclass_fields__}
