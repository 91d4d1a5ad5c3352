"""The benchmarks' project: routers to compare, policies, and what the database holds of them."""

from __future__ import annotations

import hashlib
import json
import statistics
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.load import questions

if TYPE_CHECKING:
    from routing.models import RouterVersion

_SEED = 5
_SEEN_WITHIN_S = 2.5
_STUCK_S = 5.0


class Skipped(Exception):
    """What was asked for is not there yet; the text says what."""


def router_version(kind: str) -> RouterVersion:
    """Write the router of `rules`, `static` or `minilm`; a second run returns the first one's row.

    Its coefficients are drawn, not fit: a dot product costs the same, and the threshold halves the
    traffic anyway.

    Raises:
        Skipped: when this tree has no such router.
    """
    from routing.models import RouterVersion

    name = f"bench-{kind}"
    known = RouterVersion.objects.filter(name=name).first()
    if known:
        return known
    stored_kind, embedder, artifact = _constant() if kind == "rules" else _linear(kind)
    sha256 = hashlib.sha256(artifact).hexdigest()
    return RouterVersion.objects.create(
        name=name, kind=stored_kind, embedder=embedder, artifact=artifact, sha256=sha256
    )


def _constant() -> tuple[str, str, bytes]:
    """Return kind, embedder and artifact of rules without an embedder."""
    try:
        from routing.routers import constant
    except ImportError:
        raise Skipped("no router without an embedder in this tree") from None
    return constant.KIND, "", constant.dumps(0.5)


def _linear(kind: str) -> tuple[str, str, bytes]:
    """Return kind, embedder and artifact of a head on an embedder's vectors."""
    from routing import embedders
    from routing.embedders import minilm
    from routing.routers import embedding

    if names := getattr(embedders, "NAMES", None):
        if kind not in names:
            raise Skipped(f"no embedder {kind} in this tree")
        # Builds the model's files, if they are not there: no window pays for that.
        id, dimensions = names[kind], embedders.get(names[kind]).dimensions
    elif kind == "minilm":
        id, dimensions = minilm.MiniLM.id, minilm.MiniLM.dimensions
    else:
        raise Skipped(f"no embedder {kind} in this tree")
    coef = np.random.default_rng(_SEED).normal(size=dimensions)
    return embedding.KIND, id, embedding.dumps(coef, 0.0)


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

    def deploy(self, router: RouterVersion, threshold: float, shadow_rate: float) -> None:
        """Make a policy live and wait until every process has seen it."""
        import pgtrigger

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
        with pgtrigger.ignore("reviews.SignedDeployment:signed"):
            policy.deploy(target, by=None, reason="benchmark")
        time.sleep(_SEEN_WITHIN_S)

    def halving_threshold(self, url: str, count: int = 100) -> float:
        """Return the median score of the questions: half of the traffic goes each way."""
        scores = [self._score(url, text) for text in islice(questions(None), count)]
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

    def shed(self) -> int:
        """Count the requests whose shadow call gave way to replies."""
        from routing.models import ShadowJob

        jobs = ShadowJob.objects.filter(request__project=self._project)
        since = jobs.filter(request__received_at__gte=self._since, state="skipped")
        return since.filter(reason__startswith="overload").count()

    def unscored(self) -> int:
        """Count the requests that the router failed or came too late on."""
        from routing.models import Request
        from routing.types import Reason

        requests = Request.objects.filter(project=self._project, received_at__gte=self._since)
        return requests.filter(decision__reason=Reason.ROUTER_ERROR).count()

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
