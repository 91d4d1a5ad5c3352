"""The part of the native API that is about studies and what was learnt from them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.http.response import HttpResponseBase
from ninja import Path, Query, Router, Schema
from pydantic import Field

from reviews import calibration, estimation, label_files, labels, monitoring, status
from reviews.exchange import blindness, streaming
from reviews.exchange.exports import Export
from reviews.exchange.formats import FORMATS
from reviews.labels import Label
from reviews.models import Rater, Study
from routing.api import cursors
from routing.api.document import problems
from routing.api.keys import KeyRequest, Needs
from routing.api.moments import Moment
from routing.errors import NotFound
from routing.types import Scope

router = Router(tags=["Studies"])

_MOST_ID = 2**63 - 1
_FILE = {"schema": {"type": "string", "format": "binary"}}
_CONTENT = {one.content_type.partition(";")[0]: _FILE for one in FORMATS.values()}
_OK = {
    "description": "The file, piece by piece.",
    "headers": {
        streaming.LEFT_OUT: {
            "description": "Rows left out since their pairs wait for a rating or are in dispute",
            "schema": {"type": "integer"},
        }
    },
    "content": _CONTENT,
}


class Options(Schema):
    """What the file holds."""

    format: Literal["csv", "jsonl", "parquet"] = "csv"
    texts: bool = Field(False, description="With question and answers")
    names: bool = Field(False, description="With the names of raters instead of pseudonyms")


@router.get(
    "/studies/{study_id}/export",
    auth=Needs(Scope.READ),
    operation_id="export_study",
    summary="Everything rated in a study",
    openapi_extra={"responses": {200: _OK, **problems(400, 401, 403, 404, 405, 429, 503)}},
)
def export_study(
    request: KeyRequest, options: Query[Options], study_id: int = Path(..., ge=1, le=_MOST_ID)
) -> HttpResponseBase:
    """Ratings, imported and judges' verdicts, and skips of a study. Needs the scope `read`.

    A key may be anybody's: rows of pairs that wait for a rating or are in dispute are
    left out.
    """
    study = _study(request, study_id)
    hidden = blindness.hidden_from_anybody()
    export = Export(study, hidden, texts=options.texts, names=options.names)
    return streaming.response(export, options.format)


class CurveOut(Schema):
    """A study's curve, and what is certified; null stands for "cannot be said"."""

    study: int
    name: str
    status: Literal["collecting", "ready", "holds", "does_not_hold", "unhealthy"]
    status_text: str
    raters: Literal["human", "llm_judge", "answer_key"]
    certificate: dict[str, Any] | None = Field(
        description="From people's ratings; `is_final` says whether the study is closed. Null when "
        "only a judge has spoken"
    )
    points: list[dict[str, Any]] = Field(
        description="By threshold: shares, costs, and 95 % intervals of each threshold alone"
    )


@router.get(
    "/studies/{study_id}/curve",
    auth=Needs(Scope.READ),
    operation_id="read_curve",
    summary="The curve of a study and its certificate",
    response={200: CurveOut},
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 429, 503)},
)
def read_curve(request: KeyRequest, study_id: int = Path(..., ge=1, le=_MOST_ID)) -> dict[str, Any]:
    """What the Threshold page shows of all the traffic. Needs the scope `read`."""
    study = _study(request, study_id)
    estimate = estimation.estimate(study)
    stands = status.of(study)
    is_judged = estimate.kind == Rater.Kind.LLM_JUDGE
    return {
        "study": study.pk,
        "name": study.name,
        "status": stands.name,
        "status_text": stands.text,
        "raters": estimate.kind,
        "certificate": None if is_judged else calibration.certificate(study).as_json(),
        "points": estimate.points,
    }


class MonitorOut(Schema):
    """One monitor's last reading; null and empty before the first."""

    name: str
    title: str
    level: Literal["quiet", "ok", "warn", "alarm"] | None = Field(
        description="`quiet` is too little to say; `warn` and `alarm` are above the limit"
    )
    value: float | None
    limit: float | None
    n: int = Field(description="Rows of the current window that it rests on")
    at: datetime | None = Field(description="The end of what was looked at")
    sentence: str
    alarm: int | None = Field(description="Number of the open alarm")


class MonitoringOut(Schema):
    """What is watched of the live sign-off, or of the one watched last."""

    signoff: int | None
    stale_at: datetime | None = Field(description="Since when an alarm has made it stale")
    stale_why: str
    monitors: list[MonitorOut]


@router.get(
    "/monitoring",
    auth=Needs(Scope.READ),
    operation_id="read_monitoring",
    summary="What the monitors last saw of the live policy's traffic",
    response={200: MonitoringOut},
    openapi_extra={"responses": problems(400, 401, 403, 405, 429, 503)},
)
def read_monitoring(request: KeyRequest) -> dict[str, Any]:
    """Each monitor's last reading, its limit and its open alarm. Needs the scope `read`."""
    project = request.auth.project
    signed = monitoring.watched_signoff(project)
    return {
        "signoff": signed.pk if signed else None,
        "stale_at": signed.stale_at if signed else None,
        "stale_why": signed.stale_why if signed else "",
        "monitors": [_monitor(one) for one in monitoring.shown(project, signed)],
    }


def _monitor(one: monitoring.Shown) -> dict[str, Any]:
    last = one.last
    return {
        "name": one.monitor.name,
        "title": one.monitor.title,
        "level": last.level if last else None,
        "value": last.value if last else None,
        "limit": last.limit if last else None,
        "n": last.n if last else 0,
        "at": last.at if last else None,
        "sentence": last.detail.get("sentence", "") if last else "",
        "alarm": one.alarm.pk if one.alarm else None,
    }


class LabelFilters(Schema):
    """Which labels, and how many."""

    source: list[Literal["human", "judge", "proxy"]] = Field(
        ["human", "judge", "proxy"],
        description="The sources that are asked; the others count as silent",
    )
    since: Moment | None = Field(None, description="Of requests of this time or later")
    until: Moment | None = Field(None, description="Of requests before this time")
    texts: bool = Field(False, description="With the query of each")
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=200, description="`next_cursor` of the last page")


class SaidOut(Schema):
    """What a source says that is not believed."""

    source: Literal["human", "judge", "proxy"]
    how: str
    cheap_ok: float
    expensive_ok: float


class LabelOut(Schema):
    """How well both answers of a pair do, by the strongest source that speaks of it."""

    pair_id: int
    request_id: UUID
    received_at: datetime
    task: str
    source: Literal["human", "judge", "proxy"]
    how: str = Field(description="Who or what said it: `2 people`, a judge, a heuristic")
    said_at: datetime | None = Field(description="Null for a heuristic on two texts")
    cheap_ok: float = Field(description="How well the cheap answer does, in [0, 1]")
    expensive_ok: float
    weight: float = Field(description="How many requests the pair stands for")
    overruled: list[SaidOut]
    cheap_model: str
    expensive_model: str
    query: str | None


class LabelPage(Schema):
    """A page of labels, the newest request first."""

    items: list[LabelOut]
    next_cursor: str | None


@router.get(
    "/labels",
    auth=Needs(Scope.READ),
    operation_id="list_labels",
    summary="What routers may be trained on, newest request first",
    response={200: LabelPage},
    openapi_extra={"responses": problems(400, 401, 403, 405, 429, 503)},
)
def list_labels(request: KeyRequest, filters: Query[LabelFilters]) -> dict[str, Any]:
    """One label for each pair of the key's project, with where it comes from. Scope: `read`.

    Pairs that were drawn to calibrate have none. A key may be anybody's: pairs that wait for a
    rating or are in dispute are left out.
    """
    page = labels.page(
        request.auth.project,
        hidden=blindness.hidden_from_anybody(),
        asked=filters.source,
        since=filters.since,
        until=filters.until,
        before=_place(filters.cursor) if filters.cursor else None,
        most=filters.limit,
    )
    return {
        "items": [_label(one, texts=filters.texts) for one in page.labels],
        "next_cursor": cursors.of(*page.last) if page.last else None,
    }


def _place(cursor: str) -> tuple[datetime, int]:
    at, name = cursors.read(cursor)
    if not name.isdecimal() or len(name) > len(str(_MOST_ID)) - 1:
        raise cursors.refusal()
    return at, int(name)


def _label(one: Label, *, texts: bool) -> dict[str, Any]:
    told = one.provenance
    return {
        **one._asdict(),
        "how": told["how"],
        "said_at": told["at"],
        "overruled": told["overruled"],
        "query": one.query if texts else None,
    }


class LabelFile(Schema):
    """What the file holds."""

    format: Literal["csv", "jsonl", "parquet"] = "csv"
    texts: bool = Field(False, description="With the query of each")


@router.get(
    "/labels/export",
    auth=Needs(Scope.READ),
    operation_id="export_labels",
    summary="All labels of the project as a file",
    openapi_extra={"responses": {200: _OK, **problems(400, 401, 403, 405, 429, 503)}},
)
def export_labels(request: KeyRequest, options: Query[LabelFile]) -> HttpResponseBase:
    """What `/labels` lists, in request order. Scope: `read`."""
    hidden = blindness.hidden_from_anybody()
    return label_files.response(request.auth.project, hidden, options.format, texts=options.texts)


def _study(request: KeyRequest, study_id: int) -> Study:
    """Return the study of the key's project.

    Raises:
        NotFound: when there is none.
    """
    study = Study.objects.filter(project=request.auth.project, pk=study_id).first()
    if study is None:
        raise NotFound(f"No study {study_id} is in this project.")
    return study
