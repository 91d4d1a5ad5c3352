"""Policies and settings: what is live, which keys and projects there are."""

from __future__ import annotations

import os
from decimal import Decimal, InvalidOperation
from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_POST, require_safe

from reviews import expiry, permissions, projects, rollout
from reviews.errors import BadInput
from reviews.views import alarms
from reviews.views.frame import current_project, page, posted_project, to_page
from reviews.views.signoff import user_of
from routing import abstain, access, bootstrap, policy, reaching, repeats, tiers
from routing.models import ApiKey, Erasure, Policy, Project, RouterVersion
from routing.types import Scope, Tier, TierSpec


@require_safe
@page("see_results")
def policies(request: HttpRequest) -> HttpResponse:
    """Say what is live, what comes next and until when; list the policies and every deployment."""
    project = current_project(request)
    context = {
        "can_roll_back": permissions.can(request.user, "roll_back"),
        "can_cap": permissions.can(request.user, "cap_shadow"),
        "can_deploy": permissions.can(request.user, "deploy"),
        **(_of(project) if project else {}),
    }
    return render(request, "reviews/policies.html", context)


def _of(project: Project) -> dict[str, Any]:
    live = policy.live(project)
    return {
        "policies": project.policies.select_related("router").prefetch_related("signoffs"),
        "deployments": project.deployments.select_related("policy", "rest", "deployed_by"),
        "now": policy.deployment(project),
        "previous": policy.previous(project),
        "way": rollout.under_way(project),
        "signed": expiry.signed(project, live),
        "warned": expiry.warning(project, live),
        "rules": [(name, words, name in live.abstain) for name, words in abstain.RULES.items()]
        if live
        else [],
        "is_unpriced": live is not None and abstain.is_unpriced(live),
    }


@require_POST
@page("deploy")
def put_rules(request: HttpRequest) -> HttpResponse:
    """Put other rules to abstain by in force: always expensive until that is signed."""
    project, before = posted_project(request), None
    try:
        before = policy.live(project)
        now = abstain.put(project, request.POST.getlist("rules"), by=user_of(request))
    except (ValueError, Policy.DoesNotExist) as exc:
        raise BadInput(str(exc)) from exc
    if now == before:
        messages.info(request, "These rules are in force already.")
    else:
        messages.success(
            request,
            f"{now} is live with these rules, and everything goes to the expensive model until a "
            "threshold is signed on evidence of its own.",
        )
    return to_page("policies", project)


@require_safe
@page("administer")
def settings(request: HttpRequest) -> HttpResponse:
    """Show keys, projects and the provider's state."""
    project = current_project(request)
    context = {
        "keys": ApiKey.objects.filter(project=project),
        "live": policy.live(project) if project else None,
        "all_keeps": Project.Keeps.choices,
        "retention_days": django_settings.SHADOWEVAL_RETENTION_DAYS,
        "erasures": _erasures(project) if project else [],
        "has_demo": Project.objects.filter(kind=Project.Kind.DEMO).exists(),
        "is_simulated": django_settings.SHADOWEVAL_SIMULATED,
        "all_scopes": [(scope.value, scope is not Scope.IMPORT) for scope in Scope],
        "tiers": [(tier.value, bootstrap.tier_spec(tier)) for tier in Tier],
        "providers": tiers.PROVIDERS,
        **alarms.settings_context(project),
        "amounts": [(name, name.replace("_", " ")) for name in tiers.AMOUNTS],
    }
    return render(request, "reviews/settings.html", context)


def _erasures(project: Project) -> list[Erasure]:
    return list(project.erasures.select_related("made_by")[:10])


@require_POST
@page("administer")
def create_key(request: HttpRequest) -> HttpResponse:
    """Make a key for the project and show it once."""
    project = posted_project(request)
    scopes = [Scope(name) for name in request.POST.getlist("scopes") if name in set(Scope)]
    if not scopes:
        raise BadInput("A key needs at least one scope.")
    key, _ = access.create_key(
        project,
        request.POST.get("name", "").strip()[:120] or "key",
        scopes=scopes,
        requests_per_minute=_per_minute(request.POST.get("requests_per_minute", "").strip()),
        daily_usd=_usd(request.POST.get("daily_usd", "").strip()),
    )
    messages.success(request, f"The new key of {project}, shown only now: {key}")
    return to_page("settings", project)


@require_POST
@page("cap_shadow")
def cap_shadow(request: HttpRequest) -> HttpResponse:
    """Bound what a project's shadow calls may cost in a day; empty is no bound."""
    project, text = posted_project(request), request.POST.get("shadow_daily_usd", "").strip()
    cap = _usd(text, least=Decimal(0))
    Project.objects.filter(pk=project.pk).update(shadow_daily_usd=cap)
    said = "have no cap" if cap is None else f"may cost {cap.normalize():f} USD a day"
    messages.success(request, f"Shadow calls of {project} {said}.")
    is_admin = permissions.can(request.user, "administer")
    return to_page("settings" if is_admin else "policies", project)


@require_POST
@page("administer")
def put_shares(request: HttpRequest) -> HttpResponse:
    """Say how many pairs EXPENSIVE is asked about once more, and on another retrieval."""
    project = posted_project(request)
    shares = [_percent(request.POST.get(name, "").strip()) for name in ("repeat", "retrieval")]
    try:
        now = repeats.put(project, *shares, by=user_of(request))
    except (ValueError, Policy.DoesNotExist) as exc:
        raise BadInput(str(exc)) from exc
    messages.success(request, f"{now} is live with these shares.")
    return to_page("settings", project)


def _percent(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise BadInput("A share is a number from 0 to 100, in percent.")
    return round(value / 100, 6)


def _per_minute(text: str) -> int | None:
    if not text:
        return None
    if not (text.isdecimal() and len(text) < 8 and 1 <= int(text) <= 1_000_000):
        raise BadInput("Requests per minute must be a whole number from 1 to 1,000,000.")
    return int(text)


def _usd(text: str, least: Decimal = Decimal("0.0001")) -> Decimal | None:
    if not text:
        return None
    try:
        value = round(Decimal(text), 4)
    except (InvalidOperation, ValueError, OverflowError):
        value = Decimal(-1)
    if not (value.is_finite() and least <= value <= 1_000_000):
        raise BadInput(
            f"USD per day must be a number from {least} to 1,000,000, written like 2.50; "
            "leave it empty for no cap."
        )
    return value


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
    try:
        cheap, expensive = (_tier(request, tier) for tier in Tier)
        tiers.check_differ(cheap, expensive)
    except ValueError as exc:
        raise BadInput(str(exc)) from exc
    project = bootstrap.ensure_project(slug, name, router, cheap=cheap, expensive=expensive)
    for spec in (cheap, expensive):
        if spec.key_name and not os.environ.get(spec.key_name):
            messages.warning(request, f"{spec.key_name} is not set in this server's environment.")
    if None in (cheap.price, expensive.price):
        messages.warning(request, abstain.RULES["unpriced"])
    messages.success(request, f"{name} is there. Create a key for it next.")
    return to_page("settings", project)


def _tier(request: HttpRequest, tier: Tier) -> TierSpec:
    """Read a tier from the form; what is left empty is the settings' tier."""
    prefix = f"{tier.value}-"
    said = {
        name.removeprefix(prefix): str(value)
        for name, value in request.POST.items()
        if name.startswith(prefix)
    }
    spec = tiers.read(said, bootstrap.tier_spec(tier))
    if said.get("url", "").strip():
        check_base_url(spec.base_url)
    return spec


def check_base_url(url: str) -> None:
    """Refuse a base URL that somebody typed and that leads where the operator wants nobody.

    Raises:
        BadInput: in a sentence.
    """
    try:
        reaching.check_url(url, private=django_settings.SHADOWEVAL_PROVIDER_PRIVATE)
    except reaching.Forbidden as exc:
        hint = "SHADOWEVAL_PROVIDER_PRIVATE allows private ones."
        raise BadInput(f"The base URL cannot be used: {exc}. {hint}") from exc


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
