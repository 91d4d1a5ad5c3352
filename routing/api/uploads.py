"""Files and single documents into collections, and what is in them, by key."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from ninja import Query, Router, Schema, Status
from pydantic import Field

from routing import collections
from routing.api import collection_shapes as shapes
from routing.api.collections import sentences
from routing.api.document import problems
from routing.api.keys import KeyRequest, Needs
from routing.errors import Conflict, InvalidRequest, NotFound, TooLarge
from routing.models import Collection, Upload
from routing.types import Scope

router = Router(tags=["Collections"])

#: What a form may have around its file.
_FORM_BYTES = 100_000
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {"type": "string", "format": "binary"},
                    "replaces_all": {"type": "boolean"},
                },
            }
        },
        "application/octet-stream": _BINARY,
    },
}


class File(NamedTuple):
    """What was sent."""

    name: str
    content: bytes
    replaces_all: bool


class UploadQuery(Schema):
    """What a body without a form cannot say."""

    name: shapes.Text = Field(
        "", max_length=200, description="Name of the file, when the body is not a form"
    )
    kind: Upload.Kind | None = Field(None, description="Default: by the ending of the name")
    replaces_all: bool = Field(False, description="What is not in the file leaves the collection")


@router.post(
    "/collections/{name}/uploads",
    auth=Needs(Scope.IMPORT),
    response={202: shapes.UploadShape},
    operation_id="upload_documents",
    summary="Upload a file of documents",
    openapi_extra={
        "requestBody": _BODY,
        "responses": problems(400, 401, 403, 404, 405, 413, 429, 503),
    },
)
def upload_documents(
    request: KeyRequest, name: shapes.Name, asked: Query[UploadQuery]
) -> Status[shapes.UploadShape]:
    """Send JSON lines, Markdown, text or PDF: as a form with `file`, or as the body with `?name=`.

    202: a worker reads, cuts and embeds it; ask for the upload until it is done. Each line of JSON
    lines is an object with `id` and `text`, and perhaps `title` and `metadata`; other files are
    one document with the file's name as its key. A document whose key is there replaces that one.
    A file that is empty, binary or of no such kind is refused, and nothing is written. Needs the
    scope `import`.
    """
    collection = collections.find(request.auth.project, name)
    sent = _file(request, asked)
    with sentences():
        made = collections.upload(
            collection,
            sent.name,
            sent.content,
            asked.kind.value if asked.kind else "",
            replaces_all=sent.replaces_all,
        )
    return Status(202, shapes.upload(made))


def _file(request: HttpRequest, asked: UploadQuery) -> File:
    """Return what was sent; of too large a body no more than the limit is ever held.

    Raises:
        TooLarge: naming the limit.
        InvalidRequest: when there is no file, or none that can be read.
    """
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length) > settings.SHADOWEVAL_UPLOAD_MAX_BYTES + _FORM_BYTES:
        raise too_large()
    if request.content_type == "multipart/form-data":
        return _of_form(request, asked)
    if not asked.name:
        raise InvalidRequest("Send a form with the field `file`, or name the body: ?name=notes.md.")
    content = request.read(settings.SHADOWEVAL_UPLOAD_MAX_BYTES + 1)
    return File(asked.name, _within(content), asked.replaces_all)


def _of_form(request: HttpRequest, asked: UploadQuery) -> File:
    try:
        files, form = request.FILES.getlist("file"), request.POST
    except RequestDataTooBig:
        raise
    except (MultiPartParserError, SuspiciousOperation) as exc:
        raise InvalidRequest("The form cannot be read as multipart/form-data.") from exc
    if len(files) != 1:
        raise InvalidRequest("Send one file, in the field `file` of the form.")
    content = _within(files[0].read(settings.SHADOWEVAL_UPLOAD_MAX_BYTES + 1))
    is_whole = form.get("replaces_all", "").lower() in {"1", "true", "on"}
    return File(files[0].name or "", content, asked.replaces_all or is_whole)


def _within(content: bytes) -> bytes:
    if len(content) > settings.SHADOWEVAL_UPLOAD_MAX_BYTES:
        raise too_large()
    return content


def too_large() -> TooLarge:
    """Return the error of a file over the limit."""
    limit = settings.SHADOWEVAL_UPLOAD_MAX_BYTES / 1_000_000
    return TooLarge(f"The file is larger than {limit:g} MB; send it as several files.")


@router.get(
    "/collections/{name}/uploads/{upload_id}",
    auth=Needs(Scope.READ),
    response=shapes.UploadShape,
    operation_id="get_upload",
    summary="How far an upload is",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 429, 503)},
)
def get_upload(request: KeyRequest, name: shapes.Name, upload_id: shapes.Id) -> shapes.UploadShape:
    """State, documents read, chunks embedded, and what was left out and why. Scope: `read`."""
    return shapes.upload(_upload(collections.find(request.auth.project, name), upload_id))


@router.delete(
    "/collections/{name}/uploads/{upload_id}",
    auth=Needs(Scope.IMPORT),
    response=shapes.UploadShape,
    operation_id="cancel_upload",
    summary="Cancel an upload",
    openapi_extra={"responses": problems(400, 401, 403, 404, 405, 409, 429, 503)},
)
def cancel_upload(
    request: KeyRequest, name: shapes.Name, upload_id: shapes.Id
) -> shapes.UploadShape:
    """End one that waits or is worked on; the collection stays as it is. Scope: `import`.

    409 when it has ended already.
    """
    row = _upload(collections.find(request.auth.project, name), upload_id)
    if not collections.cancel(row):
        raise Conflict("This upload has ended already; it cannot be cancelled.")
    return shapes.upload(_upload(row.collection, upload_id))


def _upload(collection: Collection, upload_id: int) -> Upload:
    rows = collection.uploads.defer("content").select_related("version", "collection")
    row = rows.filter(pk=upload_id).first()
    if row is None:
        raise NotFound(f"No upload {upload_id} is in the collection {collection.name}.")
    return row
