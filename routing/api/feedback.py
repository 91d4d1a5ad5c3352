"""Take what became of an answer: a thumb, a score, whether the task was completed, a comment."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field, model_validator

from routing import privacy
from routing.api import ledger, shapes
from routing.api.document import problems
from routing.api.keys import KeyRequest, Needs
from routing.models import Feedback, Request
from routing.records import clean
from routing.types import Scope

router = Router(tags=["Feedback"])


class FeedbackIn(Schema):
    """What the application says of one answer: at least one of the fields."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        json_schema_extra={
            "examples": [{"thumb": "up", "task_completed": True, "comment": "Solved at once."}]
        },
    )

    thumb: Feedback.Thumb | None = Field(None, strict=False)
    score: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    task_completed: bool | None = None
    comment: str | None = Field(None, max_length=4000)

    @model_validator(mode="after")
    def _says_something(self) -> FeedbackIn:
        if not any(value not in (None, "") for value in self.content().values()):
            raise ValueError("send at least one of thumb, score, task_completed and comment")
        return self

    def content(self) -> dict[str, Any]:
        """Return the columns of the row."""
        return {
            "thumb": "" if self.thumb is None else self.thumb.value,
            "score": self.score,
            "task_completed": self.task_completed,
            "comment": clean(self.comment or "").strip(),
        }


@router.post(
    "/requests/{request_id}/feedback",
    auth=Needs(Scope.ROUTE),
    response={200: shapes.FeedbackShape, 201: shapes.FeedbackShape},
    operation_id="give_feedback",
    summary="Say what became of an answer",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 413, 429, 503)},
)
def give_feedback(
    request: KeyRequest, request_id: UUID, body: FeedbackIn
) -> Status[shapes.FeedbackShape]:
    """Store feedback on one request of the key's project. Needs the scope `route`.

    The same content again is the same row: 201 the first time, 200 after that, so that a call may
    be repeated. Different content is added to what was said before. A request is known as
    soon as its reply is there, while Postgres is: on 404 try again later.
    """
    content, keeping = body.content(), privacy.keeping(request.auth.project)
    if keeping is not None:
        content["comment"] = keeping.comment(content["comment"])
    row, is_new = record(ledger.find(request.auth.project, request_id), content)
    return Status(201 if is_new else 200, shapes.feedback(row))


def record(request: Request, content: dict[str, Any]) -> tuple[Feedback, bool]:
    """Write the row unless it is there; two that arrive at once leave one row."""
    said = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(said.encode()).hexdigest()
    return Feedback.objects.get_or_create(request=request, digest=digest, defaults=content)
