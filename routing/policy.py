"""Policies: written once, made live by one moving pointer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from django.db import transaction
from django.db.models import Max

from routing import pricing
from routing.models import Deployment, Policy, Project, RouterVersion
from routing.types import Tier, TierSpec

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: The threshold at which everything goes to EXPENSIVE: no score is below 0.
ALWAYS_EXPENSIVE = 0.0
#: As the column's own check has it.
HIGHEST_THRESHOLD = 2.0
#: As requests store their task type.
MOST_TASK_LETTERS = 40

_on_deploy: list[Callable[[], None]] = []


@dataclass(frozen=True)
class Terms:
    """What shadow work needs of a policy."""

    cheap: TierSpec
    expensive: TierSpec
    router_id: int
    shadow_rate_cheap: float
    shadow_rate_expensive: float
    repeat_rate: float
    retrieval_rate: float

    def spec(self, tier: Tier) -> TierSpec:
        """Return who plays the tier."""
        return self.cheap if tier is Tier.CHEAP else self.expensive

    def shadow_rate(self, shadow_tier: Tier) -> float:
        """Return the share of requests whose shadow call asks this tier."""
        is_cheap = shadow_tier is Tier.CHEAP
        return self.shadow_rate_cheap if is_cheap else self.shadow_rate_expensive


@lru_cache(4096)
def terms(policy_id: int) -> Terms:
    """Return a policy's terms, read once in this process: policies never change.

    Raises:
        Policy.DoesNotExist: when there is none; that is not remembered.
    """
    row = Policy.objects.get(pk=policy_id)
    return Terms(
        cheap=row.tier_spec(Tier.CHEAP),
        expensive=row.tier_spec(Tier.EXPENSIVE),
        router_id=row.router_id,
        shadow_rate_cheap=row.shadow_rate_cheap,
        shadow_rate_expensive=row.shadow_rate_expensive,
        repeat_rate=row.repeat_rate,
        retrieval_rate=row.retrieval_rate,
    )


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
    thresholds: Mapping[str, float] | None = None,
    repeat_rate: float = 0.0,
    retrieval_rate: float = 0.0,
    abstain: Sequence[str] = (),
) -> Policy:
    """Write a policy under the project's next number. It is not live until deployed.

    Args:
        project: whose policy it is.
        router: whose scores are compared.
        threshold: in [0, 2], for every task type that `thresholds` does not name.
        cheap: who plays the cheap tier.
        expensive: who plays the other.
        note: why it was written.
        shadow_rate_cheap: share of requests whose shadow call asks the cheap tier.
        shadow_rate_expensive: the same of the expensive tier.
        thresholds: in [0, 2], by task type.
        repeat_rate: share of requests whose EXPENSIVE tier is asked once more.
        retrieval_rate: share of pairs with retrieval that EXPENSIVE answers on another one too.
        abstain: the rules of `abstain.RULES` by which requests go to EXPENSIVE unscored.

    Raises:
        ValueError: when a task type cannot be one, or its threshold is out of range.
        django.db.IntegrityError: when `threshold` or a rate is out of range.
    """
    by_task = _by_task(thresholds or {})
    lock(project)  # numbers are given one at a time
    last = Policy.objects.filter(project=project).aggregate(last=Max("number"))["last"]
    return Policy.objects.create(
        project=project,
        number=(last or 0) + 1,
        router=router,
        threshold=threshold,
        thresholds=by_task,
        cheap=spec_json(cheap),
        expensive=spec_json(expensive),
        note=note,
        shadow_rate_cheap=shadow_rate_cheap,
        shadow_rate_expensive=shadow_rate_expensive,
        repeat_rate=repeat_rate,
        retrieval_rate=retrieval_rate,
        abstain=list(abstain),
    )


def _by_task(thresholds: Mapping[str, float]) -> dict[str, float]:
    """Return thresholds as a policy stores them: Postgres does not look into them."""
    for task, threshold in thresholds.items():
        if not 0 < len(task) <= MOST_TASK_LETTERS:
            raise ValueError(f"{task[:80]!r} is no task type: it has 1 to 40 characters.")
        if not 0 <= threshold <= HIGHEST_THRESHOLD:
            raise ValueError(f"The threshold of {task} must be from 0 to 2, not {threshold}.")
    return {task: float(threshold) for task, threshold in thresholds.items()}


def with_threshold(
    base: Policy,
    threshold: float,
    note: str,
    thresholds: Mapping[str, float] | None = None,
    router: RouterVersion | None = None,
    shadow_rate: float | None = None,
) -> Policy:
    """Write a copy of a policy with other thresholds; those of the base's task types are not kept.

    Args:
        base: what it is a copy of.
        threshold: as in `create`; so are note and thresholds.
        note: why it was written.
        thresholds: by task type.
        router: another one than the base's.
        shadow_rate: share of requests of either tier whose shadow call asks the other, the same of
            both: what is not seen of one would be missing among all. None for the base's.

    Raises:
        ValueError, django.db.IntegrityError: as `create` does.
    """
    changes: dict[str, Any] = {"threshold": threshold, "thresholds": thresholds}
    if shadow_rate is not None:
        changes |= {"shadow_rate_cheap": shadow_rate, "shadow_rate_expensive": shadow_rate}
    return copy(base, note, router=router or base.router, **changes)


def always_expensive(base: Policy, note: str, **changes: Any) -> Policy:
    """Write a copy of a policy that sends nothing to CHEAP and asks it about every request.

    A signed policy has few requests asked of both; what is to be signed next needs them all.
    """
    everything = {"shadow_rate_cheap": 1.0, "shadow_rate_expensive": 1.0}
    at_zero = {"threshold": ALWAYS_EXPENSIVE, "thresholds": {}}
    return copy(base, note, **(at_zero | everything | changes))


def copy(base: Policy, note: str, **changes: Any) -> Policy:
    """Write a copy of a policy with changes, named and meant as in `create`."""
    kept = ("project", "router", "threshold", "thresholds", "repeat_rate", "retrieval_rate",
            "abstain", "shadow_rate_cheap", "shadow_rate_expensive")  # fmt: skip
    same: dict[str, Any] = {name: getattr(base, name) for name in kept}
    same |= {"cheap": base.tier_spec(Tier.CHEAP), "expensive": base.tier_spec(Tier.EXPENSIVE)}
    return create(note=note, **(same | changes))


def deploy(
    target: Policy,
    *,
    by: User | None,
    reason: str,
    share: float = 1.0,
    rest: Policy | None = None,
) -> Deployment:
    """Make a policy live: one row, nothing else changes. Running it twice leaves two rows.

    Callers answer for the right to do so: a sign-off, the first start (always expensive), or a
    rollback. A larger share keeps every conversation that a smaller one had.

    Args:
        target: what `live` returns from now on.
        by: who did it; None is the system.
        reason: why, kept up to 200 characters.
        share: in (0, 1], of the requests that the target decides.
        rest: who decides the other requests; not kept at share 1, where there are none.

    Raises:
        ValueError: when target and rest cannot share the requests of one project.
        django.db.IntegrityError: when the share is out of range, or under 1 without a rest.
    """
    if rest is not None and share < 1:
        _check_ramp(target, rest)
    row = Deployment.objects.create(
        project=target.project,
        policy=target,
        deployed_by=by,
        reason=reason[:200],
        share=share,
        rest=rest if share < 1 else None,
    )
    for callback in _on_deploy:
        transaction.on_commit(callback)
    return row


def _check_ramp(target: Policy, rest: Policy) -> None:
    """Refuse two policies of other models: a conversation could not stay with its model.

    Their routers may differ: each request goes by the score of the router that decides it.
    """
    if target == rest or target.project_id != rest.project_id:
        raise ValueError("The two policies of a ramp are different ones of one project.")
    if target.identity != rest.identity:
        raise ValueError(f"{target} and {rest} ask different models, so they cannot share a ramp.")


def lock(project: Project) -> None:
    """Hold the project's row until the transaction ends: what is live changes one at a time."""
    # Without the key: rows that refer to the project are still written meanwhile.
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)


def live(project: Project) -> Policy | None:
    """Return the newest deployment's policy, or None before the first.

    On a ramp it decides its share only: see `deployment`.
    """
    row = deployment(project)
    return row.policy if row else None


def deployment(project: Project) -> Deployment | None:
    """Return the newest deployment, with its policies and their routers; None before the first."""
    related = ("policy__router", "rest__router")
    return Deployment.objects.filter(project=project).select_related(*related).first()


def previous(project: Project) -> Policy | None:
    """Return what a rollback may go back to: on a ramp its rest, else what was live before.

    None when there is none: nothing is safer than always expensive, and what was rolled back is
    never gone back to. Where another router was let decide at always expensive, nothing was rolled
    back.
    """
    row = deployment(project)
    if row is None or row.rest is not None:
        return row.rest if row else None
    whole = Deployment.objects.filter(project=project, share=1).order_by("id")
    before = _before_last(whole.values_list("policy_id", flat=True))
    if before is None:
        return None
    target = Policy.objects.select_related("router").get(pk=before)
    is_rolled_back = row.policy.is_always_expensive and target.router_id == row.policy.router_id
    return None if is_rolled_back else target


def _before_last(deployed: Iterable[int]) -> int | None:
    """Return what was live before the last, where going back forgets what lay between.

    Example:
        >>> _before_last([1, 2, 3]), _before_last([1, 2, 3, 2]), _before_last([1, 2, 1])
        (2, 1, None)
    """
    line: list[int] = []
    for policy_id in deployed:
        del line[line.index(policy_id) if policy_id in line else len(line) :]
        line.append(policy_id)
    return line[-2] if len(line) > 1 else None


@transaction.atomic
def roll_back(
    project: Project,
    *,
    by: User,
    reason: str,
    to: Literal["always_expensive", "previous"] = "always_expensive",
) -> Deployment:
    """Leave the live policy at once and end its ramp: the one deployment that needs no sign-off.

    Writes one deployment, and for always expensive its policy, under the project's lock. A second
    run to `previous` goes back one policy further.

    Raises:
        Policy.DoesNotExist: when nothing was ever live, or there is no previous policy.
    """
    lock(project)
    if to == "previous":
        target = previous(project)
        if target is None:
            raise Policy.DoesNotExist(f"{project} has no previous policy.")
        return deploy(target, by=by, reason=f"Rollback to {target}: {reason}")
    row = deployment(project)
    if row is None:
        raise Policy.DoesNotExist(f"{project} has no live policy.")
    safe = always_expensive(row.rest or row.policy, "Emergency rollback")
    return deploy(safe, by=by, reason=f"Emergency rollback: {reason}")
