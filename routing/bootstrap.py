"""First start: the starter router, a project, and a policy that sends everything to EXPENSIVE."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from routing import policy, tiers
from routing.models import Policy, Project, RouterVersion
from routing.types import Tier, TierSpec

DEFAULT_PROJECT = "default"
#: The note of a first policy whose models were named for the project, not by the settings. Policies
#: never change, so it tells for good.
OWN_MODELS = "First policy: always expensive, models named for this project"


def tier_spec(tier: Tier) -> TierSpec:
    """Return who plays a tier by the settings."""
    spec: TierSpec = getattr(settings, f"SHADOWEVAL_{tier.name}_TIER")
    return spec


@transaction.atomic
def ensure_project(
    slug: str,
    name: str,
    router: RouterVersion,
    kind: str = "live",
    own: dict[Tier, TierSpec] | None = None,
) -> Project:
    """Write a project with its first policy, live and always expensive; again: nothing changes.

    Args:
        slug: what addresses call it.
        name: what people call it.
        router: what scores its requests.
        kind: one of Project.Kind.
        own: who plays each tier, when the project has models of its own; the settings' otherwise.
    """
    project, created = Project.objects.get_or_create(
        slug=slug, defaults={"name": name, "kind": kind}
    )
    if created:
        first = policy.create(
            project=project,
            router=router,
            threshold=policy.ALWAYS_EXPENSIVE,
            cheap=own[Tier.CHEAP] if own else tier_spec(Tier.CHEAP),
            expensive=own[Tier.EXPENSIVE] if own else tier_spec(Tier.EXPENSIVE),
            note=OWN_MODELS if own else "First policy: always expensive",
        )
        policy.deploy(first, by=None, reason="First start: always expensive")
    return project


@transaction.atomic
def follow_provider(project: Project) -> Policy | None:
    """Move a live policy between simulated and real models as a key comes or goes.

    Projects with models of their own stay as they are, and so does every tier that is real before
    and after: only the settings' change between simulated and real is followed. Evidence about one
    provider says nothing about another: the new policy is always expensive.
    """
    policy.lock(project)
    live = policy.live(project)
    if live is None or not _is_outdated(live):
        return live
    target = policy.create(
        project=project,
        router=live.router,
        threshold=policy.ALWAYS_EXPENSIVE,
        cheap=tier_spec(Tier.CHEAP),
        expensive=tier_spec(Tier.EXPENSIVE),
        note="Simulated or real models changed with the settings",
    )
    policy.deploy(target, by=None, reason="Provider key or settings appeared or went away")
    return target


def _is_outdated(live: Policy) -> bool:
    """Return whether the settings now simulate a tier that this policy asks for real, or back."""
    if live.project.policies.filter(number=1, note=OWN_MODELS).exists():
        return False
    return any(
        _is_simulated(live.tier_spec(tier)) != _is_simulated(tier_spec(tier)) for tier in Tier
    )


def _is_simulated(spec: TierSpec) -> bool:
    return spec.provider == tiers.SIMULATED
