"""Router versions that are configured instead of trained, and versions with other rules.

Each is a new row; nothing is deployed, and nothing changes for requests. So the audit trail has no
entry of it: the sign-off or rollback that lets a version decide has one. Why: docs/adr/0039.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from reviews import naming, options, permissions
from reviews.errors import BadInput
from routing import policy, routers
from routing.models import Project, RouterVersion
from routing.routers import assembled
from routing.routers.kinds import Kind
from routing.routers.rules import Rules


class BadOptions(BadInput):
    """Options that cannot be.

    Attributes:
        problems: sentences by option; under "" what is no single option's fault.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


def configured_kinds() -> dict[str, Kind]:
    """Return the kinds of which versions are made by saying how, by name."""
    return {name: kind for name, kind in routers.kinds().items() if is_configured(kind)}


def is_configured(kind: Kind) -> bool:
    """Return whether versions of a kind are made by saying how, not of labels."""
    return kind.fit is None and kind.is_offered and bool(kind.make or kind.wrap)


def is_around(kind: Kind) -> bool:
    """Return whether a version of a kind stands around another one, which it asks first."""
    return kind.wrap is not None


def make(
    project: Project,
    kind: str,
    *,
    said: Mapping[str, Any],
    name: str = "",
    inner: RouterVersion | None = None,
    by: User,
) -> RouterVersion:
    """Write a version of a kind that is configured. Running it twice writes two, or is refused.

    Args:
        project: who may use it.
        kind: one of `configured_kinds`.
        said: options; the kind's defaults where nothing is said.
        name: of the version; made of kind and day when empty.
        inner: the version that a kind like a hybrid asks first.
        by: who makes it.

    Raises:
        NotAllowed: when the person's roles make no routers.
        BadOptions: with a sentence for each option that cannot be.
        BadInput: when the kind, the name or the inner version cannot be.
    """
    permissions.check(by, "train_routers")
    known = configured_kinds().get(kind)
    if known is None:
        raise BadInput("Versions of this kind are not made by saying how.")
    if is_around(known):
        _check_inner(project, inner)
    artifact = _artifact(known, said, inner)
    card: dict[str, Any] = {"made": f"configured by {by.username}", "by": by.username}
    card["options"] = {**options.asked(known), **said}
    about: dict[str, Any] = {"embedder": ""}
    if known.wrap is not None and inner is not None:
        card["inner"] = inner.name
        about = {"embedder": inner.embedder, "trained_until": inner.trained_until}
        about["is_starter"] = inner.is_starter  # its guesses decide on
    return _write(project, name or "", kind, artifact, kind=kind, card=card, **about)


def _artifact(kind: Kind, said: Mapping[str, Any], inner: RouterVersion | None) -> bytes:
    def attempt(options: Mapping[str, Any]) -> bytes:
        if kind.wrap is not None and inner is not None:
            return kind.wrap(options, inner.kind, inner.embedder, bytes(inner.artifact))
        assert kind.make is not None, "see is_configured"
        return kind.make(options)

    try:
        return attempt(said)
    except ValueError:
        raise BadOptions(options.blame(kind, said, attempt)) from None


def may_be_inner(router: RouterVersion) -> bool:
    """Return whether a version decides by itself, so that another one may ask it first."""
    kind = routers.kinds().get(router.kind)
    return kind is not None and not kind.asks


def _check_inner(project: Project, inner: RouterVersion | None) -> None:
    if inner is None:
        raise BadOptions({"inner": "Choose the version that is asked first."})
    _check_own(project, inner)
    if not may_be_inner(inner):
        raise BadOptions({"inner": f"{inner} looks at the cheap answer itself: choose another."})


def _check_own(project: Project, router: RouterVersion) -> None:
    if router.project_id not in (None, project.pk):
        raise BadInput(f"{router} is another project’s.")


def may_have_rules(router: RouterVersion) -> bool:
    """Return whether rules may stand before a version: a control must not be wiser than it says."""
    kind = routers.kinds().get(router.kind)
    return kind is not None and not kind.is_control


def rules_of(router: RouterVersion) -> Rules:
    """Return the rules that stand before a version.

    Raises:
        BadInput: when its artifact cannot be read.
    """
    try:
        found = assembled.parts(bytes(router.artifact)).rules
    except ValueError as exc:
        raise BadInput(f"The rules of {router} cannot be read.") from exc
    return Rules() if found is None else found


def with_rules(
    project: Project, base: RouterVersion, rules: Rules, *, name: str = "", by: User
) -> RouterVersion:
    """Write a copy of a version with other rules. Running it twice writes two, or is refused.

    Whoever edits rules has seen what they do to recorded requests: the copy counts as trained until
    now, so that studies of it take in later ones only.

    Args:
        project: who may use it.
        base: all but its rules stays.
        rules: checked ones.
        name: of the new version; made of the kind and day when empty.
        by: who edited them.

    Raises:
        NotAllowed: when the person's roles make no routers.
        BadInput: when the rules are the same, the name is taken, or the version can have none.
    """
    permissions.check(by, "train_routers")
    _check_own(project, base)
    if not may_have_rules(base):
        raise BadInput(f"{base} is a control: rules would make it wiser than it says.")
    if rules == rules_of(base):
        raise BadInput(f"These are the rules of {base} as they stand.")
    artifact = assembled.dumps(bytes(base.artifact), rules=rules)
    card = {"made": f"rules edited from {base} by {by.username}", "by": by.username}
    return _write(
        project, name, f"{base.kind}-rules", artifact, kind=base.kind, embedder=base.embedder,
        trained_until=timezone.now(), is_starter=base.is_starter,
        card=card | {"rules_of": base.name},
    )  # fmt: skip


def _write(
    project: Project, name: str, called: str, artifact: bytes, **fields: Any
) -> RouterVersion:
    digest = hashlib.sha256(artifact).hexdigest()
    try:
        with transaction.atomic():
            policy.lock(project)
            wanted = naming.wanted(name, called)
            return RouterVersion.objects.create(
                name=wanted, project=project, artifact=artifact, sha256=digest, **fields
            )
    except IntegrityError:
        raise BadInput("The name was taken meanwhile: choose another one.") from None
