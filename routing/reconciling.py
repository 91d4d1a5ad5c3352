"""What a provider says was used, laid beside what is stored of the same days.

Three kinds of CSV: Anthropic's and OpenAI's usage exports, and a plain one with the columns `day,
model, input_tokens, output_tokens, cost_usd`. Input is all that a model read, cached or not: so
both providers' files mean the same.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.utils import timezone

from routing import usage
from routing.models import Project
from routing.models.usage import Reconciliation

MOST_BYTES = 20_000_000
_MOST_DAYS = 400


class BadFile(ValueError):
    """The file cannot be read; the message says which line and why."""


class Used(NamedTuple):
    """What one day's calls to one model took; None where nobody says what they cost."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = None

    def plus(self, other: Used) -> Used:
        """Return both together; a cost that one does not say is that of the other."""
        costs = [one for one in (self.cost_usd, other.cost_usd) if one is not None]
        return Used(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            sum(costs, Decimal(0)) if costs else None,
        )


Key = tuple[date, str]


class Export(NamedTuple):
    """A file that was read: whose it is, and its sums by day (UTC) and model."""

    provider: str
    used: dict[Key, Used]


class Line(NamedTuple):
    """One day and model: what they say, what we stored; None where one side has nothing."""

    day: date
    model: str
    theirs: Used | None
    ours: Used | None

    def as_json(self) -> dict[str, Any]:
        """Return what is stored of it."""
        return {
            "day": self.day.isoformat(),
            "model": self.model,
            "theirs": _as_json(self.theirs),
            "ours": _as_json(self.ours),
        }


Row = Mapping[str, str]


def parse(content: bytes) -> Export:
    """Read a file.

    Raises:
        BadFile: it is no CSV, none of the three kinds, too long, or a value is impossible.
    """
    if len(content) > MOST_BYTES:
        raise BadFile(f"The file is larger than {MOST_BYTES // 1_000_000} MB.")
    try:
        lines = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        columns = {name.strip() for name in lines.fieldnames or []}
        kind = next((one for one in _KINDS if one.needs <= columns), None)
        if kind is None:
            raise BadFile(_unknown(columns))
        return Export(kind.provider, _summed(kind, lines))
    except UnicodeDecodeError as exc:
        raise BadFile("The file is not UTF-8 text.") from exc
    except csv.Error as exc:
        raise BadFile(f"The file is no CSV: {exc}.") from exc


def compare(export: Export, stored: Mapping[Key, Used]) -> list[Line]:
    """Return every day and model that either side has, in order."""
    keys = sorted({*export.used, *stored})
    return [Line(*key, export.used.get(key), stored.get(key)) for key in keys]


def stored(
    first: date, last: date, provider: str, project: Project | None = None
) -> dict[Key, Used]:
    """Return what is stored of the calls to a provider, or to any, by day and model.

    A shadow call counts on the day of its request, which may be the one before.
    """
    since, until = (datetime.combine(day, time(), UTC) for day in (first, last + timedelta(1)))
    rows = usage.figures(
        since, until, by=("day", "model", "provider"), project_id=project.pk if project else None
    )
    found: dict[Key, Used] = defaultdict(Used)
    for row in rows:
        day, model, asked = row.group
        if provider in ("", asked):
            found[day, model] = found[day, model].plus(_ours(row.sums))
    return dict(found)


def write(content: bytes, name: str, project: Project | None, by: User | None) -> Reconciliation:
    """Read a file, compare it, and keep the comparison.

    Raises:
        BadFile: as `parse`.
    """
    export = parse(content)
    days = [day for day, _ in export.used]
    usage.roll()
    lines = compare(export, stored(min(days), max(days), export.provider, project))
    return Reconciliation.objects.create(
        project=project,
        name=name[:200],
        sha256=hashlib.sha256(content).hexdigest(),
        provider=export.provider,
        first_day=min(days),
        last_day=max(days),
        lines=[line.as_json() for line in lines],
        made_by=by,
    )


# --- kinds of files -----------------------------------------------------------------------


class _Kind(NamedTuple):
    provider: str
    needs: set[str]
    day: str
    model: str
    inputs: tuple[str, ...]
    output: str
    cost: str


_KINDS = (
    _Kind(
        "anthropic",
        {"usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_output_tokens"},
        "usage_date_utc",
        "model_version",
        (
            "usage_input_tokens_no_cache", "usage_input_tokens_cache_write_5m",
            "usage_input_tokens_cache_write_1h", "usage_input_tokens_cache_read",
        ),
        "usage_output_tokens",
        "cost_usd",
    ),
    _Kind(
        "openai",
        {"start_time", "model", "input_tokens", "output_tokens"},
        "start_time",
        "model",
        ("input_tokens",),
        "output_tokens",
        "cost_usd",
    ),
    _Kind(
        "",
        {"day", "model", "input_tokens", "output_tokens"},
        "day",
        "model",
        ("input_tokens",),
        "output_tokens",
        "cost_usd",
    ),
)  # fmt: skip


def _unknown(columns: set[str]) -> str:
    named = ", ".join(sorted(columns)[:12]) or "none"
    wanted = "; or ".join(", ".join(sorted(kind.needs)) for kind in _KINDS)
    return f"These columns are of no export that is known: {named}. Needed are {wanted}."


def _summed(kind: _Kind, lines: Iterable[dict[str | None, Any]]) -> dict[Key, Used]:
    found: dict[Key, Used] = defaultdict(Used)
    for number, row in enumerate(lines, 2):
        if None in row or None in row.values():
            raise BadFile(f"Line {number} has another number of columns than the first.")
        values = {str(name).strip(): str(value).strip() for name, value in row.items()}
        if not values[kind.model]:
            continue  # OpenAI's hours without a call
        key = _said(number, kind.day, values, _day), values[kind.model][:120]
        tokens = sum(_said(number, name, values, _whole) for name in kind.inputs if name in values)
        output = _said(number, kind.output, values, _whole)
        cost = _said(number, kind.cost, values, _usd) if values.get(kind.cost) else None
        found[key] = found[key].plus(Used(tokens, output, cost))
    if not found:
        raise BadFile("The file has no line with a model: nothing was used in its days.")
    days = [day for day, _ in found]
    if (max(days) - min(days)).days >= _MOST_DAYS:
        raise BadFile(f"The file spans more than {_MOST_DAYS} days; split it.")
    return dict(found)


def _said(number: int, name: str, values: Row, read: Callable[[str], Any]) -> Any:
    """Return a value.

    Raises:
        BadFile: naming line and column.
    """
    try:
        return read(values[name])
    except (ValueError, OverflowError, OSError, InvalidOperation) as exc:
        raise BadFile(f"Line {number}: {name} cannot be {values[name][:40]!r}.") from exc


def _day(text: str) -> date:
    """Return a day that is written as a date, a time, or seconds since 1970."""
    if text.isdigit() and len(text) > 8:
        return datetime.fromtimestamp(int(text), UTC).date()
    at = datetime.fromisoformat(text)
    found = at.astimezone(UTC).date() if at.tzinfo else at.date()
    if not date(2020, 1, 1) <= found <= timezone.now().date() + timedelta(2):
        raise ValueError("a day that no export has")
    return found


def _whole(text: str) -> int:
    value = Decimal(text or "0")
    if value != value.to_integral_value() or not 0 <= value < 10**15:
        raise ValueError("no number of tokens")
    return int(value)


def _usd(text: str) -> Decimal:
    value = Decimal(text)
    if not (value.is_finite() and 0 <= value < 10**9):
        raise ValueError("no amount")
    return value


def _ours(sums: Mapping[str, Any]) -> Used:
    tokens = sums["input_tokens"] + sums["cache_write_tokens"] + sums["cache_read_tokens"]
    is_priced = sums["unpriced"] < sums["calls"]
    return Used(int(tokens), int(sums["output_tokens"]), sums["cost_usd"] if is_priced else None)


def _as_json(used: Used | None) -> dict[str, Any] | None:
    if used is None:
        return None
    return used._asdict() | {
        "cost_usd": None if used.cost_usd is None else f"{used.cost_usd.normalize():f}"
    }
