"""What a monitor is, and what it says of one day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from reviews.stats.watch import Level, Signal

#: Typical requests that an alarm shows.
MOST_TYPICAL = 10


class Row(NamedTuple):
    """One line of a monitor's picture: how it was in the study's window, and how it is now."""

    name: str
    before: float | None
    now: float | None


@dataclass(frozen=True)
class Seen:
    """What a monitor saw.

    Attributes:
        signal: value, limit, level and n.
        sentence: what it means, for people.
        rows: its picture; never a prompt or an answer.
        unit: of the rows: "share", "usd", "requests" or "".
        is_by_day: whether the rows are days rather than kinds.
    """

    signal: Signal
    sentence: str
    rows: Sequence[Row] = field(default_factory=list)
    unit: str = ""
    is_by_day: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return what a reading keeps beside its numbers."""
        kept = asdict(self)
        del kept["signal"]
        return kept | {"rows": [list(row) for row in self.rows]}


@dataclass(frozen=True)
class Monitor:
    """One thing that is watched after go-live.

    Attributes:
        name: in addresses and rows.
        title: on pages.
        about: what it looks at and against what, in a sentence.
        value: what its value is.
        read: looks at a `Watched`; the budget's at a `Spending`.
        typical: requests that show what changed, at most ten, the most telling first.
        counted: what n of its signal counts.
    """

    name: str
    title: str
    about: str
    value: str
    read: Callable[[Any], Seen]
    typical: Callable[[Any], list[UUID]]
    counted: str = "Rows looked at"


#: Of whatever is compared by whole weeks.
YOUNG = "There are no seven whole days since go-live yet: a weekend alone would look like a change."


def nothing(why: str, n: int = 0) -> Seen:
    """Return that nothing can be said, and why not."""
    return Seen(Signal(None, None, Level.QUIET, n), why)


def said(signal: Signal, quiet: str, changed: str, same: str) -> str:
    """Return the sentence that fits the level: too little to say, changed, or as it was."""
    if signal.level == Level.QUIET:
        return quiet
    return same if signal.level == Level.OK else changed
