"""The benchmarks' project: routers to compare, policies, and what the database holds of them."""

from __future__ import annotations

import json
import statistics
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from benchmarks.load import questions

_SEEN_WITHIN_S = 2.5
_STUCK_S = 5.0


class Skipped(Exception):
    """What was asked for is not there yet; the text says what."""


def router_version(kind: str):
    """Return the stored router of `rules`, `static` or `minilm`: the one place that knows them.

    Raises:
        Skipped: when this tree has no such router.
    """
    from routing import training

    if kind == "minilm":
        return training.fit_starter()
    raise Skipped(f"no {kind} router in this tree")


class Traffic:
    """One project with its key, whose two tiers ask the stand-in."""

    def __init__(self, provider_url: str) -> None:
        from routing import access, bootstrap
        from routing.types import Price, TierSpec

        price = Price(Decimal(1), Decimal(5), source="benchmark", date="2026-01-01")
        self.tiers = [TierSpec("anthropic", name, provider_url, price=price)
                      for name in ("cheap-model", "expensive-model")]  # fmt: skip
        self._access, self._bootstrap = access, bootstrap
        self.project = self.key = None

    def deploy(self, router, threshold: float, shadow_rate: float) -> None:
        """Make a policy live and wait until every process has seen it."""
        from routing import policy

        cheap, expensive = self.tiers
        if self.project is None:
            self.project = self._bootstrap.ensure_project(
                "bench", "Bench", router, cheap=cheap, expensive=expensive
            )
            self.key = self._access.create_key(self.project, "bench")[0]
        target = policy.create(
            project=self.project, router=router, threshold=threshold, cheap=cheap,
            expensive=expensive, shadow_rate_cheap=shadow_rate, shadow_rate_expensive=shadow_rate,
        )  # fmt: skip
        policy.deploy(target, by=None, reason="benchmark")
        time.sleep(_SEEN_WITHIN_S)

    def halving_threshold(self, url: str, count: int = 100) -> float:
        """Return the median score of the questions: half of the traffic goes each way."""
        scores = [self._score(url, text) for text in questions(None, count)]
        return statistics.median(score for score in scores if score is not None)

    def _score(self, url: str, text: str) -> float | None:
        body = json.dumps({"query": text}).encode()
        headers = {"x-api-key": self.key, "content-type": "application/json"}
        asked = urllib.request.Request(f"{url}/api/v1/decide", body, headers)
        with urllib.request.urlopen(asked, timeout=30) as response:
            return json.load(response)["decision"]["score"]


@dataclass(frozen=True)
class Counts:
    """What is stored of requests since a moment, and what still waits."""

    records: int
    pairs: int
    backlog: int


class Ledger:
    """The project's rows since this was made; earlier ones cost its queries nothing."""

    def __init__(self, traffic: Traffic) -> None:
        self._project, self._since = traffic.project, datetime.now(UTC)

    def counts(self) -> Counts:
        """Count by index."""
        from routing.models import Request, ShadowJob, ShadowPair

        mine = {"project": self._project}
        requests = Request.objects.filter(**mine, received_at__gte=self._since)
        pairs = ShadowPair.objects.filter(**mine, request__received_at__gte=self._since)
        backlog = ShadowJob.objects.filter(**mine, state__in=ShadowJob.OPEN)
        return Counts(requests.count(), pairs.count(), backlog.count())

    def drained(self, records: int, patience_s: float = 600.0) -> Counts:
        """Wait until so many records are stored and no shadow job waits; return the counts.

        Beat does not run here: when nothing moves, its task is sent as beat would send it.
        """
        give_up = time.monotonic() + patience_s
        moved, before = time.monotonic(), self.counts()
        while time.monotonic() < give_up:
            now = self.counts()
            if now.records >= records and not now.backlog:
                return now
            if now != before:
                moved, before = time.monotonic(), now
            elif time.monotonic() - moved > _STUCK_S:
                if not now.backlog:
                    return now  # records that never came: the caller says how many
                _nudge()
                moved = time.monotonic()
            time.sleep(0.25)
        return self.counts()


def _nudge() -> None:
    from shadoweval.celery import app

    app.send_task("routing.tasks.run_shadow_jobs", expires=5)
