"""First start: the starter router, a project, and a policy that sends everything to EXPENSIVE."""

from __future__ import annotations

from dataclasses import replace

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from routing import abstain, policy, tiers
from routing.models import Policy, Project, RouterVersion
from routing.types import Tier, TierSpec

DEFAULT_PROJECT = "default"


def tier_spec(tier: Tier) -> TierSpec:
    """Return who plays a tier by the settings.

    Raises:
        ImproperlyConfigured: when they contradict themselves.
    """
    said = settings.SHADOWEVAL_TIERS[tier.value]
    real = TierSpec(
        "anthropic", said["model"], settings.SHADOWEVAL_ANTHROPIC_URL, "ANTHROPIC_API_KEY"
    )
    simulated = TierSpec("simulated", said["model"])
    default = replace(
        simulated if settings.SHADOWEVAL_SIMULATED else real, follows_key=not said["provider"]
    )
    try:
        return tiers.read(said, real if said["provider"] else default)
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
    cap, is_live = settings.SHADOWEVAL_SHADOW_DAILY_USD, kind == Project.Kind.LIVE
    project, created = Project.objects.get_or_create(
        slug=slug, defaults={"name": name, "kind": kind, "shadow_daily_usd": cap}
    )
    if created:
        first = policy.create(
            project=project,
            router=router,
            threshold=policy.ALWAYS_EXPENSIVE,
            cheap=cheap or tier_spec(Tier.CHEAP),
            expensive=expensive or tier_spec(Tier.EXPENSIVE),
            note="First policy: always expensive",
            # People rate what a live project's traffic gives; a replay's is rated already.
            repeat_rate=settings.SHADOWEVAL_REPEAT_RATE if is_live else 0.0,
            retrieval_rate=settings.SHADOWEVAL_RETRIEVAL_RATE if is_live else 0.0,
            abstain=abstain.USUAL,
        )
        policy.deploy(first, by=None, reason="First start: always expensive")
    return project


@transaction.atomic
def follow_provider(project: Project) -> Policy | None:
    """Move a live policy's tiers between simulated and real as the server's key comes or goes.

    Only tiers whose provider nobody named follow the key; their models stay. Evidence about one
    provider says nothing about another: the new policy is always expensive.
    """
    policy.lock(project)
    live = policy.live(project)
    if live is None:
        return None
    before = [live.tier_spec(tier) for tier in (Tier.CHEAP, Tier.EXPENSIVE)]
    cheap, expensive = after = [_followed(spec) for spec in before]
    if after == before:
        return live
    target = policy.create(
        project=project,
        router=live.router,
        threshold=policy.ALWAYS_EXPENSIVE,
        cheap=cheap,
        expensive=expensive,
        note="Provider changed with ANTHROPIC_API_KEY",
        repeat_rate=live.repeat_rate,
        retrieval_rate=live.retrieval_rate,
        abstain=live.abstain,
    )
    policy.deploy(target, by=None, reason="Provider key appeared or went away")
    return target


def _followed(spec: TierSpec) -> TierSpec:
    """Return the tier as the server's key would have it now."""
    is_right = (spec.provider == "simulated") == settings.SHADOWEVAL_SIMULATED
    if not spec.follows_key or is_right:
        return spec
    if settings.SHADOWEVAL_SIMULATED:
        return replace(spec, provider="simulated", base_url="", key_name="")
    return replace(
        spec,
        provider="anthropic",
        base_url=settings.SHADOWEVAL_ANTHROPIC_URL,
        key_name="ANTHROPIC_API_KEY",
    )
