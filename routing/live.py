"""What this process knows of keys and of the policies that decide.

Read by every request without waiting; refreshed in the background each second. With Postgres
away, what was known last stays true, after a start too. Routers are loaded once per version.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.db import OperationalError, connection

from routing import counts, lastknown, policy, privacy, routers
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
        has_read: whether any did since the start.
    """

    def __init__(self) -> None:
        self.snapshot = Snapshot()
        self.tried_at = 0.0
        self.is_fresh = self.has_read = False
        self._rows: tuple[list[Deployment], list[ApiKey]] = ([], [])
        self._written: Snapshot | None = None
        self._is_unwritable = False
        self._routers: dict[int, Router] = {}
        self._unloadable: set[int] = set()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Load once, then keep refreshing in a thread.

        With the database away it begins with what a process beside or before it knew last.

        Raises:
            django.db.Error: when there is a database, and it is not ours or not migrated.
        """
        self._stopping, self.has_read, self._written = False, False, None
        try:
            self.refresh()
        except OperationalError as exc:
            log.warning("no database, going by what was known last: %s", type(exc).__name__)
            self._take(*lastknown.read())
        self._write()
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
                self.is_fresh, self.has_read, self.tried_at = True, True, start
            finally:
                connection.close()  # back to the pool: this thread may never come again

    def _read(self) -> None:
        newest = (
            Deployment.objects.order_by("project_id", "-id")
            .distinct("project_id")
            .select_related("policy__router", "policy__project", "rest__router", "rest__project")
        )
        keys = ApiKey.objects.filter(revoked_at=None).select_related("project")
        self._rows = list(newest), list(keys)
        self._take(*self._rows)
        self.snapshot = replace(self.snapshot, backlog=counts.backlog())

    def _take(self, deployments: Sequence[Deployment], accepted: Sequence[ApiKey]) -> None:
        ramps = {row.project_id: Ramp.of(row) for row in deployments}
        keys = {key.digest: KeyInfo.of(key) for key in accepted}
        self.snapshot = replace(self.snapshot, keys=keys)  # a router may take seconds to load
        for policy_row in (one for ramp in ramps.values() for one in ramp.policies):
            self._load(policy_row.router)
        self.snapshot = replace(self.snapshot, ramps=ramps)

    def _write(self) -> None:
        """Keep what was read for a start without the database, where it is not what was kept."""
        with self._lock:
            now, rows = replace(self.snapshot, backlog=0), self._rows
        if not self.has_read or now == self._written:
            return
        try:
            lastknown.write(*rows)
        except OSError as exc:  # tried again with the next refresh, and said once
            if not self._is_unwritable:
                log.error("what is live cannot be kept for a next start: %s", type(exc).__name__)
            self._is_unwritable = True
        else:
            self._written, self._is_unwritable = now, False

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
                self._write()
            except Exception as exc:
                log.warning("keeping the known policies: %s", type(exc).__name__)


live = Live()
