"""What this process knows of keys and of the policies that decide.

Read by every request without waiting; refreshed in the background each second. With Postgres
away, what was known last stays true. Routers are loaded once per version.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.db import connection

from routing import counts, policy, privacy, routers
from routing.models import ApiKey, Deployment, RouterVersion
from routing.ramp import Ramp
from routing.redaction import Keeping
from routing.routers.base import Router
from routing.types import Scope

log = logging.getLogger(__name__)

REFRESH_S = 1.0
#: Wrong keys ask for a refresh too: at most one in this many seconds.
EAGER_S = 0.2


@dataclass(frozen=True)
class KeyInfo:
    """A key that is accepted; None as a limit means that there is none.

    Attributes:
        keeping: how its project stores texts, None for as they are.
    """

    id: int
    project_id: int
    scopes: frozenset[str] = frozenset(scope.value for scope in Scope)
    requests_per_minute: int | None = None
    daily_usd: Decimal | None = None
    keeping: Keeping | None = None

    @classmethod
    def of(cls, row: ApiKey) -> KeyInfo:
        """Return what serving needs to know of a row."""
        scopes = frozenset(row.scopes)
        limits = (row.requests_per_minute, row.daily_usd)
        return cls(row.pk, row.project_id, scopes, *limits, privacy.keeping(row.project))


@dataclass(frozen=True)
class Snapshot:
    """Keys by digest, who decides by project.

    Attributes:
        ramps: the newest deployment of each project that has one.
        backlog: shadow jobs of all projects that wait or are with a worker.
    """

    keys: dict[str, KeyInfo] = field(default_factory=dict)
    ramps: dict[int, Ramp] = field(default_factory=dict)
    backlog: int = 0


class Live:
    """Holds the newest snapshot and the loaded routers.

    Attributes:
        tried_at: when the database was asked last, monotonic seconds.
        is_fresh: whether that attempt succeeded.
    """

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.tried_at = 0.0
        self.is_fresh = False
        self._routers: dict[int, Router] = {}
        self._unloadable: set[int] = set()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Load once, then keep refreshing in a thread.

        Raises:
            django.db.Error: when the first load finds no database.
        """
        self._stopping = False
        self.refresh()
        policy.on_deploy(self._wake.set)
        self._thread = threading.Thread(target=self._run, name="live-refresh", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop refreshing."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def refresh(self, since: float | None = None) -> None:
        """Read keys and newest deployments; load routers not seen before.

        Args:
            since: do nothing when somebody tried after this moment (monotonic seconds).
        """
        with self._lock:
            if since is not None and self.tried_at >= since:
                return
            start = time.monotonic()
            try:
                self._read()
            except Exception:
                # Who came meanwhile shares the failure instead of waiting for one of their own.
                self.is_fresh, self.tried_at = False, time.monotonic()
                raise
            else:
                self.is_fresh, self.tried_at = True, start
            finally:
                connection.close()  # back to the pool: this thread may never come again

    def _read(self) -> None:
        newest = (
            Deployment.objects.order_by("project_id", "-id")
            .distinct("project_id")
            .select_related("policy__router", "policy__project", "rest__router", "rest__project")
        )
        ramps = {row.project_id: Ramp.of(row) for row in newest}
        rows = ApiKey.objects.filter(revoked_at=None).select_related("project")
        keys = {key.digest: KeyInfo.of(key) for key in rows}
        self.snapshot = replace(self.snapshot, keys=keys)  # a router may take seconds to load
        for policy_row in (one for ramp in ramps.values() for one in ramp.policies):
            self._load(policy_row.router)
        self.snapshot = Snapshot(keys, ramps, counts.backlog())

    def router(self, version: RouterVersion) -> Router | None:
        """Return the loaded router, or None when its artifact could not be read."""
        return self._routers.get(version.pk)

    def _load(self, version: RouterVersion) -> None:
        if version.pk in self._routers:
            return
        try:
            artifact = bytes(version.artifact)
            self._routers[version.pk] = routers.load(version.kind, artifact, version.embedder)
        except Exception:
            # Requests then go to EXPENSIVE with reason router_error; the log says why, once.
            if version.pk not in self._unloadable:
                log.exception("router %s cannot be loaded", version.name)
            self._unloadable.add(version.pk)

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(REFRESH_S)
            self._wake.clear()
            try:
                self.refresh()
            except Exception as exc:
                log.warning("keeping the known policies: %s", type(exc).__name__)


live = Live()
