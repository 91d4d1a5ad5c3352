"""First start: the starter router, a project, and a policy that sends everything to EXPENSIVE."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from routing import policy, tiers
from routing.models import Policy, Project, RouterVersion
from routing.types import Tier, TierSpec

DEFAULT_PROJECT = "default"


def tier_spec(tier: Tier) -> TierSpec:
    """Return who plays a tier by the settings.

    A tier whose provider nobody named is Anthropic's when there is a key, else simulated.
    """
    said = settings.SHADOWEVAL_TIERS[tier.value]
    named = bool(said["provider"])
    if not named and settings.SHADOWEVAL_SIMULATED:
        default = TierSpec("simulated", said["model"])
    elif not named or said["provider"] == "anthropic":
        default = TierSpec(
            "anthropic", said["model"], settings.SHADOWEVAL_ANTHROPIC_URL, "ANTHROPIC_API_KEY"
        )
    else:
        default = TierSpec(said["provider"], said["model"])
    try:
        return tiers.read(said, default)
    except ValueError as exc:
        raise ImproperlyConfigured(f"SHADOWEVAL_{tier.value.upper()}_*: {exc}") from exc


@transaction.atomic
def ensure_project(
    slug: str,
    name: str,
    router: RouterVersion,
    kind: str = "live",
    cheap: TierSpec | None = None,
    expensive: TierSpec | None = None,
) -> Project:
    """Write a project with its first policy, live and always expensive; again: nothing changes.

    Tiers that are not given are those of the settings.
    """
    project, created = Project.objects.get_or_create(
        slug=slug, defaults={"name": name, "kind": kind}
    )
    if created:
        first = policy.create(
            project=project,
            router=router,
            threshold=policy.ALWAYS_EXPENSIVE,
            cheap=cheap or tier_spec(Tier.CHEAP),
            expensive=expensive or tier_spec(Tier.EXPENSIVE),
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
        cheap=tier_spec(Tier.CHEAP),
        expensive=tier_spec(Tier.EXPENSIVE),
        note="Provider changed with ANTHROPIC_API_KEY",
    )
    policy.deploy(target, by=None, reason="Provider key appeared or went away")
    return target
