"""The client that waits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar, Unpack

import httpx2

from shadoweval_client import connecting
from shadoweval_client.exchange import Call, Done, Exchange, Pause, Steps, steps
from shadoweval_client.operations import Operations, Progress, Reading
from shadoweval_client.shapes import Answer, Asking, Curve, Entry, Imported, Item, Pair, Route
from shadoweval_client.tables import Table

T = TypeVar("T")


class Client:
    """Talks to one service with one key. A context manager: it keeps connections open.

    Args:
        url: where the service is; by default the variable SHADOWEVAL_URL.
        api_key: by default the variable SHADOWEVAL_API_KEY.
        timeout_s: seconds that one try may take.
        retries: further tries after one that may go well later.
        transport: how requests travel; for tests.

    Raises:
        ValueError: when address or key are nowhere.

    Every method raises `Unreachable` or a kind of `Refused`.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 60.0,
        retries: int = 3,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        options = connecting.options(url, api_key, timeout_s)
        self._http = httpx2.Client(**options, transport=transport)
        self._does = Operations(retries)

    def route(
        self,
        query: str | None = None,
        *,
        idempotency_key: str | None = None,
        **asking: Unpack[Asking],
    ) -> Answer:
        """Ask and be routed. A key of your own makes the call safe beyond this process, too."""
        return self._run(self._does.route(query, idempotency_key, asking))

    def decide(self, query: str | None = None, **asking: Unpack[Asking]) -> Route:
        """Learn where a request would go; no model is asked and nothing is recorded."""
        return self._run(self._does.decide(query, asking))

    def feedback(
        self,
        request_id: str,
        *,
        thumb: str | None = None,
        score: float | None = None,
        task_completed: bool | None = None,
        comment: str | None = None,
    ) -> bool:
        """Say what became of an answer: thumb `up` or `down`, score in [0, 1]; True when new."""
        said = {"thumb": thumb, "score": score, "task_completed": task_completed}
        return self._run(self._does.feedback(request_id, {**said, "comment": comment}))

    def request(self, request_id: str) -> Entry:
        """Read one request of the ledger in full."""
        return self._run(self._does.request(request_id))

    def requests(self, *, limit: int | None = None, **filters: Any) -> Iterator[Item]:
        """Read the ledger, newest first, as it is iterated over; page by page.

        Args:
            limit: read no more than so many; the whole ledger when None.
            filters: those of `GET /api/v1/requests`: `task`, `tier`, `since` and so on.

        Raises:
            ValueError: the limit is negative.
        """
        to_read = Reading(limit)
        while to_read.goes_on:
            yield from to_read.taken(self._run(self._does.page(filters, to_read)))

    def import_pairs(
        self, pairs: Iterable[Pair], *, batch: int = 100, progress: Progress | None = None
    ) -> Imported:
        """Import pairs made elsewhere, `batch` (1 to 500) at a time; again changes nothing.

        Args:
            pairs: may be a generator; it is read as it is sent.
            batch: pairs of one call.
            progress: called with what was taken so far, after each batch.
        """
        return self._run(self._does.import_pairs(pairs, batch, progress))

    def curve(self, study: int) -> Curve:
        """Read a study's curve and its certificate."""
        return self._run(self._does.curve(study))

    def export_study(self, study: int, *, texts: bool = False, names: bool = False) -> Table:
        """Read everything rated in a study; docs/exports.md explains the columns."""
        options = {"texts": texts, "names": names}
        return self._run(self._does.export(f"studies/{study}/export", options))

    def export_labels(self, *, texts: bool = False) -> Table:
        """Read what routers may be trained on."""
        return self._run(self._does.export("labels/export", {"texts": texts}))

    def usage(self, **filters: Any) -> dict[str, Any]:
        """Read tokens, costs, latencies and errors by group and period, as the service says it."""
        return self._run(self._does.read("usage", filters))

    def monitoring(self) -> dict[str, Any]:
        """Read how the monitors of what is live stand, as the service says it."""
        return self._run(self._does.read("monitoring", {}))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *failure: object) -> None:
        self.close()

    def _run(self, exchange: Exchange[T]) -> T:
        to_do = steps(exchange)
        step = next(to_do)
        while not isinstance(step, Done):
            step = self._do(to_do, step)
        return step.value

    def _do(self, to_do: Steps[T], step: Call | Pause) -> Call | Pause | Done[T]:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return to_do.send(None)
        try:
            response = self._http.request(**connecting.arguments(step))
        except httpx2.TransportError as exc:
            return to_do.throw(exc)
        return to_do.send(response)
