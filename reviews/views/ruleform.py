"""Rules as a form: one row each, with the sentences that belong to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from routing.routers import rulefields
from routing.routers.rules import BadRules, Rule, Rules

#: What a row holds beside whether it is on.
_FIELDS = ("name", "kind", "value", "setting")
#: One more than may be, so that too many are refused and not cut.
_MOST = rulefields.MOST_RULES + 1


class Row(NamedTuple):
    """One rule as it was typed; `setting` is its pattern or its limit."""

    name: str = ""
    kind: str = "matches"
    value: str = "1"
    setting: str = ""
    is_on: bool = True
    problems: tuple[str, ...] = ()


class Checked(NamedTuple):
    """Rules, or None with rows that say why not, and sentences that belong to no row."""

    rules: Rules | None
    rows: list[Row]
    problems: list[str]


def rows_of(rules: Rules) -> list[Row]:
    """Return rules as rows."""
    return [_row(rule) for rule in rules.rules]


def _row(rule: Rule) -> Row:
    setting = str(rule.limit) if "limit" in rulefields.KINDS[rule.kind].fields else rule.pattern
    return Row(rule.name, rule.kind, f"{rule.value:.0f}", setting, rule.is_on)


def read(said: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a form, in their order."""
    return [_read(said, nth) for nth in range(_MOST) if f"name-{nth}" in said]


def _read(said: Mapping[str, Any], nth: int) -> Row:
    name, kind, value, setting = (str(said.get(f"{field}-{nth}", "")) for field in _FIELDS)
    return Row(name.strip(), kind, value, setting.strip(), f"on-{nth}" in said)


def changed(rows: Sequence[Row], action: str) -> list[Row] | None:
    """Return the rows after a button of the table: add, or remove, up or down with a place.

    None is returned for what is no such button.
    """
    done = list(rows)
    if action == "add":
        return [*done, Row()]
    what, _, place = action.partition("-")
    if what not in ("remove", "up", "down") or not (place.isdecimal() and len(place) < 4):
        return None
    at = int(place)
    if at < len(done):
        row = done.pop(at)
        if what != "remove":
            done.insert(max(at - 1, 0) if what == "up" else at + 1, row)
    return done


def check(rows: Sequence[Row]) -> Checked:
    """Return the rules that rows make, or what is wrong with each of them."""
    try:
        return Checked(Rules.from_json([_told(row) for row in rows]), list(rows), [])
    except BadRules as exc:
        sentences = exc.sentences
    by_row = [_own(sentences, row, nth) for nth, row in enumerate(rows, 1)]
    placed = {sentence for own in by_row for sentence in own}
    marked = [row._replace(problems=own) for row, own in zip(rows, by_row, strict=True)]
    return Checked(None, marked, [one for one in sentences if one not in placed])


def _own(sentences: Sequence[str], row: Row, nth: int) -> tuple[str, ...]:
    begins = (f"Rule {row.name}: ", f"Rule {nth} ")
    return tuple(one for one in sentences if one.startswith(begins))


def _told(row: Row) -> dict[str, Any]:
    """Return a row as rules are stored; what cannot be one stays as it was typed."""
    told: dict[str, Any] = {"name": row.name, "kind": row.kind, "on": row.is_on}
    told["value"] = {"0": 0.0, "1": 1.0}.get(row.value, row.value)
    known = rulefields.KINDS.get(row.kind)
    if known and "limit" in known.fields:
        told["limit"] = _whole(row.setting)
    elif row.setting or (known and known.fields):
        told["pattern"] = row.setting
    return told


def _whole(text: str) -> int | str:
    is_whole = text.isascii() and text.isdecimal() and len(text) < 12
    return int(text) if is_whole else text
