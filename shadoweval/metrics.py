"""`GET /metrics`: how far shadow work is behind, what is stored, and how each process is doing."""

from __future__ import annotations

import hmac
import ipaddress
import logging
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from itertools import accumulate
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from routing import gauges
from routing.gauges import Told
from shadoweval import stored, telling

log = logging.getLogger(__name__)


_PREFIX = "shadoweval"
_UP = "Whether the database answers."


class Database:
    """Figures of the database, of all processes together."""

    def collect(self) -> Iterator[Metric]:
        """Yield them; while the database is away, only that it is."""
        is_up = _is_up()
        yield GaugeMetricFamily(f"{_PREFIX}_database_up", _UP, value=float(is_up))
        for name, told in gauges.told(stored.FIGURES if is_up else {}).items():
            yield _family(name, {"": told})


class Processes:
    """Figures of each process, under its name."""

    def collect(self) -> Iterator[Metric]:
        """Yield what every process registered; of one figure the newest words hold."""
        by_name: dict[str, dict[str, Told]] = {}
        for process, figures in telling.heard().items():
            for name, told in figures.items():
                by_name.setdefault(name, {})[process] = told
        for name, by_process in by_name.items():
            yield _family(name, by_process)


class Described(NamedTuple):
    """One metric as documentation names it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def catalogue() -> list[Described]:
    """Return every metric there is, those of web and worker processes together."""
    for module in ("shadoweval.asgi", "routing.shifts"):  # both register what they know
        import_module(module)
    up = Described(f"{_PREFIX}_database_up", "gauge", (), _UP)
    of_database = [_described(*item) for item in stored.FIGURES.items()]
    of_processes = [
        _described(name, figure._replace(labels=(*figure.labels, "process")))
        for name, figure in gauges.values().items()
    ]
    return [up, *of_database, *sorted(of_processes)]


def _described(name: str, figure: gauges.Figure) -> Described:
    ending = "_total" if figure.kind is gauges.Kind.COUNTER else ""
    return Described(f"{_PREFIX}_{name}{ending}", figure.kind.value, figure.labels, figure.help)


def _is_up() -> bool:
    try:
        connection.ensure_connection()
    except DatabaseError as exc:
        log.warning("metrics without the database: %s", type(exc).__name__)
        return False
    return True


_FAMILIES: dict[str, Callable[..., Metric]] = {
    gauges.Kind.GAUGE: GaugeMetricFamily,
    gauges.Kind.COUNTER: CounterMetricFamily,
    gauges.Kind.HISTOGRAM: HistogramMetricFamily,
}


def _family(name: str, by_process: Mapping[str, Told]) -> Metric:
    """Return one figure of some processes; "" stands for all of them, and is no label."""
    kind, meaning, labels, _ = list(by_process.values())[-1]
    own = [] if "" in by_process else ["process"]
    made: Any = _FAMILIES[kind](f"{_PREFIX}_{name}", meaning, labels=[*labels, *own])
    for process, (its_kind, _, its_labels, samples) in by_process.items():
        if (its_kind, tuple(its_labels)) == (kind, tuple(labels)):  # versions may differ
            for values, value in samples:
                made.add_metric([*values, process][: len(labels) + len(own)], **_value(value))
    return made


def _value(value: Any) -> dict[str, Any]:
    """Return a value as prometheus_client takes it; of a histogram, counts add up to the right."""
    if isinstance(value, int | float):
        return {"value": value}
    bounds, each, total = value
    ends = [*map(str, bounds), "+Inf"]
    return {"buckets": list(zip(ends, accumulate(each), strict=True)), "sum_value": total}


@login_not_required
@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer this machine, and whoever has the token."""
    if not (_is_local(request) or _has_token(request)):
        return HttpResponse("A token is needed from here.", status=403, content_type="text/plain")
    registry = CollectorRegistry()
    registry.register(Database())
    registry.register(Processes())
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
