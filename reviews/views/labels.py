"""Labels: how many there are, where they come from, and where sources differ."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe

from reviews import label_files, memo, permissions, proxies, sources
from reviews import labels as labelling
from reviews.exchange import blindness
from reviews.exchange.formats import FORMATS
from reviews.labels import Counts
from reviews.views.frame import about, current_project, page
from routing.models import Project, ShadowPair

SIZE = 25
TITLES = {"human": "People", "judge": "LLM judge", "proxy": "Heuristics"}


class Line(NamedTuple):
    """One source: labels in which it is believed, their share, and pairs it speaks of."""

    title: str
    n: int
    share: float
    spoken: int


@require_GET
@page("see_results")
def labels(request: HttpRequest) -> HttpResponse:
    """Show what routers may be trained on, and the pairs on which sources differ."""
    project = current_project(request)
    context: dict[str, Any] = {
        "section": "routers",
        "can_run": permissions.can(request.user, "run_studies"),
    }
    if project is not None:
        with memo.look():
            context |= about(project) | _of_project(request, project)
    return render(request, "reviews/labels.html", context)


def _of_project(request: HttpRequest, project: Project) -> dict[str, Any]:
    counted = labelling.counts(project)
    shown, n_hidden = _shown(project, _hidden(request))
    paged = Paginator(range(len(shown)), SIZE).get_page(request.GET.get("page"))
    ids = [shown[place] for place in paged]
    told = {name: proxies.SENTENCES[name] for name in counted.by_heuristic}
    return {
        "counts": counted,
        "lines": _lines(counted),
        "heuristics": [(name, told[name], n) for name, n in counted.by_heuristic.items()],
        "agreement": [
            (TITLES[line.one], TITLES[line.other], line) for line in labelling.agreement(project)
        ],
        "paged": paged,
        "conflicts": labelling.conflicts_of(project, ids),
        "n_hidden": n_hidden,
        "titles": TITLES,
        "formats": list(FORMATS) if permissions.can(request.user, "export") else [],
    }


def _hidden(request: HttpRequest, *, texts: bool = False) -> QuerySet[ShadowPair]:
    assert isinstance(request.user, User)
    return blindness.hidden_from(request.user, texts=texts)


def _shown(project: Project, hidden: QuerySet[ShadowPair]) -> tuple[list[int], int]:
    """Return the conflicts that the person may see, and how many are left out."""
    there = labelling.conflicting(project)
    gone = set(hidden.filter(pk__in=there).values_list("pk", flat=True)) if there else set()
    return [pair_id for pair_id in there if pair_id not in gone], len(gone)


def _lines(counted: Counts) -> list[Line]:
    n = max(counted.total, 1)
    by = counted.by_source
    return [
        Line(TITLES[source], by[source], by[source] / n, counted.spoken[source])
        for source in sources.ALL
    ]


@require_safe
@page("export")
def labels_file(request: HttpRequest, fmt: str) -> HttpResponseBase:
    """Hand out all labels of the project, but for pairs that the person may still answer blind."""
    project = current_project(request)
    if fmt not in FORMATS or project is None:
        raise Http404
    texts = request.GET.get("texts") == "1"
    hidden = _hidden(request, texts=texts)
    return label_files.response(project, hidden, fmt, texts=texts)
