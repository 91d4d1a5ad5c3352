"""First start: the starter router, a project, and a policy that sends everything to EXPENSIVE."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from routing import policy, pricing
from routing.models import Policy, Project, RouterVersion
from routing.types import TierSpec

DEFAULT_PROJECT = "default"


def tier_spec(model: str) -> TierSpec:
    """Return who plays a tier by the settings: the real provider when there is a key."""
    simulated = settings.SHADOWEVAL_SIMULATED
    return TierSpec(
        provider="simulated" if simulated else "anthropic",
        model=model,
        base_url="" if simulated else settings.SHADOWEVAL_ANTHROPIC_URL,
        key_name="" if simulated else "ANTHROPIC_API_KEY",
        price=pricing.LIST_PRICES.get(model),
    )


@transaction.atomic
def ensure_project(slug: str, name: str, router: RouterVersion, kind: str = "live") -> Project:
    """Write a project with its first policy, live and always expensive; again: nothing changes."""
    project, created = Project.objects.get_or_create(
        slug=slug, defaults={"name": name, "kind": kind}
    )
    if created:
        first = policy.create(
            project=project,
            router=router,
            threshold=policy.ALWAYS_EXPENSIVE,
            cheap=tier_spec(settings.SHADOWEVAL_CHEAP_MODEL),
            expensive=tier_spec(settings.SHADOWEVAL_EXPENSIVE_MODEL),
            note="First policy: always expensive",
        )
        policy.deploy(first, by=None, reason="First start: always expensive")
    return project


@transaction.atomic
def follow_provider(project: Project) -> Policy | None:
    """Move a live policy between the simulated and the real provider as the key comes or goes.

    Evidence about one provider says nothing about another: the new policy is always expensive.
    """
    policy.lock(project)
    live = policy.live(project)
    if live is None or live.is_simulated == settings.SHADOWEVAL_SIMULATED:
        return live
    target = policy.create(
        project=project,
        router=live.router,
        threshold=policy.ALWAYS_EXPENSIVE,
        cheap=tier_spec(settings.SHADOWEVAL_CHEAP_MODEL),
        expensive=tier_spec(settings.SHADOWEVAL_EXPENSIVE_MODEL),
        note="Provider changed with ANTHROPIC_API_KEY",
    )
    policy.deploy(target, by=None, reason="Provider key appeared or went away")
    return target
