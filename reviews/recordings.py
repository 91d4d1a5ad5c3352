"""Read files of recorded answers: JSON lines, one query with the answers of two models each."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reviews.errors import ReviewError
from reviews.standin import Answers, Recorded, key


class ReplayError(ReviewError):
    """The replay cannot go on; the message is one sentence for the person who started it."""


@dataclass(frozen=True)
class Row:
    """One query with both recorded answers and what was said of them."""

    query: str
    task: str
    cheap_model: str
    expensive_model: str
    cheap: Recorded
    expensive: Recorded
    labels: list[dict[str, Any]]


@dataclass
class Content:
    """The usable rows of a file, all of the same two models, and what was left out and why."""

    rows: list[Row]
    skipped: Counter[str]


def read(path: Path, limit: int | None = None) -> Content:
    """Return up to `limit` usable rows of a file of JSON lines.

    A policy names two models and a query has one answer by each: rows of rarer models and
    repeated queries are left out.

    Raises:
        ReplayError: with the line, when a row is malformed; or when no row is usable.
    """
    skipped: Counter[str] = Counter()
    rows = []
    for line, data in _lines(path):
        row = _row(data, f"{path.name}, line {line}")
        if row is None:
            skipped["without both responses"] += 1
        else:
            rows.append(row)
    if not rows:
        raise ReplayError(f"{path.name} has no row with a query and both responses.")
    return Content(_one_answer_each(rows, skipped)[:limit], skipped)


def _lines(path: Path) -> Iterator[tuple[int, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield number, _json(line, f"{path.name}, line {number}")
    except (OSError, EOFError, UnicodeDecodeError) as exc:
        raise ReplayError(f"{path} cannot be read: {type(exc).__name__}.") from exc


def _json(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as exc:
        raise ReplayError(f"{where}: this is not JSON.") from exc


def _row(data: Any, where: str) -> Row | None:
    """Return the row, or None when it has not both responses."""
    _require(isinstance(data, dict), f"{where}: this is not an object.")
    if not all(isinstance(data.get(f"{tier}_response"), str) for tier in ("cheap", "expensive")):
        return None
    for name in ("query", "cheap_model", "expensive_model"):
        value = data.get(name)
        _require(isinstance(value, str) and bool(value.strip()), f"{where}: {name} is missing.")
    labels, tokens = data.get("labels") or [], data.get("tokens_est") or {}
    are_objects = isinstance(labels, list) and all(isinstance(label, dict) for label in labels)
    _require(are_objects, f"{where}: labels is not a list of objects.")
    _require(isinstance(tokens, dict), f"{where}: tokens_est is not an object.")
    cheap, expensive = (
        Recorded(data[f"{tier}_response"], tokens.get("prompt"), tokens.get(tier))
        for tier in ("cheap", "expensive")
    )
    models = data["cheap_model"], data["expensive_model"]
    return Row(data["query"], str(data.get("task") or ""), *models, cheap, expensive, labels)


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise ReplayError(sentence)


def _one_answer_each(rows: Sequence[Row], skipped: Counter[str]) -> list[Row]:
    """Keep the commonest two models, and each query once."""
    models = Counter((row.cheap_model, row.expensive_model) for row in rows)
    (chosen, _), *_ = models.most_common(1)
    kept: dict[tuple[str, str], Row] = {}
    for row in rows:
        if (row.cheap_model, row.expensive_model) != chosen:
            skipped["of other models"] += 1
        elif key("", row.query) in kept:
            skipped["with a repeated query"] += 1
        else:
            kept[key("", row.query)] = row
    return list(kept.values())


def answers(rows: Sequence[Row]) -> Answers:
    """Return what the stand-in repeats."""
    known = {key(row.cheap_model, row.query): row.cheap for row in rows}
    return known | {key(row.expensive_model, row.query): row.expensive for row in rows}
