"""Files on their way into a collection: send one, cancel one, try one again."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from reviews.errors import Conflict
from reviews.views.collections import content_of, find, sentences
from reviews.views.frame import page
from reviews.views.signoff import user_of
from routing import collections as service
from routing.models import Upload


@require_POST
@page("manage_collections")
def upload(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a file; a worker reads, cuts and embeds it."""
    found, file = find(pk), request.FILES.get("file")
    content = content_of(file)
    with sentences():
        service.upload(
            found,
            file.name if file and file.name else "",
            content,
            replaces_all=request.POST.get("replaces_all") == "1",
            by=user_of(request),
        )
    return redirect("collection", pk)


@require_POST
@page("manage_collections")
def cancel(request: HttpRequest, pk: int, upload_pk: int) -> HttpResponse:
    """End an upload that waits or is worked on; the collection stays as it is."""
    if not service.cancel(_find(pk, upload_pk)):
        raise Conflict("This upload has ended already.")
    messages.success(request, "Cancelled; the collection is as it was.")
    return redirect("collection", pk)


@require_POST
@page("manage_collections")
def retry(request: HttpRequest, pk: int, upload_pk: int) -> HttpResponse:
    """Have a worker try an upload again that failed."""
    if not service.retry(_find(pk, upload_pk)):
        raise Conflict("This upload cannot be tried again: send the file once more.")
    return redirect("collection", pk)


def _find(pk: int, upload_pk: int) -> Upload:
    rows = find(pk).uploads.select_related("collection")
    return get_object_or_404(rows, pk=upload_pk)
