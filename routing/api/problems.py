"""Every refusal of the API as problem details (RFC 9457), never as a page.

The shape is the one the hot native route has; refused fields are added as `errors`.
"""

from __future__ import annotations

import json
import logging
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views import defaults
from ninja.errors import HttpError, ValidationError

from routing.errors import (
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    RequestError,
    ServiceUnavailable,
    TooLarge,
)
from routing.wire import native

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
_MOST_ERRORS = 50
_RETRY_S = "2"


def response(
    error: RequestError, errors: list[dict[str, str]] | None = None, request_id: str = ""
) -> HttpResponse:
    """Return the error as a response; `errors` says which fields are at fault."""
    request_id = request_id or str(uuid4())
    problem = json.loads(native.error_body(error, request_id))
    if errors is not None:
        problem["errors"] = errors
    headers = {"x-shadoweval-request-id": request_id, "cache-control": "no-store"}
    return HttpResponse(
        json.dumps(problem), content_type=CONTENT_TYPE, status=error.status, headers=headers
    )


def of_request_error(request: HttpRequest, exc: RequestError) -> HttpResponse:
    """Return what a service or the authentication refused."""
    return response(exc)


def of_http_error(request: HttpRequest, exc: HttpError) -> HttpResponse:
    """Return what ninja refused; it wraps what reading the body raised."""
    if isinstance(exc.__cause__, RequestError):
        return response(exc.__cause__)
    return response(RequestError(str(exc), exc.status_code))


def of_validation(request: HttpRequest, exc: ValidationError) -> HttpResponse:
    """Return the fields that do not fit, each with its place; 400, not 422."""
    errors = [_field_error(error) for error in exc.errors[:_MOST_ERRORS]]
    places = ", ".join(error["location"] for error in errors[:3])
    detail = f"{len(exc.errors)} values do not fit, among them {places}; see errors."
    if len(exc.errors) == 1:
        detail = f"{errors[0]['location']}: {errors[0]['message']}"
    return response(InvalidRequest(detail[:500]), errors)


def _field_error(error: dict[str, Any]) -> dict[str, str]:
    """Return place and message of one error; the name of our own parameter is no part of it."""
    source, *rest = (str(part) for part in error["loc"])
    rest = rest[1:] if source == "body" else rest
    message = str(error["msg"]).removeprefix("Value error, ")
    return {"location": ".".join([source, *rest])[:200], "message": message[:300]}


def of_too_large(request: HttpRequest, exc: Exception) -> HttpResponse:
    """Return 413 for what Django refused to read."""
    return response(too_large())


def too_large() -> TooLarge:
    """Return the error of a body over the limit."""
    limit = settings.SHADOWEVAL_MAX_BODY_BYTES
    return TooLarge(f"The request body is larger than {limit:,} bytes.")


def of_database(request: HttpRequest, exc: Exception) -> HttpResponse:
    """Return 503: the database is away, or broke the transaction off; nothing was written."""
    log.warning("the API cannot reach the database: %s", type(exc).__name__)
    refused = response(ServiceUnavailable("The database does not answer now; try again."))
    refused.headers["retry-after"] = _RETRY_S
    return refused


def of_anything(request: HttpRequest, exc: Exception) -> HttpResponse:
    """Return 500 without details; the log has them under the request id."""
    request_id = str(uuid4())
    log.error("API request %s failed: %s", request_id, type(exc).__name__, exc_info=exc)
    hint = RequestError("Internal error; the log has this request id.", 500, "api_error")
    return response(hint, request_id=request_id)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Return 404 for an address that does not exist."""
    return response(NotFound(f"{request.path[:200]} does not exist here."))


def method_not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    """Return 405 with the methods there are."""
    method = str(request.method)[:20]
    refused = response(MethodNotAllowed(f"{method} is not supported here; use {allowed}."))
    refused.headers["allow"] = allowed
    return refused


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer what Django refused before any view: below /api/ as a problem, else as a page."""
    if request.path.startswith("/api/"):
        return response(
            InvalidRequest("The request cannot be read as HTTP addressed to this host.")
        )
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer what failed outside the API's views: below /api/ as a problem, else as a page."""
    if request.path.startswith("/api/"):
        return response(RequestError("Internal error; see the log.", 500, "api_error"))
    return defaults.server_error(request)
