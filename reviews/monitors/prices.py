"""Whether providers charge what the policy's prices say, by the usage exports that were compared.

Costs everywhere else go by the policy's prices: a price that was raised in silence shows here only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet

from reviews.monitors.base import MOST_TYPICAL, Monitor, Row, Seen, nothing
from reviews.monitors.watched import Watched
from reviews.stats.watch import Level, Signal
from routing import reconciling
from routing.models import Completion, Project
from routing.models.usage import Reconciliation, Usage

#: Charged apart by more is no rounding, and no cent here and there.
LIMIT = 0.05
#: As much is the same number of tokens; beyond it, not all that was charged was asked from here.
_SAME = 0.02
#: Of less nothing can be said: files round to cents.
_LEAST_USD = Decimal(1)
_CENT = Decimal("0.01")
#: An older file says nothing of today.
_FRESH = timedelta(days=45)


class Charged(NamedTuple):
    """One model over the days that a provider's file and the ledger both price.

    Attributes:
        input_tokens, output_tokens: theirs, then ours; None where nobody says them.
        cost_usd: theirs, then ours.
    """

    model: str
    input_tokens: tuple[int | None, int | None]
    output_tokens: tuple[int | None, int | None]
    cost_usd: tuple[Decimal, Decimal]

    @property
    def dearer(self) -> float:
        """Return by what part more is charged than the policy's price says."""
        theirs, ours = self.cost_usd
        return float(theirs / max(ours, _CENT)) - 1

    @property
    def is_told(self) -> bool:
        """Return whether the file says tokens at all; cost exports do not."""
        return None not in (*self.input_tokens, *self.output_tokens)

    @property
    def is_price(self) -> bool:
        """Whether both sides count the same tokens, so that the price alone can differ."""
        return all(
            theirs is not None and ours is not None and abs(theirs - ours) <= _SAME * ours
            for theirs, ours in (self.input_tokens, self.output_tokens)
        )

    @property
    def is_worth_it(self) -> bool:
        """Return whether so much money is no rounding; a part of the tokens says nothing of it."""
        theirs, ours = self.cost_usd
        return ours >= _LEAST_USD or (self.is_price and theirs >= _LEAST_USD)

    def __str__(self) -> str:
        theirs, ours = self.cost_usd
        more = f"{abs(self.dearer):.0%} {'more' if self.dearer > 0 else 'less'}"
        said = f"{self.model} is charged {more} than by its price here: {theirs:,.2f} USD"
        return f"{said}, not {ours:,.2f}, {self._why}"

    @property
    def _why(self) -> str:
        if self.is_price:
            return "for the same tokens"
        if not self.is_told:
            return "by a file that says no tokens: another application may use the key"
        return "but the provider counts other tokens, too: another application may use the key"


def charged(
    lines: Iterable[dict[str, Any]], models: Iterable[str] | None = None, since: date = date.min
) -> list[Charged]:
    """Return the models of a comparison, what is charged furthest apart first.

    Days that one side does not price are left out, and models of less than a dollar.

    Args:
        lines: of a `Reconciliation`.
        models: only these, or all.
        since: leave out the days before.
    """
    sums: dict[str, Sequence[Decimal | None]] = {}
    for line in lines:
        sides = (line["theirs"] or {}, line["ours"] or {})
        is_priced = all(side.get("cost_usd") is not None for side in sides)
        if is_priced and date.fromisoformat(line["day"]) >= since:
            day = [_amount(side[name]) for name in _NAMES for side in sides]
            before = sums.get(line["model"], [Decimal(0)] * len(day))
            sums[line["model"]] = [_added(*both) for both in zip(before, day, strict=True)]
    known = sums.keys() if models is None else sums.keys() & set(models)
    found = [one for one in (_of(name, sums[name]) for name in known) if one.is_worth_it]
    return sorted(found, key=lambda one: (-abs(one.dearer), one.model))


_NAMES = ("input_tokens", "output_tokens", "cost_usd")


def _amount(said: Any) -> Decimal | None:
    return None if said is None else Decimal(said)


def _added(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


def _of(model: str, sums: Sequence[Decimal | None]) -> Charged:
    tokens = [None if one is None else int(one) for one in sums[:4]]
    cost = (sums[4] or Decimal(0), sums[5] or Decimal(0))
    return Charged(model, (tokens[0], tokens[1]), (tokens[2], tokens[3]), cost)


def apart(row: Reconciliation, project: Project) -> list[Charged]:
    """Return the project's models that a file charges beyond the limit, the furthest first."""
    return [one for one in charged(row.lines, _asked(project)) if abs(one.dearer) > LIMIT]


def read(watched: Watched) -> Seen:
    """Look at the newest file of each provider."""
    found = _found(watched)
    if not found:
        return nothing("No usage export of these weeks says what the provider charged.")
    found.sort(key=lambda one: -abs(one.dearer))
    value = abs(found[0].dearer)
    rows = [Row(one.model, *map(float, reversed(one.cost_usd))) for one in found]
    return Seen(Signal(value, LIMIT, _level(found), len(found)), _sentence(found), rows, "usd")


def typical(watched: Watched) -> list[UUID]:
    """Return the newest requests that a model answered whose charge is apart."""
    wide = {one.model for one in _found(watched) if abs(one.dearer) > LIMIT}
    names = [one for one in _models(watched.project) if {one, reconciling.plain(one)} & wide]
    asked = watched.decided(watched.week).values("pk")
    rows = Completion.objects.filter(request__in=asked, model__in=names, is_shadow=False)
    return list(rows.order_by("-created_at").values_list("request_id", flat=True)[:MOST_TYPICAL])


def _found(watched: Watched) -> list[Charged]:
    """Return what the newest comparison of each provider that says costs of days since go-live."""
    names, found = _asked(watched.project), dict[str, list[Charged]]()
    for row in sorted(_files(watched), key=_has_no_tokens):
        if not found.get(row.provider):
            found[row.provider] = charged(row.lines, names, watched.begin.date())
    return [one for of_file in found.values() for one in of_file]


def _has_no_tokens(row: Reconciliation) -> bool:
    """Return whether a file is a cost export: it says less than a usage export of any age."""
    theirs = [line["theirs"] for line in row.lines if line["theirs"]]
    return all(one["input_tokens"] is None for one in theirs)


def _files(watched: Watched) -> QuerySet[Reconciliation]:
    """Return the comparisons that reach past go-live and are not old, the newest first."""
    since = max(watched.begin, watched.end - _FRESH).date()
    rows = Reconciliation.objects.filter(
        Q(project=watched.project) | Q(project=None), last_day__gte=since
    )
    return rows.order_by("-id")


def _asked(project: Project) -> set[str]:
    """Return the models whose calls this project has, also as cost exports name them."""
    names = _models(project)
    return {*names, *map(reconciling.plain, names)}


def _models(project: Project) -> set[str]:
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
