"""Everything rated in a study as rows, chunk by chunk.

Ratings, imported and judges' verdicts, and skips stand in one file: they share pair, rater and
showing, and whoever counts what was asked needs all three. Rows never change, so that the newest
numbers at the beginning bound a file that stays the same however long it takes to read.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Max, Model, QuerySet

from reviews import blinding, revealing, scoring
from reviews.exchange.columns import Row
from reviews.models import Rater, Rating, SampledPair, Skip, Slot, Study, Verdict
from routing.models import Completion, Retrieval, ShadowPair

CHUNK = 2_000
#: Question and answers may be long.
TEXT_CHUNK = 200
_SHOWN = ("presentation__slot", "presentation__rater", "presentation__guideline")


@dataclass(frozen=True)
class Export:
    """What is asked for.

    Attributes:
        hidden: pairs whose rows are left out.
        texts: whether question and answers come along.
        names: whether people are named; else each has a pseudonym, the same all through a study.
        reader: the rater who reads it, if one does: what they rated counts as revealed to them.
    """

    study: Study
    hidden: QuerySet[ShadowPair]
    texts: bool = False
    names: bool = False
    reader: Rater | None = None

    def sources(self) -> list[_Source]:
        """Return where rows come from, each up to its newest row now."""
        study = self.study
        rated = Rating.objects.filter(presentation__slot__study=study)
        alone = Verdict.objects.filter(study=study, rating=None)
        skipped = Skip.objects.filter(presentation__slot__study=study)
        return [
            _Source(rated, "presentation__slot__pair_id", _ratings, ("presentation_id",)),
            _Source(alone, "pair_id", _verdicts, ("study_id", "pair_id", "rater_id")),
            _Source(skipped, "presentation__slot__pair_id", _skips),
        ]

    def count(self) -> tuple[int, int]:
        """Return how many rows there are, and how many of them are left out."""
        total = left_out = 0
        for source in self.sources():
            total += source.rows.count()
            left_out += source.rows.filter(**{f"{source.pair}__in": self.hidden}).count()
        return total, left_out

    def chunks(self) -> Iterator[list[Row]]:
        """Return the rows in chunks; between two chunks no connection is held."""
        for source in self.sources():
            for found in _pages(source, self.hidden, TEXT_CHUNK if self.texts else CHUNK):
                rows = [*source.read(found)]
                self._complete(rows)
                self._note_seen(rows)
                _let_go()
                yield rows

    def _note_seen(self, rows: list[Row]) -> None:
        """Note what the reader learns before they learn it; then no correction knows the tiers."""
        if self.reader is not None:
            revealing.reveal_rated({int(row["pair_id"]) for row in rows}, self.reader)  # type: ignore[arg-type]

    def _complete(self, rows: list[Row]) -> None:
        """Fill in what is known of study, rater, draw and pair."""
        ids = {row["pair_id"] for row in rows}
        draws = _draws(self.study, ids)
        pairs = {pair.pk: pair for pair in _pairs(ids, texts=self.texts)}
        scores = scoring.by_pair(self.study, ids)
        found = _retrievals(ids)
        for row in rows:
            pair: ShadowPair = pairs[row["pair_id"]]  # type: ignore[index]
            row |= {"study_id": self.study.pk, "study": self.study.name, **_of_pair(pair)}
            row |= draws.get(pair.pk, {}) | scores.get(pair.pk, {}) | found.get(pair.pk, {})
            row["rater"] = self._rater(row)
            if self.texts:
                row |= _texts(pair, row.get("kind"))

    def _rater(self, row: Row) -> str:
        number, name = row.pop("rater_id"), str(row["rater"])
        is_named = self.names or row["rater_kind"] != Rater.Kind.HUMAN
        return name if is_named else pseudonym(self.study, int(number))  # type: ignore[arg-type]


def pseudonym(study: Study, rater_id: int) -> str:
    """Return a name that says nothing: without the server's key nobody can make it again."""
    said = f"pseudonym|{study.pk}|{rater_id}".encode()
    return f"rater-{hmac.digest(settings.SECRET_KEY.encode(), said, hashlib.sha256).hex()[:12]}"


@dataclass(frozen=True)
class _Source:
    """Rows of one model, where their pair is, how they are read, and what corrections share."""

    rows: QuerySet[Any]
    pair: str
    read: Any
    same: tuple[str, ...] = ()


def _pages(source: _Source, hidden: QuerySet[ShadowPair], size: int) -> Iterator[list[Any]]:
    """Return the rows by number, each page by a query of its own."""
    last = source.rows.aggregate(last=Max("id"))["last"] or 0
    rows = source.rows.filter(id__lte=last).exclude(**{f"{source.pair}__in": hidden})
    rows, after = rows.order_by("id"), 0
    while page := list(_told(rows.filter(id__gt=after))[:size]):
        if source.same:
            _note_history(page, last, *source.same)
        yield page
        after = page[-1].pk


def _told(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows with all they tell."""
    if rows.model is Skip:
        return rows.select_related(*_SHOWN)
    if rows.model is Rating:
        return rows.select_related(*_SHOWN, "adjudication", "presentation__origin_guess")
    return rows.select_related("rater")


def _note_history(rows: list[Any], last: int, *same: str) -> list[Any]:
    """Note on each row what it corrects, and whether something corrects it.

    Read for the whole page at once: for each row alone, Postgres walks back through the table.
    """
    model = type(rows[0])
    wanted = {f"{name}__in": {getattr(row, name) for row in rows} for name in same}
    numbers = defaultdict(list)
    for number, *key in model.objects.filter(id__lte=last, **wanted).values_list("id", *same):
        numbers[tuple(key)].append(number)
    for row in rows:
        mine = numbers[tuple(getattr(row, name) for name in same)]
        row.supersedes = max((number for number in mine if number < row.pk), default=None)
        row.is_corrected = max(mine) > row.pk
    return rows


def _ratings(rows: Iterable[Any]) -> Iterator[Row]:
    for row in rows:
        said = blinding.meaning(row)
        guess = _or_none(row.presentation, "origin_guess")
        settled = _or_none(row, "adjudication")
        yield {
            **_of_showing(row, "rating"),
            "choice": row.choice,
            "preference": said.preference,
            "cheap_adequate": said.cheap_adequate,
            "expensive_adequate": said.expensive_adequate,
            "cheap_supported": said.cheap_supported,
            "expensive_supported": said.expensive_supported,
            "reasons": list(row.reasons),
            "comment": row.comment,
            "seconds": row.seconds,
            "origin_guess": guess and guess.guess,
            "adjudication_cause": settled and settled.cause,
            "adjudication_note": settled and settled.note,
            **_history(row),
        }


def _verdicts(rows: Iterable[Any]) -> Iterator[Row]:
    for row in rows:
        yield {
            **_of(row, "verdict", row.pair_id, row.rater),
            "preference": row.preference or None,
            "cheap_adequate": row.cheap_adequate,
            "expensive_adequate": row.expensive_adequate,
            "cheap_supported": row.cheap_supported,
            "expensive_supported": row.expensive_supported,
            **_history(row),
        }


def _skips(rows: Iterable[Any]) -> Iterator[Row]:
    for row in rows:
        yield {**_of_showing(row, "skip"), "skip_reason": row.reason, "comment": row.comment}


def _of(row: Any, record: str, pair_id: int, rater: Rater) -> Row:
    who: Row = {"rater_id": rater.pk, "rater": rater.name, "rater_kind": rater.kind}
    return {
        "record": record, "id": row.pk, "pair_id": pair_id, "created_at": row.created_at, **who,
    }  # fmt: skip


def _of_showing(row: Any, record: str) -> Row:
    shown = row.presentation
    return {
        **_of(row, record, shown.slot.pair_id, shown.rater),
        "kind": shown.slot.kind,
        "left": shown.left,
        "guideline_version": shown.guideline and shown.guideline.version,
        "shown_at": shown.shown_at,
        "cheap_leaks": shown.leaks.get("cheap", []),
        "expensive_leaks": shown.leaks.get("expensive", []),
    }


def _history(row: Any) -> Row:
    return {"supersedes": row.supersedes, "is_newest": not row.is_corrected}


def _or_none(row: Model, name: str) -> Any:
    """Return the row on the other side of a one-to-one, if there is one."""
    return getattr(row, name, None)


def _of_pair(pair: ShadowPair) -> Row:
    return {
        "request_id": str(pair.request_id), "task": pair.task, "score": pair.score,
        "shadow_rate": pair.rate,
    }  # fmt: skip


def _texts(pair: ShadowPair, kind: Any) -> Row:
    """Return the question and what stood in each tier's place at a showing of this kind."""
    return {
        "query": pair.request.query,
        "cheap_answer": _in_cheaps_place(pair, kind).text,
        "expensive_answer": pair.expensive.text,
    }


def _in_cheaps_place(pair: ShadowPair, kind: Any) -> Completion:
    if kind == Slot.Kind.AGAIN:
        return pair.repeat.second
    return pair.alternative.other if kind == Slot.Kind.RETRIEVAL else pair.cheap


def _draws(study: Study, pair_ids: Iterable[Any]) -> dict[int, Row]:
    """Return how each pair was drawn; gold need not be of the frame."""
    names = ("inclusion_probability", "u", "selected", "purpose", "stratum")
    rows = SampledPair.objects.filter(study=study, pair_id__in=pair_ids)
    return {row.pop("pair_id"): row for row in rows.values("pair_id", *names)}


def _retrievals(pair_ids: Iterable[Any]) -> dict[int, Row]:
    """Return how the sources of each pair were found; nothing of others."""
    rows = Retrieval.objects.filter(request__pair__in=pair_ids)
    return {
        pair: {"retrieval_strategy": strategy, "retrieval_confidence": confidence}
        for pair, strategy, confidence in rows.values_list(
            "request__pair", "strategy", "confidence"
        )
    }


def _pairs(ids: Iterable[Any], *, texts: bool) -> QuerySet[ShadowPair]:
    rows = ShadowPair.objects.filter(pk__in=ids)
    beside = ("repeat__second", "alternative__other")
    wanted = ("request__query", "cheap__text", "expensive__text", *(f"{a}__text" for a in beside))
    own = ("request_id", "task", "score", "rate")
    if not texts:
        return rows.only(*own)
    return rows.select_related("request", "cheap", "expensive", *beside).only(
        *own, "cheap_id", "expensive_id", *wanted
    )


def _let_go() -> None:
    """Give the connection back: whoever reads slowly holds none meanwhile."""
    if not connection.in_atomic_block:
        connection.close()
