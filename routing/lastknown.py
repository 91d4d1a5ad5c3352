"""Keys and live policies as files, so that a web process can begin while Postgres is away.

One signed file of rows beside the index files, and each router's artifact under its own hash.
Written by whoever reads a change first; read only at a start that finds no database.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core import serializers
from django.core.serializers.base import DeserializationError
from django.core.signing import BadSignature, Signer
from django.db.models import Model

from routing.models import ApiKey, Deployment, Policy, Project, RouterVersion

log = logging.getLogger(__name__)

_NAME = "last-known.json"
_ROUTER = "router-{}.npz"
#: In files of their own, or of no use to a request.
_NOT_WRITTEN = {"artifact", "card", "created_by", "deployed_by"}


def write(deployments: Sequence[Deployment], keys: Sequence[ApiKey]) -> None:
    """Keep what is live; the files of routers that no longer are go.

    Args:
        deployments: the newest of each project, with their policies, routers and projects.
        keys: those that are accepted, with their projects.

    Raises:
        OSError: when there is no room; what was kept before stays.
    """
    policies = [one for row in deployments for one in (row.policy, row.rest) if one is not None]
    found: list[Model] = [row for one in policies for row in (one, one.project, one.router)]
    found += [row for key in keys for row in (key, key.project)]
    rows = {(type(row), row.pk): row for row in [*found, *deployments]}
    names = {field.name for row in rows.values() for field in row._meta.concrete_fields}
    said = serializers.serialize("json", rows.values(), fields=names - _NOT_WRITTEN)
    root = Path(settings.SHADOWEVAL_INDEX_DIR)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    routers = {_ROUTER.format(one.router.sha256): one.router for one in policies}
    for name, router in routers.items():
        if not (root / name).is_file():
            _put(root / name, bytes(router.artifact))
    _put(root / _NAME, _signer().sign(said).encode())
    for path in root.glob(_ROUTER.format("*")):
        if path.name not in routers:
            path.unlink(missing_ok=True)


def read() -> tuple[list[Deployment], list[ApiKey]]:
    """Return the deployments and keys of the last `write`, as it got them; none where none is."""
    try:
        said = (Path(settings.SHADOWEVAL_INDEX_DIR) / _NAME).read_text(encoding="utf-8")
        found = [one.object for one in serializers.deserialize("json", _signer().unsign(said))]
    except FileNotFoundError:
        return [], []
    except (OSError, ValueError, BadSignature, DeserializationError) as exc:
        log.error("what was known last cannot be read: %s", type(exc).__name__)
        return [], []
    return _joined(found)


def _joined(found: Sequence[Model]) -> tuple[list[Deployment], list[ApiKey]]:
    """Return the rows with those that they point at."""
    projects, routers = _by_pk(found, Project), _by_pk(found, RouterVersion)
    policies, deployments = _by_pk(found, Policy), _by_pk(found, Deployment)
    keys = _by_pk(found, ApiKey)
    for router in routers.values():
        router.artifact = _artifact(router.sha256)
    for policy in policies.values():
        policy.project, policy.router = projects[policy.project_id], routers[policy.router_id]
    for row in deployments.values():
        row.policy, row.rest = policies[row.policy_id], policies.get(row.rest_id)
    for key in keys.values():
        key.project = projects[key.project_id]
    return list(deployments.values()), list(keys.values())


def _by_pk(found: Iterable[Model], kind: type[Model]) -> dict[int | None, Any]:
    return {row.pk: row for row in found if isinstance(row, kind)}


def _artifact(sha256: str) -> bytes:
    """Return a router's artifact; nothing, which no router can be loaded from, if it is another."""
    with suppress(OSError):
        held = (Path(settings.SHADOWEVAL_INDEX_DIR) / _ROUTER.format(sha256)).read_bytes()
        if hashlib.sha256(held).hexdigest() == sha256:
            return held
    return b""


def _put(path: Path, content: bytes) -> None:
    """Write a file that only this account reads; others see it whole or not at all."""
    half = path.with_name(f"{path.name}.{uuid4().hex}")
    try:
        half.touch(0o600)
        half.write_bytes(content)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def _signer() -> Signer:
    return Signer(salt="shadoweval.lastknown")
