"""A router's card: what it is, how well it ranks, what it would change, and what it was made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from reviews import cardcharts, cards
from reviews.exchange import blindness
from reviews.models import TrainingRun
from reviews.views.frame import about, current_project, page
from routing import policy, routers
from routing.models import Project, Request, RouterVersion
from routing.routers.kinds import Kind

#: The figures of a card in the order of the page: where they are, and what they are called.
_FIGURES = (
    ("auroc", "AUROC", "chance is .50"),
    ("apgr", "APGR", "mean share of the quality gap closed"),
    ("cpt50", "CPT(50)", "expensive calls that close half the gap"),
    ("cpt80", "CPT(80)", "expensive calls that close four fifths"),
    ("brier", "Brier score", "0 is perfect"),
    ("skill", "Brier skill", "0 is no better than the mean"),
)


class Known(NamedTuple):
    """What the ledger still knows of a request; `query` is None when it was deleted."""

    query: str | None = None
    task: str = ""
    pair_id: int | None = None


@require_GET
@page("see_results")
def router(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a version's card; of one that nobody measured, say so."""
    row = get_object_or_404(RouterVersion.objects.defer("artifact"), pk=pk)
    project = row.project or current_project(request)
    assert isinstance(request.user, User)
    live = policy.live(project) if project else None
    shown = {
        **about(project),
        "section": "routers",
        "version": row,
        "kind": routers.kinds().get(row.kind),
        "is_live": bool(live and live.router_id == row.pk),
        "run": TrainingRun.objects.filter(router=row).select_related("created_by").first(),
        "sentence": cards.sentence(row.card),
        "is_measured": isinstance(row.card.get("auroc"), dict),
        "why_not": _why_not(row, routers.kinds().get(row.kind)),
        **(_measured(row, request.user) if "learning" in row.card else {}),
    }
    return render(request, "reviews/router.html", shown)


def _why_not(row: RouterVersion, kind: Kind | None) -> str:
    """Return why a version has no measured card; "" for one that was trained."""
    if "learning" in row.card:
        return ""
    if "rules_of" in row.card:
        return f"Made: {row.card['made']}, whose card was measured with other rules."
    if row.is_starter and row.project_id is None:
        return "It comes with the product and was fitted on a person’s guesses: no model was asked."
    if kind is not None and kind.is_control:
        return "It is a control: it looks at nothing, and is there to be compared with."
    if kind is not None and kind.fit is None:
        return "It was configured, not trained: a study of its own says what it is worth."
    return "It was not trained here."


def _measured(row: RouterVersion, user: User) -> dict[str, Any]:
    card = row.card
    switched = (card.get("differences") or {}).get("examples", [])
    known = _known(row.project, [*card["wrong"], *switched])
    hidden = _hidden(user, known.values())
    wrong = _rows(card["wrong"], known, hidden)
    return {
        "card": card,
        "figures": cardcharts.figures(card),
        "numbers": [(title, card.get(name), hint) for name, title, hint in _FIGURES],
        "wrong": wrong,
        "n_hidden": len(card["wrong"]) - len(wrong),
        "switched": _rows(switched, known, hidden),
    }


def _known(project: Project | None, named: list[dict[str, Any]]) -> dict[str, Known]:
    """Return what the ledger says of the requests that a card names, in one query."""
    ids = {one["request_id"] for one in named}
    rows = Request.objects.filter(project=project, pk__in=ids)
    found = rows.values_list("pk", "query", "task", "pair__pk")
    return {str(pk): Known(query, task, pair) for pk, query, task, pair in found}


def _hidden(user: User, known: Iterable[Known]) -> set[int]:
    """Return the pairs that the person may still be asked about: a label tells what others said."""
    ids = [one.pair_id for one in known if one.pair_id is not None]
    open_ones = blindness.hidden_from(user, texts=False).filter(pk__in=ids)
    return set(open_ones.values_list("pk", flat=True))


def _rows(
    named: list[dict[str, Any]], known: dict[str, Known], hidden: set[int]
) -> list[tuple[dict[str, Any], Known]]:
    """Return what a card names with what the ledger says, but for what must stay hidden."""
    found = [(one, known.get(one["request_id"], Known())) for one in named]
    return [(one, row) for one, row in found if row.pair_id not in hidden]
