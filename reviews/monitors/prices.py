"""Whether providers charge what the policy's prices say, by the usage exports that were compared.

Costs everywhere else go by the policy's prices: a price that was raised in silence shows here only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q

from reviews.monitors.base import MOST_TYPICAL, Monitor, Row, Seen, nothing
from reviews.monitors.watched import Watched
from reviews.stats.watch import Level, Signal
from routing.models import Completion, Project
from routing.models.usage import Reconciliation, Usage

#: Charged apart by more is no rounding, and no cent here and there.
LIMIT = 0.05
#: As much is the same number of tokens; beyond it, not all that was charged was asked from here.
_SAME = 0.02
#: Of less nothing can be said: files round to cents.
_LEAST_USD = Decimal(1)
#: An older file says nothing of today.
_FRESH = timedelta(days=45)


class Charged(NamedTuple):
    """One model over the days that a provider's file and the ledger both price.

    Attributes:
        input_tokens, output_tokens, cost_usd: theirs, then ours.
    """

    model: str
    input_tokens: tuple[int, int]
    output_tokens: tuple[int, int]
    cost_usd: tuple[Decimal, Decimal]

    @property
    def dearer(self) -> float:
        """Return by what part more is charged than the policy's price says."""
        theirs, ours = self.cost_usd
        return float(theirs / ours) - 1

    @property
    def is_price(self) -> bool:
        """Whether both sides count the same tokens, so that the price alone can differ."""
        both = (self.input_tokens, self.output_tokens)
        return all(abs(theirs - ours) <= _SAME * ours for theirs, ours in both)

    def __str__(self) -> str:
        theirs, ours = self.cost_usd
        more = f"{abs(self.dearer):.0%} {'more' if self.dearer > 0 else 'less'}"
        said = f"{self.model} is charged {more} than by its price here: {theirs:,.2f} USD"
        why = (
            "for the same tokens"
            if self.is_price
            else "but the provider counts other tokens, too: another application may use the key"
        )
        return f"{said}, not {ours:,.2f}, {why}"


def charged(lines: Iterable[dict[str, Any]], models: Iterable[str] | None = None) -> list[Charged]:
    """Return the models of a comparison, what is charged furthest apart first.

    Days that one side does not price are left out, and models of less than a dollar.

    Args:
        lines: of a `Reconciliation`.
        models: only these, or all.
    """
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal(0)] * 6)
    for line in lines:
        sides = (line["theirs"] or {}, line["ours"] or {})
        if all(side.get("cost_usd") is not None for side in sides):
            day = [Decimal(side[name]) for name in _NAMES for side in sides]
            sums[line["model"]] = [a + b for a, b in zip(sums[line["model"]], day, strict=True)]
    known = sums.keys() if models is None else sums.keys() & set(models)
    found = [_of(name, sums[name]) for name in known if sums[name][5] >= _LEAST_USD]
    return sorted(found, key=lambda one: (-abs(one.dearer), one.model))


_NAMES = ("input_tokens", "output_tokens", "cost_usd")


def _of(model: str, sums: Sequence[Decimal]) -> Charged:
    tokens = [int(one) for one in sums[:4]]
    return Charged(model, (tokens[0], tokens[1]), (tokens[2], tokens[3]), (sums[4], sums[5]))


def apart(row: Reconciliation, project: Project) -> list[Charged]:
    """Return the project's models that a file charges beyond the limit, the furthest first."""
    return [one for one in charged(row.lines, _asked(project)) if abs(one.dearer) > LIMIT]


def read(watched: Watched) -> Seen:
    """Look at the newest file of each provider."""
    files = _files(watched)
    found = [one for row in files for one in charged(row.lines, _asked(watched.project))]
    if not found:
        return nothing("No usage export of these weeks says what the provider charged.")
    found.sort(key=lambda one: -abs(one.dearer))
    value = abs(found[0].dearer)
    rows = [Row(one.model, *map(float, reversed(one.cost_usd))) for one in found]
    return Seen(Signal(value, LIMIT, _level(found), len(found)), _sentence(found), rows, "usd")


def typical(watched: Watched) -> list[UUID]:
    """Return the newest requests that a model answered whose charge is apart."""
    names = [one.model for row in _files(watched) for one in apart(row, watched.project)]
    asked = watched.decided(watched.week).values("pk")
    rows = Completion.objects.filter(request__in=asked, model__in=names, is_shadow=False)
    return list(rows.order_by("-created_at").values_list("request_id", flat=True)[:MOST_TYPICAL])


def _files(watched: Watched) -> list[Reconciliation]:
    """Return the newest comparison of each provider that reaches past go-live and is not old."""
    since = max(watched.begin, watched.end - _FRESH).date()
    rows = Reconciliation.objects.filter(
        Q(project=watched.project) | Q(project=None), last_day__gte=since
    )
    return list(rows.order_by("provider", "-id").distinct("provider"))


def _asked(project: Project) -> set[str]:
    """Return the models whose calls this project has."""
    return set(Usage.objects.filter(project=project).values_list("model", flat=True).distinct())


def _level(found: Sequence[Charged]) -> Level:
    """Return ALARM for another price, WARN where other tokens may be the reason."""
    wide = [one for one in found if abs(one.dearer) > LIMIT]
    if any(one.is_price for one in wide):
        return Level.ALARM
    return Level.WARN if wide else Level.OK


def _sentence(found: Sequence[Charged]) -> str:
    wide = [str(one) for one in found if abs(one.dearer) > LIMIT]
    if wide:
        return "; ".join(wide) + "."
    names = ", ".join(one.model for one in found)
    return f"{names}: charged as by the prices here, within {LIMIT:.0%}."


MONITOR = Monitor(
    "prices", "Prices charged",
    "What the newest usage export of each provider (Cost) charges a model, against the same calls "
    "at the policy’s price.",
    "By what part the furthest model’s charge is apart.",
    read, typical, "Models charged",
)  # fmt: skip
