"""Try a query on a collection: what each strategy finds, side by side."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from reviews import marking
from reviews.errors import BadInput
from reviews.views.collections import TITLES, find, form_context, sentences
from reviews.views.frame import about, page
from routing import trying
from routing.models import Collection
from routing.retrieval.base import AUTO, STRATEGIES
from routing.trying import Tried

_LONGEST = 4000
#: Side by side more would not be read.
_MOST = 10


@require_http_methods(["GET", "POST"])
@page("see_results")
def try_query(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a query; a POST, so that no query stands in an address, shows what is found."""
    found, query = find(pk), request.POST.get("query", "").strip()
    shown = {
        **about(found.project),
        **form_context(request),
        "section": "collections",
        "collection": found,
        "query": query,
    }
    if request.method == "POST":
        try:
            shown |= _tried(found, query)
        except BadInput as exc:
            shown["problem"] = str(exc)
    return render(request, "reviews/collections_try.html", shown)


def _tried(found: Collection, query: str) -> dict[str, Any]:
    """Return what each strategy finds.

    Raises:
        BadInput: when nothing was asked, or nothing can be searched.
    """
    if not 0 < len(query) <= _LONGEST:
        raise BadInput(f"A query has 1 to {_LONGEST:,} characters.")
    with sentences():
        served = trying.opened(found)
    k = min(found.k, _MOST)
    every = {name: trying.look(served, query, name, k) for name in (*STRATEGIES, AUTO)}
    return {
        "version": served.version,
        "auto": every[AUTO].search,
        "columns": [(TITLES[name], every[name].search, _lines(every[name], query))
                    for name in STRATEGIES],
    }  # fmt: skip


def _lines(tried: Tried, query: str) -> list[tuple[Any, Any]]:
    return [(source, marking.mark(source.text, query)) for source in tried.sources]
