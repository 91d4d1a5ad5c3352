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

from reviews import permissions, projects
from reviews.errors import BadInput
from reviews.views.frame import current_project, page, posted_project, to_page
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
    project, reason = posted_project(request), request.POST.get("reason", "").strip()
    if not reason:
        raise BadInput("Say in a sentence why you roll back.")
    assert isinstance(request.user, User)
    policy.roll_back(project, by=request.user, reason=reason)
    messages.success(request, f"{project}: everything goes to the expensive tier again.")
    return to_page("policies", project)


@page("administer")
def settings(request: HttpRequest) -> HttpResponse:
    """Show keys, people and the provider's state."""
    project = current_project(request)
    context = {
        "keys": ApiKey.objects.filter(project=project),
        "people": User.objects.prefetch_related("groups").order_by("username"),
        "all_roles": permissions.ROLES,
        "has_demo": Project.objects.filter(kind=Project.Kind.DEMO).exists(),
        "is_simulated": django_settings.SHADOWEVAL_SIMULATED,
    }
    return render(request, "reviews/settings.html", context)


@require_POST
@page("administer")
def create_key(request: HttpRequest) -> HttpResponse:
    """Make a key for the project and show it once."""
    project = posted_project(request)
    key, _ = access.create_key(project, request.POST.get("name", "").strip()[:120] or "key")
    messages.success(request, f"The new key of {project}, shown only now: {key}")
    return to_page("settings", project)


@require_POST
@page("administer")
def revoke_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke a key."""
    key = get_object_or_404(ApiKey.objects.select_related("project"), pk=pk)
    access.revoke(key)
    messages.success(request, f"{key} is revoked.")
    return to_page("settings", key.project)


@require_POST
@page("administer")
def create_project(request: HttpRequest) -> HttpResponse:
    """Write a live project, always expensive at first, and look at it."""
    name = request.POST.get("name", "").strip()[:120]
    slug = slugify(name)[:50]
    router = RouterVersion.objects.filter(is_starter=True).order_by("id").first()
    if not slug or router is None:
        raise BadInput("A project needs a name with letters or digits, and a router.")
    if Project.objects.filter(slug=slug).exists():
        raise BadInput("There is a project of this name already.")
    project = bootstrap.ensure_project(slug, name, router)
    messages.success(request, f"{name} is there. Create a key for it next.")
    return to_page("settings", project)


@require_POST
@page("administer")
def delete_project(request: HttpRequest) -> HttpResponse:
    """Delete a project with all its data, when its name was typed to say so."""
    project = posted_project(request)
    if request.POST.get("name", "").strip() != project.name:
        raise BadInput(f"Nothing was deleted: type {project.name} to delete it with all its data.")
    projects.delete(project)
    messages.success(request, f"{project.name} and all its data are gone.")
    return redirect("settings")


@require_POST
@page("administer")
def create_person(request: HttpRequest) -> HttpResponse:
    """Write a person with roles and show the password once."""
    name = request.POST.get("username", "").strip()[:150]
    roles = [role for role in request.POST.getlist("roles") if role in permissions.ROLES]
    if not name or not roles:
        raise BadInput("A person needs a name and at least one role.")
    if User.objects.filter(username=name).exists():
        raise BadInput("There is a person of this name already.")
    password = secrets.token_urlsafe(9)
    permissions.give(User.objects.create_user(name, password=password), *roles)
    messages.success(request, f"{name} can log in with the password {password} (shown only now).")
    return redirect("settings")
