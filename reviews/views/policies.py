"""Policies and settings: what is live, who may come in."""

from __future__ import annotations

import secrets

from django.conf import settings as django_settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_POST

from reviews import permissions
from reviews.errors import NothingToSign
from reviews.views.frame import current_project, page
from routing import access, bootstrap, policy
from routing.models import ApiKey, Project, RouterVersion


@page("see_results")
def policies(request: HttpRequest) -> HttpResponse:
    """List the policies of the project and every deployment."""
    project = current_project(request)
    context = {
        "policies": project.policies.select_related("router") if project else [],
        "deployments": project.deployments.select_related("policy", "deployed_by")
        if project
        else [],
        "can_roll_back": permissions.can(request.user, "roll_back"),
    }
    return render(request, "reviews/policies.html", context)


@require_POST
@page("roll_back")
def roll_back(request: HttpRequest) -> HttpResponse:
    """Go back to always expensive, logged with the reason."""
    project, reason = current_project(request), request.POST.get("reason", "").strip()
    if not reason or project is None:
        raise NothingToSign("Say in a sentence why you roll back.")
    assert isinstance(request.user, User)
    policy.roll_back(project, by=request.user, reason=reason)
    messages.success(request, "Everything goes to the expensive tier again.")
    return redirect("policies")


@page("administer")
def settings(request: HttpRequest) -> HttpResponse:
    """Show keys, people and the provider's state."""
    project = current_project(request)
    context = {
        "keys": ApiKey.objects.filter(project=project),
        "people": User.objects.prefetch_related("groups").order_by("username"),
        "all_roles": permissions.ROLES,
        "is_simulated": django_settings.SHADOWEVAL_SIMULATED,
    }
    return render(request, "reviews/settings.html", context)


@require_POST
@page("administer")
def create_key(request: HttpRequest) -> HttpResponse:
    """Make a key for the project and show it once."""
    project = current_project(request)
    if project is None:
        raise NothingToSign("There is no project yet.")
    key, _ = access.create_key(project, request.POST.get("name", "").strip()[:120] or "key")
    messages.success(request, f"Your new key, shown only now: {key}")
    return redirect("settings")


@require_POST
@page("administer")
def revoke_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke a key."""
    access.revoke(get_object_or_404(ApiKey, pk=pk))
    messages.success(request, "Revoked.")
    return redirect("settings")


@require_POST
@page("administer")
def create_project(request: HttpRequest) -> HttpResponse:
    """Write a live project, always expensive at first, and look at it."""
    name = request.POST.get("name", "").strip()[:120]
    slug = slugify(name)[:50]
    router = RouterVersion.objects.filter(is_starter=True).order_by("id").first()
    if not slug or router is None:
        raise NothingToSign("A project needs a name with letters or digits, and a router.")
    if Project.objects.filter(slug=slug).exists():
        raise NothingToSign("There is a project of this name already.")
    request.session["project"] = bootstrap.ensure_project(slug, name, router).slug
    messages.success(request, f"{name} is there. Create a key for it next.")
    return redirect("settings")


@require_POST
@page("administer")
def create_person(request: HttpRequest) -> HttpResponse:
    """Write a person with roles and show the password once."""
    name = request.POST.get("username", "").strip()[:150]
    roles = [role for role in request.POST.getlist("roles") if role in permissions.ROLES]
    if not name or not roles:
        raise NothingToSign("A person needs a name and at least one role.")
    if User.objects.filter(username=name).exists():
        raise NothingToSign("There is a person of this name already.")
    password = secrets.token_urlsafe(9)
    permissions.give(User.objects.create_user(name, password=password), *roles)
    messages.success(request, f"{name} can log in with the password {password} (shown only now).")
    return redirect("settings")
