"""Overview and pairs: what came in, what was compared."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.db.models import Count, Q, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from reviews import demo as demo_content
from reviews import permissions, rating, rendering
from reviews.views.frame import about, current_project, page
from routing import policy
from routing.models import Decision, Project, Request, ShadowJob, ShadowPair
from routing.types import Tier


def home(request: HttpRequest) -> HttpResponse:
    """Send raters to their pairs and everybody else to the overview."""
    sees = permissions.can(request.user, "see_results")
    return redirect("overview" if sees else "rate")


@page("see_results")
def overview(request: HttpRequest) -> HttpResponse:
    """Show counts, jobs by state and reason, and the newest requests."""
    project = current_project(request)
    requests = Request.objects.filter(project=project)
    decisions = Decision.objects.filter(request__project=project)
    jobs = ShadowJob.objects.filter(project=project).values("state", "reason")
    total = decisions.count()
    served_cost = Sum("completions__cost_usd", filter=Q(completions__is_shadow=False))
    recent = requests.select_related("decision").annotate(cost_usd=served_cost)
    context = {
        "n_requests": requests.count(),
        "n_pairs": ShadowPair.objects.filter(project=project).count(),
        "n_cheap": decisions.filter(tier="cheap").count(),
        "n_decisions": total,
        "jobs": jobs.annotate(n=Count("id")).order_by("state", "reason"),
        "recent": recent.order_by("-received_at")[:10],
        "can_demo": permissions.can(request.user, "administer"),
        "unpriced": _unpriced(project),
        "base_url": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "reviews/overview.html", context)


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


@page("see_results")
def pairs(request: HttpRequest) -> HttpResponse:
    """List the pairs of the project."""
    project = current_project(request)
    rows = ShadowPair.objects.filter(project=project).select_related("request")
    tasks = rows.values_list("task", flat=True).distinct().order_by("task")
    if task := request.GET.get("task"):
        rows = rows.filter(task=task)
    counted = rows.annotate(n_verdicts=Count("verdicts")).order_by("-id")
    listing = Paginator(counted, 25).get_page(request.GET.get("page"))
    context = {"page": listing, "tasks": tasks, "task": task or ""}
    return render(request, "reviews/pairs.html", context)


@page("see_results")
def pair(request: HttpRequest, pk: int) -> HttpResponse:
    """Show both answers of a pair, by tier, with what raters said.

    Whoever may be asked to rate it is asked first: what is seen cannot be rated blind.
    """
    related = ("request__decision", "cheap", "expensive", "project")
    row = get_object_or_404(ShadowPair.objects.select_related(*related), pk=pk)
    assert isinstance(request.user, User)
    rater = rating.rater_of(request.user)
    is_asked = permissions.can(request.user, "rate") and not rating.may_reveal(row, rater)
    if is_asked and request.method != "POST":
        context = {"row": row, "is_needed": rating.is_needed(row, rater), **about(row.project)}
        return render(request, "reviews/pair_blind.html", context)
    rating.reveal(row, rater)  # of everybody: who may not rate today may tomorrow
    verdicts = row.verdicts.select_related("rater").order_by("-id")
    completions = [
        (completion.get_tier_display(), completion, rendering.markdown(completion.text))
        for completion in (row.cheap, row.expensive)
    ]
    context = {"row": row, "verdicts": verdicts, "completions": completions, **about(row.project)}
    return render(request, "reviews/pair.html", context)
