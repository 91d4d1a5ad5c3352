"""`GET /metrics`: how far shadow work is behind, what is stored, and how this process is doing."""

from __future__ import annotations

import hmac
import ipaddress
import logging
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from routing import counts, gauges

log = logging.getLogger(__name__)


class Stored:
    """Figures of the database, of all projects together; read anew each time."""

    def collect(self) -> Iterator[Metric]:
        """Yield backlog, lag, jobs and requests. They fall, too: retention deletes."""
        yield _gauge("backlog_jobs", "Shadow jobs waiting or with a worker.", counts.backlog())
        lag_s = counts.lag_s() or 0.0
        yield _gauge("lag_seconds", "How long the oldest due shadow job has waited.", lag_s)
        jobs = GaugeMetricFamily(
            "shadoweval_jobs", "Stored shadow jobs.", labels=["state", "reason"]
        )
        for job in counts.jobs():
            jobs.add_metric([job.state, job.reason], job.n)
        yield jobs
        requests = GaugeMetricFamily(
            "shadoweval_requests", "Stored requests.", labels=["tier", "reason"]
        )
        for row in counts.by_reason():
            requests.add_metric([row.tier, row.reason], row.n)
        yield requests


class Process:
    """Figures of the process that answers."""

    def collect(self) -> Iterator[Metric]:
        """Yield what is registered; one that cannot be read is left out."""
        for name, gauge in gauges.values().items():
            try:
                family = CounterMetricFamily if gauge.is_counter else GaugeMetricFamily
                yield family(f"shadoweval_{name}", gauge.help, value=gauge.read())
            except Exception as exc:
                log.warning("the figure %s cannot be read: %s", name, type(exc).__name__)


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"shadoweval_{name}", help_text, value=value)


@login_not_required
@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer this machine, and whoever has the token."""
    if not (_is_local(request) or _has_token(request)):
        return HttpResponse("A token is needed from here.", status=403, content_type="text/plain")
    registry = CollectorRegistry()
    registry.register(Stored())
    registry.register(Process())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _is_local(request: HttpRequest) -> bool:
    """Return whether the client is on this machine; what a proxy forwards is not."""
    if any(name in request.headers for name in ("forwarded", "x-forwarded-for", "x-real-ip")):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _has_token(request: HttpRequest) -> bool:
    token = settings.SHADOWEVAL_METRICS_TOKEN
    said = request.headers.get("authorization", "").encode()
    return bool(token) and hmac.compare_digest(said, f"Bearer {token}".encode())
