"""What a provider says was used, laid beside what is stored of the same days.

Five kinds of CSV: Anthropic's and OpenAI's usage exports, their cost exports, and a plain one with
the columns `day, model, input_tokens, output_tokens, cost_usd`. Input is all that a model read,
cached or not: so both providers' files mean the same. Cost exports say no tokens.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple, TypeVar

from django.contrib.auth.models import User
from django.utils import timezone

from routing import usage
from routing.models import Project
from routing.models.usage import Reconciliation

MOST_BYTES = 20_000_000
_MOST_DAYS = 400


Amount = TypeVar("Amount", int, Decimal)


class BadFile(ValueError):
    """The file cannot be read; the message says which line and why."""


class Used(NamedTuple):
    """What one day's calls to one model took; None where nobody says it."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: Decimal | None = None

    def plus(self, other: Used) -> Used:
        """Return both together; what one does not say is that of the other."""
        return Used(
            _both(self.input_tokens, other.input_tokens),
            _both(self.output_tokens, other.output_tokens),
            _both(self.cost_usd, other.cost_usd),
        )


def _both(one: Amount | None, other: Amount | None) -> Amount | None:
    return other if one is None else one if other is None else one + other


Key = tuple[date, str]


class Export(NamedTuple):
    """A file that was read: whose it is, and its sums by day (UTC) and model.

    `is_plain` tells that it names models without the date of their version.
    """

    provider: str
    used: dict[Key, Used]
    is_plain: bool = False


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
        BadFile: it is no CSV, none of the kinds, too long, or a value is impossible.
    """
    if len(content) > MOST_BYTES:
        raise BadFile(f"The file is larger than {MOST_BYTES // 1_000_000} MB.")
    try:
        lines = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        columns = {name.strip() for name in lines.fieldnames or []}
        kind = next((one for one in _KINDS if one.needs <= columns), None)
        if kind is None:
            raise BadFile(_unknown(columns))
        return Export(kind.provider, _summed(kind, lines), not kind.output)
    except UnicodeDecodeError as exc:
        raise BadFile("The file is not UTF-8 text.") from exc
    except csv.Error as exc:
        raise BadFile(f"The file is no CSV: {exc}.") from exc


def compare(export: Export, stored: Mapping[Key, Used]) -> list[Line]:
    """Return every day and model that either side has, in order."""
    if export.is_plain:
        stored = _by_plain_name(stored)
    keys = sorted({*export.used, *stored})
    return [Line(*key, export.used.get(key), stored.get(key)) for key in keys]


def _by_plain_name(used: Mapping[Key, Used]) -> dict[Key, Used]:
    found: dict[Key, Used] = defaultdict(Used)
    for (day, model), one in used.items():
        found[day, plain(model)] = found[day, plain(model)].plus(one)
    return found


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
    """How one kind of file is read; a cost export has no inputs and no output."""

    name: str
    provider: str
    needs: set[str]
    day: str
    model: str
    inputs: tuple[str, ...]
    output: str
    cost: str


_KINDS = (
    _Kind(
        "Anthropic's usage export",
        "anthropic",
        {"usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_output_tokens"},
        "usage_date_utc", "model_version",
        (
            "usage_input_tokens_no_cache", "usage_input_tokens_cache_write_5m",
            "usage_input_tokens_cache_write_1h", "usage_input_tokens_cache_write",
            "usage_input_tokens_cache_read",
        ),
        "usage_output_tokens",
        "cost_usd",
    ),
    _Kind(
        "Anthropic's cost export",
        "anthropic",
        {"usage_date_utc", "model", "token_type", "cost_usd"},
        "usage_date_utc", "model", (), "", "cost_usd",
    ),
    _Kind(
        "OpenAI's usage export",
        "openai",
        {"start_time", "model", "input_tokens", "output_tokens"},
        "start_time", "model", ("input_tokens",), "output_tokens", "cost_usd",
    ),
    _Kind(
        "OpenAI's cost export",
        "openai",
        {"start_time", "amount_value", "amount_currency", "line_item"},
        "start_time", "line_item", (), "", "amount_value",
    ),
    _Kind(
        "a file of your own",
        "",
        {"day", "model", "input_tokens", "output_tokens"},
        "day", "model", ("input_tokens",), "output_tokens", "cost_usd",
    ),
)  # fmt: skip
_VERSION = re.compile(r"-20\d\d-?\d\d-?\d\d$")


def plain(model: str) -> str:
    """Return a model's name without the date of its version, as identifiers write it.

    Example:
        >>> plain("Claude Haiku 4.5"), plain("claude-haiku-4-5-20251001")
        ('claude-haiku-4-5', 'claude-haiku-4-5')
        >>> plain("gpt-4.1-2025-04-14, cached input")
        'gpt-4.1'
    """
    name = model.split(",")[0].strip()
    if " " in name:
        name = name.lower().replace(" ", "-").replace(".", "-")
    return _VERSION.sub("", name)


def _unknown(columns: set[str]) -> str:
    """Return which columns were expected, and those that the nearest kind lacks."""
    named = ", ".join(sorted(columns)[:12]) or "none"
    nearest = max(_KINDS, key=lambda kind: len(kind.needs & columns))
    lacks = ", ".join(sorted(nearest.needs - columns))
    near = (
        f" It is nearest to {nearest.name}, and lacks {lacks}." if nearest.needs & columns else ""
    )
    wanted = "; ".join(f"{kind.name}: {', '.join(sorted(kind.needs))}" for kind in _KINDS)
    return f"These columns are of no export that is known: {named}.{near} Expected of {wanted}."


def _summed(kind: _Kind, lines: Iterable[dict[str | None, Any]]) -> dict[Key, Used]:
    found: dict[Key, Used] = defaultdict(Used)
    for number, row in enumerate(lines, 2):
        if None in row or None in row.values():
            raise BadFile(f"Line {number} has another number of columns than the first.")
        values = {str(name).strip(): str(value).strip() for name, value in row.items()}
        if not values[kind.model] and not (kind.cost == "amount_value" and values[kind.cost]):
            continue  # OpenAI's hours without a call; what Anthropic bills beside models
        key = _said(number, kind.day, values, _day), _model(number, kind, values)
        found[key] = found[key].plus(_used(number, kind, values))
    if not found:
        raise BadFile("The file has no line with a model: nothing was used in its days.")
    days = [day for day, _ in found]
    if (max(days) - min(days)).days >= _MOST_DAYS:
        raise BadFile(f"The file spans more than {_MOST_DAYS} days; split it.")
    return dict(found)


def _model(number: int, kind: _Kind, values: Row) -> str:
    name = values[kind.model]
    if not name:
        raise BadFile(f"Line {number} is of no model: export costs grouped by line item.")
    return (name if kind.output else plain(name))[:120]


def _used(number: int, kind: _Kind, values: Row) -> Used:
    cost = _said(number, kind.cost, values, _usd) if values.get(kind.cost) else None
    if values.get("amount_currency", "usd").lower() not in ("", "usd"):
        raise BadFile(f"Line {number}: amount_currency is not usd.")
    if not kind.output:
        return Used(cost_usd=cost)
    tokens = sum(_said(number, name, values, _whole) for name in kind.inputs if name in values)
    return Used(tokens, _said(number, kind.output, values, _whole), cost)


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
