"""Labels as files: their columns, and the rows chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from reviews import labels, sources
from reviews.exchange import streaming
from reviews.exchange.columns import Column, Row, Type
from reviews.exchange.formats import encode
from reviews.labels import Label
from routing.models import Project, ShadowPair

_CHUNK = 2_000
_T = Type
COLUMNS = (
    Column("pair_id", _T.WHOLE, "Number of the pair"),
    Column("request_id", _T.TEXT, "The request both answers are of"),
    Column("received_at", _T.TIME, "When the request came"),
    Column("task", _T.TEXT, "Task type"),
    Column("source", _T.TEXT, "Who is believed: `human`, `judge`, `proxy`"),
    Column("how", _T.TEXT, "Who or what said it: `2 people`, a judge, a heuristic"),
    Column("said_at", _T.TIME, "When the last of them spoke; empty for a heuristic on texts"),
    Column("cheap_ok", _T.NUMBER, "How well the cheap answer does, 0 to 1"),
    Column("expensive_ok", _T.NUMBER, "How well the expensive answer does, 0 to 1"),
    Column("weight", _T.NUMBER, "How many requests the pair stands for"),
    Column("overruled", _T.TEXTS, "Sources that say otherwise and are not believed"),
    Column("cheap_model", _T.TEXT, "Model of the cheap answer"),
    Column("expensive_model", _T.TEXT, "Model of the expensive answer"),
)
QUERY = Column("query", _T.TEXT, "The last user turn")


def response(
    project: Project, hidden: QuerySet[ShadowPair], fmt: str, *, texts: bool
) -> StreamingHttpResponse:
    """Return all labels of a project as a download, in request order.

    Args:
        project: whose labels.
        hidden: pairs whose rows are left out.
        fmt: csv, jsonl or parquet.
        texts: whether the queries come along.
    """
    said = sources.read(project)
    shown = labels.without(said, hidden)
    chunks = _chunks(project, list(shown), texts=texts)
    columns = (*COLUMNS, QUERY) if texts else COLUMNS
    pieces = encode(chunks, fmt, columns)
    return streaming.download(pieces, fmt, f"labels-{project.slug}", len(said) - len(shown))


def _chunks(project: Project, ids: list[int], *, texts: bool) -> Iterator[list[Row]]:
    for at in range(0, len(ids), _CHUNK):
        some = labels.of_pairs(project, ids[at : at + _CHUNK])
        yield [_row(label, texts=texts) for label in some]


def _row(label: Label, *, texts: bool) -> Row:
    told = label.provenance
    row: Row = {
        "pair_id": label.pair_id,
        "request_id": str(label.request_id),
        "received_at": label.received_at,
        "task": label.task,
        "source": label.source,
        "how": told["how"],
        "said_at": told["at"] and datetime.fromisoformat(told["at"]),
        "cheap_ok": label.cheap_ok,
        "expensive_ok": label.expensive_ok,
        "weight": label.weight,
        "overruled": [f"{one['source']}: {one['how']}" for one in told["overruled"]],
        "cheap_model": label.cheap_model,
        "expensive_model": label.expensive_model,
    }
    return row | {"query": label.query} if texts else row
