"""What every page shows around its content: project, navigation by role, honest notices."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from reviews import expiry, permissions, rollout, signatures, stale
from reviews.errors import BadInput, NotAllowed, ReviewError
from reviews.models import SignOff
from routing import policy
from routing.models import Policy, Project

View = Callable[..., HttpResponseBase]

#: Pages that show pairs blind: their frame says nothing of policies and models.
_BLIND = ("/rate", "/adjudicate")

_NAV = (
    ("overview", "Overview", "see_results"),
    ("rate", "Rate", "rate"),
    ("adjudicate", "Adjudicate", "adjudicate"),
    ("pairs", "Pairs", "see_results"),
    ("studies", "Studies", "see_results"),
    ("threshold", "Threshold", "see_results"),
    ("judge", "Judge", "see_results"),
    ("routers", "Routers", "see_results"),
    ("collections", "Collections", "see_results"),
    ("signoffs", "Sign-off", "see_results"),
    ("policies", "Policies", "see_results"),
    ("monitors", "Monitors", "see_results"),
    ("alarms", "Alarms", "see_results"),
    ("cost", "Cost", "see_results"),
    ("people", "People", "invite"),
    ("settings", "Settings", "administer"),
)


def current_project(request: HttpRequest) -> Project | None:
    """Return the project that the address names, or the one looked at last, or the first."""
    slug = request.GET.get("project") or request.session.get("project", "")
    slug = slug.replace("\0", "")  # Postgres refuses to look for it
    found = Project.objects.filter(slug=slug).first()
    if found is None:
        live = Project.objects.filter(kind=Project.Kind.LIVE).order_by("id").first()
        found = live or Project.objects.first()
    if found is not None and request.session.get("project") != found.slug:
        request.session["project"] = found.slug
    return found


def posted_project(request: HttpRequest) -> Project:
    """Return the project that a form names: the session may have moved on in another tab.

    Raises:
        BadInput: when the form names none that exists.
    """
    found = Project.objects.filter(slug=request.POST.get("project", "")).first()
    if found is None:
        raise BadInput("This form names no project that exists; reload the page and try again.")
    return found


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return the frame's context; raters get the navigation and nothing else."""
    user = request.user
    if not user.is_authenticated:
        return {}
    nav = [(name, title) for name, title, action in _NAV if permissions.can(user, action)]
    context: dict[str, Any] = {"nav": nav}
    if not permissions.can(user, "see_results") or request.path.startswith(_BLIND):
        return context
    context["projects"] = Project.objects.all()
    context["need_count"] = len(signatures.needing(user))
    return context | about(current_project(request))


def to_page(name: str, project: Project) -> HttpResponse:
    """Go to a page of this project, whatever another tab looks at."""
    return redirect(f"{reverse(name)}?{urlencode({'project': project.slug})}")


def about(project: Project | None) -> dict[str, Any]:
    """Return what the frame says of a project: its live policy and the notices it needs."""
    live = policy.live(project) if project else None
    return {
        "project": project,
        "live": live,
        "alarm_count": _n_unseen(project) if project else 0,
        "starter": bool(live and live.router.is_starter),
        **(_under_way(project, live) if project else {}),
        **notices(project),
    }


def _n_unseen(project: Project) -> int:
    return project.alarms.filter(closed_at=None, acknowledged_at=None).count()


def _under_way(project: Project, live: Policy | None) -> dict[str, Any]:
    """Return what waits for people in a project: a request, a rollout, an end that is near."""
    return {
        "pending": project.signoffs.filter(state=SignOff.State.REQUESTED).first(),
        "way_now": rollout.under_way(project),
        "warned": expiry.warning(project, live),
        "alarmed": stale.warning(project, live),
    }


def notices(project: Project | None, about_policy: Policy | None = None) -> dict[str, bool]:
    """Return the honest notices above content made under a policy; under the live one if None."""
    if project is None:
        return {"simulated": False, "is_demo": False}
    made_under = about_policy or policy.live(project)
    is_simulated = made_under is not None and made_under.is_simulated
    return {
        "simulated": is_simulated and project.kind == Project.Kind.LIVE,
        "is_demo": project.kind == Project.Kind.DEMO,
    }


def _names_no_project(request: HttpRequest) -> bool:
    """Return whether the address names a project that does not exist: another's is no answer."""
    slug = request.GET.get("project", "")
    return bool(slug) and not Project.objects.filter(slug=slug).exists()


def _has_nul(request: HttpRequest) -> bool:
    """Return whether a name or a value holds the one character that Postgres takes in no text."""
    sent = [*request.GET.lists(), *request.POST.lists()]
    return any("\0" in text for name, values in sent for text in (name, *values))


def _came_from(request: HttpRequest) -> str:
    """Return the page of this site that sent the request, or the first page."""
    referer = request.headers.get("referer", "")
    is_ours = url_has_allowed_host_and_scheme(referer, {request.get_host()}, request.is_secure())
    return referer if is_ours else "home"


def page(action: str) -> Callable[[View], View]:
    """Guard a view by permission, and show what a service refuses as a message."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if _has_nul(request):
                return HttpResponse("A NUL character cannot be stored.", status=400)
            try:
                permissions.check(request.user, action)
                if _names_no_project(request):
                    return render(request, "reviews/no_project.html", status=404)
                return view(request, *args, **kwargs)
            except NotAllowed as exc:
                return render(request, "reviews/refused.html", {"reason": str(exc)}, status=403)
            except ReviewError as exc:
                if request.headers.get("x-requested-with") == "fetch":  # a script shows it itself
                    return HttpResponse(str(exc), status=409, content_type="text/plain")
                messages.error(request, str(exc))
                return redirect(_came_from(request))

        return guarded

    return decorate
