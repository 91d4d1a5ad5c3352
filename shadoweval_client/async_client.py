"""The client for asyncio: the same methods, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeVar, Unpack

import httpx2

from shadoweval_client import connecting
from shadoweval_client.exchange import Call, Done, Exchange, Pause, Steps, steps
from shadoweval_client.operations import Operations, Progress, Reading
from shadoweval_client.shapes import Answer, Asking, Curve, Entry, Imported, Item, Pair, Route
from shadoweval_client.tables import Table

T = TypeVar("T")


class AsyncClient:
    """What `Client` is, for asyncio; use it as an async context manager."""

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_s: float = 60.0,
        retries: int = 3,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        options = connecting.options(url, api_key, timeout_s)
        self._http = httpx2.AsyncClient(**options, transport=transport)
        self._does = Operations(retries)

    async def route(
        self,
        query: str | None = None,
        *,
        idempotency_key: str | None = None,
        **asking: Unpack[Asking],
    ) -> Answer:
        """Ask and be routed. A key of your own makes the call safe beyond this process, too."""
        return await self._run(self._does.route(query, idempotency_key, asking))

    async def decide(self, query: str | None = None, **asking: Unpack[Asking]) -> Route:
        """Learn where a request would go; no model is asked and nothing is recorded."""
        return await self._run(self._does.decide(query, asking))

    async def feedback(
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
        return await self._run(self._does.feedback(request_id, {**said, "comment": comment}))

    async def request(self, request_id: str) -> Entry:
        """Read one request of the ledger in full."""
        return await self._run(self._does.request(request_id))

    async def requests(self, *, limit: int | None = None, **filters: Any) -> AsyncIterator[Item]:
        """Read the ledger, newest first, as it is iterated over; page by page.

        Args:
            limit: read no more than so many; the whole ledger when None.
            filters: those of `GET /api/v1/requests`: `task`, `tier`, `since` and so on.

        Raises:
            ValueError: the limit is negative.
        """
        to_read = Reading(limit)
        while to_read.goes_on:
            for item in to_read.taken(await self._run(self._does.page(filters, to_read))):
                yield item

    async def import_pairs(
        self, pairs: Iterable[Pair], *, batch: int = 100, progress: Progress | None = None
    ) -> Imported:
        """Import pairs made elsewhere, `batch` (1 to 500) at a time; again changes nothing.

        Args:
            pairs: may be a generator; it is read as it is sent.
            batch: pairs of one call.
            progress: called with what was taken so far, after each batch.
        """
        return await self._run(self._does.import_pairs(pairs, batch, progress))

    async def curve(self, study: int) -> Curve:
        """Read a study's curve and its certificate."""
        return await self._run(self._does.curve(study))

    async def export_study(self, study: int, *, texts: bool = False, names: bool = False) -> Table:
        """Read everything rated in a study; docs/exports.md explains the columns."""
        options = {"texts": texts, "names": names}
        return await self._run(self._does.export(f"studies/{study}/export", options))

    async def export_labels(self, *, texts: bool = False) -> Table:
        """Read what routers may be trained on."""
        return await self._run(self._does.export("labels/export", {"texts": texts}))

    async def usage(self, **filters: Any) -> dict[str, Any]:
        """Read tokens, costs, latencies and errors by group and period, as the service says it."""
        return await self._run(self._does.read("usage", filters))

    async def monitoring(self) -> dict[str, Any]:
        """Read how the monitors of what is live stand, as the service says it."""
        return await self._run(self._does.read("monitoring", {}))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self.aclose()

    async def _run(self, exchange: Exchange[T]) -> T:
        to_do = steps(exchange)
        step = next(to_do)
        while not isinstance(step, Done):
            step = await self._do(to_do, step)
        return step.value

    async def _do(self, to_do: Steps[T], step: Call | Pause) -> Call | Pause | Done[T]:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return to_do.send(None)
        try:
            response = await self._http.request(**connecting.arguments(step))
        except httpx2.TransportError as exc:
            return to_do.throw(exc)
        return to_do.send(response)
