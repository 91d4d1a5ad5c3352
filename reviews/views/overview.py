"""Overview and pairs: what came in, what was compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from reviews import demo as demo_content
from reviews import listing, passages, permissions, rating, rendering, revealing, suggestions
from reviews.models import Alarm, Gold, Study, Verdict
from reviews.views.frame import about, current_project, page
from routing import counts, policy, pricing, spend
from routing.models import (
    Completion,
    Project,
    Request,
    Retrieval,
    RetrievalPair,
    ShadowPair,
)
from routing.types import Tier

#: Open alarms that the overview names; each monitor has one at most.
_ALARMS = 5


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Send raters to their pairs and everybody else to the overview."""
    sees = permissions.can(request.user, "see_results")
    return redirect("overview" if sees else "rate")


@require_safe
@page("see_results")
def overview(request: HttpRequest) -> HttpResponse:
    """Show counts, how far shadow work is behind, and the newest requests."""
    project = current_project(request)
    context = {
        **_counts(project),
        "recent": _recent(project),
        "deployment": policy.deployment(project) if project else None,
        "can_demo": permissions.can(request.user, "administer"),
        "unpriced": _unpriced(project),
        "suggestions": _suggestions(project),
        "open_alarms": Alarm.objects.filter(project=project, closed_at=None)[:_ALARMS],
        "base_url": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "reviews/overview.html", context)


def _suggestions(project: Project | None) -> list[suggestions.Suggestion]:
    """Return what is to be done; of a large project the Routers page says it: it takes a while."""
    is_large = counts.pairs(project) > settings.SHADOWEVAL_PREVIEW_PAIRS
    return [] if is_large else suggestions.of(project)


def _counts(project: Project | None) -> dict[str, Any]:
    """Return the figures; nothing here costs more when more is stored."""
    if project is None:
        return {"n_requests": 0, "n_pairs": 0, "n_cheap": 0, "backlog": 0}
    tiers = counts.by_tier(project)
    return {
        "n_requests": sum(tiers.values()),
        "n_pairs": counts.pairs(project),
        "n_cheap": tiers.get(Tier.CHEAP, 0),
        "jobs": counts.jobs(project),
        "backlog": counts.backlog(project),
        "lag_s": counts.lag_s(project),
        "shadow_usd": spend.today(project),
    }


def _recent(project: Project | None) -> Sequence[Request]:
    """Return the newest requests, each with who decided it and what all its calls cost."""
    served = Completion.objects.filter(request=OuterRef("pk"), is_shadow=False)
    rows = Request.objects.filter(project=project).select_related("decision__policy", "retrieval")
    costs = rows.annotate(cost_usd=Subquery(served.values("cost_usd")[:1]))
    names = ("tier", "reason", "rule", "score", "probe_usd", "probe_ms")
    decided = (f"decision__{name}" for name in names)
    shown = ("received_at", "task", "status", *decided, "decision__policy__number")
    shown = (*shown, "retrieval__cost_usd")
    found = list(costs.only(*shown).order_by("-received_at")[:10])
    for row in found:
        row.cost_usd = pricing.total_usd(row.decision, row.cost_usd, row.rewrite_usd)
    return found


def _unpriced(project: Project | None) -> list[str]:
    """Return the live policy's models whose price nobody gave, but for invented answers."""
    live = policy.live(project) if project else None
    specs = [live.tier_spec(tier) for tier in Tier] if live else []
    return [s.model for s in specs if s.price is None and s.provider != "simulated"]


@require_POST
@page("administer")
def demo(request: HttpRequest) -> HttpResponse:
    """Load the demo, or remove it."""
    if request.POST.get("action") == "remove":
        demo_content.remove()
        request.session.pop("project", None)
        messages.success(request, "The demo is gone.")
        return redirect("overview")
    project = demo_content.load()
    request.session["project"] = project.slug
    return redirect("overview")


@require_safe
@page("see_results")
def pairs(request: HttpRequest) -> HttpResponse:
    """List the pairs of the project."""
    project = current_project(request)
    task = request.GET.get("task", "")
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    context = {
        "page": listing.page(project, task, before=before, after=after),
        "tasks": listing.tasks(project),
        "task": task,
    }
    return render(request, "reviews/pairs.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page("see_results")
def pair(request: HttpRequest, pk: int) -> HttpResponse:
    """Show both answers of a pair, by tier, with what raters said.

    Whoever may be asked to rate it is asked first: what is seen cannot be rated blind.
    """
    related = ("request__decision", "request__retrieval", "cheap", "expensive", "project")
    row = get_object_or_404(ShadowPair.objects.select_related(*related), pk=pk)
    assert isinstance(request.user, User)
    rater = rating.rater_of(request.user)
    is_asked = permissions.can(request.user, "rate") and not revealing.may_reveal(row, rater)
    if is_asked and request.method != "POST":
        context = {"row": row, "is_needed": revealing.is_needed(row, rater), **about(row.project)}
        if (found := passages.of(row)) is not None:
            context |= {"passages": passages.shown(found), "n_sources": len(found)}
        return render(request, "reviews/pair_blind.html", context)
    revealing.reveal(row, rater)  # of everybody: who may not rate today may tomorrow
    return show_pair(request, row)


def show_pair(request: HttpRequest, row: ShadowPair, **more: Any) -> HttpResponse:
    """Answer with a pair that this person has seen, and for leads the form that makes it gold."""
    verdicts = row.verdicts.select_related("rater").order_by("-id")
    completions = [
        (completion.get_tier_display(), completion, rendering.markdown(completion.text))
        for completion in (row.cheap, row.expensive)
    ]
    context = {
        "row": row,
        "verdicts": verdicts,
        "completions": completions,
        "studies": _gold_studies(request, row),
        "golds": row.golds.select_related("study"),
        "uses": Gold.Use.choices,
        "answers": Verdict.ANSWERS,
        **_retrieval(row),
        **about(row.project),
    }
    return render(request, "reviews/pair.html", context | more)


def _retrieval(row: ShadowPair) -> dict[str, Any]:
    """Return what was looked up for a pair, and what the other retrieval gave instead."""
    found: Retrieval | None = getattr(row.request, "retrieval", None)
    if found is None:
        return {}
    said = {"retrieval": found, "passages": passages.shown(found.sources)}
    other: RetrievalPair | None = getattr(row, "alternative", None)
    if other is None:
        return said
    return said | {
        "alternative": other,
        "other_passages": passages.shown(other.sources),
        "alternative_html": rendering.markdown(other.other.text),
    }


def _gold_studies(request: HttpRequest, row: ShadowPair) -> QuerySet[Study]:
    """Return the studies in which this person may still make the pair gold."""
    if not permissions.can(request.user, "run_studies"):
        return Study.objects.none()
    return Study.objects.filter(sample__pair=row).exclude(golds__pair=row)
