"""The documents of a collection: a list by key, one with its chunks, and removing one."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count
from django.db.models.functions import Length
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from reviews.views.collections import find, form_context, sentences
from reviews.views.frame import about, page
from reviews.views.signoff import user_of
from routing import collections as service

_SIZE = 25
_CHUNKS = 50


@require_GET
@page("see_results")
def documents(request: HttpRequest, pk: int) -> HttpResponse:
    """List the documents of the newest version; `q` looks for a part of a key."""
    found, asked = find(pk), request.GET.get("q", "").strip()[:300]
    rows = service.documents(found).defer("text", "metadata").order_by("key")
    rows = rows.filter(key__icontains=asked) if asked else rows
    sized = rows.annotate(characters=Length("text"), n_chunks=Count("chunks"))
    paged = Paginator(sized, _SIZE)
    shown = {
        **about(found.project),
        **form_context(request),
        "section": "collections",
        "collection": found,
        "asked": asked,
        "paged": paged.get_page(request.GET.get("page")),
    }
    return render(request, "reviews/collections_documents.html", shown)


@require_GET
@page("see_results")
def document(request: HttpRequest, pk: int, document_pk: int) -> HttpResponse:
    """Show one document as it is searched: chunk by chunk. Older versions' may be read too."""
    found = find(pk)
    row = get_object_or_404(found.documents.select_related("upload"), pk=document_pk)
    chunks = row.chunks.defer("vector").order_by("ordinal")
    shown = {
        **about(found.project),
        **form_context(request),
        "section": "collections",
        "collection": found,
        "document": row,
        "metadata": list(row.metadata.items()),  # a template would take a key before a method
        "is_there": row.added_in is not None and row.removed_in is None,
        "paged": Paginator(chunks, _CHUNKS).get_page(request.GET.get("page")),
    }
    return render(request, "reviews/collections_document.html", shown)


@require_POST
@page("manage_collections")
def remove(request: HttpRequest, pk: int, document_pk: int) -> HttpResponse:
    """Remove one document: the next version is without it."""
    found = find(pk)
    row = get_object_or_404(service.documents(found), pk=document_pk)
    with sentences():
        made = service.remove(found, [row.key], by=user_of(request))
    messages.success(request, f"{row.key} is gone from version {made.number} on.")
    return redirect("documents", pk)
