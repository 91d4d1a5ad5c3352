"""Policies: written once, made live by one moving pointer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Max

from routing import pricing
from routing.models import Deployment, Policy, Project, RouterVersion
from routing.types import Tier, TierSpec

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: The threshold at which everything goes to EXPENSIVE: no score is below 0.
ALWAYS_EXPENSIVE = 0.0

_on_deploy: list[Callable[[], None]] = []


@dataclass(frozen=True)
class Terms:
    """What shadow work needs of a policy."""

    cheap: TierSpec
    expensive: TierSpec
    router_id: int

    def spec(self, tier: Tier) -> TierSpec:
        """Return who plays the tier."""
        return self.cheap if tier is Tier.CHEAP else self.expensive


@lru_cache(4096)
def terms(policy_id: int) -> Terms:
    """Return a policy's terms, read once in this process: policies never change.

    Raises:
        Policy.DoesNotExist: when there is none; that is not remembered.
    """
    row = Policy.objects.get(pk=policy_id)
    return Terms(row.tier_spec(Tier.CHEAP), row.tier_spec(Tier.EXPENSIVE), row.router_id)


def on_deploy(callback: Callable[[], None]) -> None:
    """Call this in this process after each deployment; others see it within two seconds."""
    if callback not in _on_deploy:
        _on_deploy.append(callback)


def spec_json(spec: TierSpec) -> dict[str, Any]:
    """Return a tier's spec as the policy stores it."""
    return {**vars(spec), "price": pricing.to_json(spec.price)}


@transaction.atomic
def create(
    *,
    project: Project,
    router: RouterVersion,
    threshold: float,
    cheap: TierSpec,
    expensive: TierSpec,
    note: str = "",
    shadow_rate_cheap: float = 1.0,
    shadow_rate_expensive: float = 1.0,
) -> Policy:
    """Write a policy under the project's next number. It is not live until deployed."""
    lock(project)  # numbers are given one at a time
    last = Policy.objects.filter(project=project).aggregate(last=Max("number"))["last"]
    return Policy.objects.create(
        project=project,
        number=(last or 0) + 1,
        router=router,
        threshold=threshold,
        cheap=spec_json(cheap),
        expensive=spec_json(expensive),
        note=note,
        shadow_rate_cheap=shadow_rate_cheap,
        shadow_rate_expensive=shadow_rate_expensive,
    )


def with_threshold(base: Policy, threshold: float, note: str) -> Policy:
    """Write a copy of a policy with another threshold."""
    return create(
        project=base.project,
        router=base.router,
        threshold=threshold,
        cheap=base.tier_spec(Tier.CHEAP),
        expensive=base.tier_spec(Tier.EXPENSIVE),
        note=note,
        shadow_rate_cheap=base.shadow_rate_cheap,
        shadow_rate_expensive=base.shadow_rate_expensive,
    )


def deploy(target: Policy, *, by: User | None, reason: str) -> Deployment:
    """Make a policy live: one row, nothing else changes. Running it twice leaves two rows.

    Callers answer for the right to do so: a sign-off, the first start (always expensive), or the
    emergency rollback.
    """
    row = Deployment.objects.create(
        project=target.project, policy=target, deployed_by=by, reason=reason[:200]
    )
    for callback in _on_deploy:
        transaction.on_commit(callback)
    return row


def lock(project: Project) -> None:
    """Hold the project's row until the transaction ends: what is live changes one at a time."""
    # Without the key: rows that refer to the project are still written meanwhile.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def live(project: Project) -> Policy | None:
    """Return the policy that decides now, or None before the first deployment."""
    newest = Deployment.objects.filter(project=project).select_related("policy__router").first()
    return newest.policy if newest else None


@transaction.atomic
def roll_back(project: Project, *, by: User, reason: str) -> Deployment:
    """Go back to always expensive at once: the one deployment that needs no sign-off.

    Raises:
        Policy.DoesNotExist: when nothing was ever live.
    """
    lock(project)
    current = live(project)
    if current is None:
        raise Policy.DoesNotExist(f"{project} has no live policy.")
    safe = with_threshold(current, ALWAYS_EXPENSIVE, "Emergency rollback")
    return deploy(safe, by=by, reason=f"Emergency rollback: {reason}")
