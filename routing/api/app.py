"""The API itself: its routers, its errors, its document, and the page that shows it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver
from django.views.decorators.http import require_safe
from ninja import NinjaAPI, Swagger
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from routing.api import (
    collections,
    document,
    documents,
    feedback,
    ledger,
    pairs,
    problems,
    searches,
    uploads,
    usage,
)
from routing.errors import RequestError
from routing.wire.body import load

View = Callable[..., HttpResponseBase]


class StrictParser(Parser):
    """Reads bodies as the hot routes do: what cannot be stored is refused."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Return the body as an object; one sent without its length is measured here."""
        if len(request.body) > problems.settings.SHADOWEVAL_MAX_BODY_BYTES:
            raise problems.too_large()
        return load(request.body)


class DocsPage(Swagger):
    """Swagger UI from local files, on a page of our own that follows light and dark."""

    template = "routing/api_docs.html"


class Api(NinjaAPI):
    """Ninja's API whose every view is open to keys and answers with problems."""

    @property
    def urls(self) -> tuple[list[URLResolver | URLPattern], str, str]:
        """Return the patterns, each view guarded."""
        patterns, app_name, namespace = super().urls
        for pattern in patterns:
            if isinstance(pattern, URLPattern):
                pattern.callback = guard(pattern.callback)
        return patterns, app_name, namespace

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        """Return the whole document, hot routes included; put together once."""
        return _document()


@cache
def _document() -> Any:
    return document.complete(NinjaAPI.get_openapi_schema(api))


def guard(view: View) -> View:
    """Let the API's own authentication decide, and turn plain refusals into problems."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            return problems.not_found(request)
        if response.status_code == 405:
            return problems.method_not_allowed(request, response.headers["allow"])
        response.headers.setdefault("cache-control", "no-store")
        return response

    guarded.csrf_exempt = True  # type: ignore[attr-defined]
    guarded.login_required = False  # type: ignore[attr-defined]
    return guarded


@guard
def no_such_address(request: HttpRequest) -> HttpResponse:
    """Answer every other address below /api/."""
    raise Http404


api = Api(
    title="Shadoweval",
    version="1",
    description=document.DESCRIPTION,
    urls_namespace="api",
    docs=DocsPage({"persistAuthorization": False, "displayRequestDuration": True}),
    docs_decorator=require_safe,
    parser=StrictParser(),
)
for module in (ledger, usage, feedback, pairs, collections, uploads, documents, searches):
    api.add_router("", module.router)

for kind, handler in (
    (RequestError, problems.of_request_error),
    (HttpError, problems.of_http_error),
    (ValidationError, problems.of_validation),
    (RequestDataTooBig, problems.of_too_large),
    (OperationalError, problems.of_database),
    (InterfaceError, problems.of_database),
    (Exception, problems.of_anything),
):
    api.add_exception_handler(kind, handler)  # type: ignore[arg-type]
