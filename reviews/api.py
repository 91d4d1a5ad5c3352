"""The part of the native API that is about studies."""

from __future__ import annotations

from typing import Any, Literal

from django.http.response import HttpResponseBase
from ninja import Path, Query, Router, Schema
from pydantic import Field

from reviews import calibration, estimation, status
from reviews.exchange import blindness, streaming
from reviews.exchange.exports import Export
from reviews.exchange.formats import FORMATS
from reviews.models import Rater, Study
from routing.api.document import problems
from routing.api.keys import KeyRequest, Needs
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


def _study(request: KeyRequest, study_id: int) -> Study:
    """Return the study of the key's project.

    Raises:
        NotFound: when there is none.
    """
    study = Study.objects.filter(project=request.auth.project, pk=study_id).first()
    if study is None:
        raise NotFound(f"No study {study_id} is in this project.")
    return study
