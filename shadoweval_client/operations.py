"""Each operation of the API as steps, the same for both clients."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shadoweval_client.exchange import Call, Exchange, send
from shadoweval_client.shapes import (
    Answer,
    Asking,
    Curve,
    Entry,
    Imported,
    Item,
    Page,
    Pair,
    Route,
)
from shadoweval_client.tables import Table

Progress = Callable[[Imported], object]

#: Fields of `Asking` that are headers of the request.
_HEADERS = {"tier": "x-shadoweval-tier", "session": "x-shadoweval-session"}
#: Items of one page: the most that the service gives.
_PAGE = 200


class Reading:
    """How far the ledger was read: after which cursor to go on, and how many items are left.

    Args:
        limit: how many items at most; all when None.

    Raises:
        ValueError: the limit is negative.
    """

    def __init__(self, limit: int | None) -> None:
        if limit is not None and limit < 0:
            raise ValueError("limit must not be negative")
        self.left = limit
        self.cursor: str | None = None
        self.goes_on = limit != 0

    @property
    def page_size(self) -> int:
        """Return how many items the next call asks for."""
        return _PAGE if self.left is None else min(self.left, _PAGE)

    def taken(self, page: Page) -> list[Item]:
        """Return the items of a page, and note where the next begins."""
        self.cursor = page.next_cursor
        if self.left is not None:
            self.left -= len(page.items)
        self.goes_on = self.cursor is not None and self.left != 0
        return page.items


@dataclass(frozen=True)
class Operations:
    """The operations, each with the same number of retries."""

    retries: int

    def route(self, query: str | None, key: str | None, asking: Asking) -> Exchange[Answer]:
        """Ask and be routed; the key makes a repeated try the same request."""
        headers = _headers(asking) | {"idempotency-key": key or uuid.uuid4().hex}
        call = Call("POST", "/api/v1/route", json=_body(query, asking), headers=headers)
        return Answer.of((yield from send(call, self.retries)).json())

    def decide(self, query: str | None, asking: Asking) -> Exchange[Route]:
        """Learn where a request would go."""
        call = Call("POST", "/api/v1/decide", json=_body(query, asking), headers=_headers(asking))
        return Route.of((yield from send(call, self.retries)).json())

    def feedback(self, request_id: str, said: Mapping[str, Any]) -> Exchange[bool]:
        """Say what became of an answer; True when it was news."""
        call = Call("POST", f"/api/v1/requests/{request_id}/feedback", json=_given(said))
        return (yield from send(call, self.retries)).status_code == 201

    def request(self, request_id: str) -> Exchange[Entry]:
        """Read one request in full."""
        return Entry.of((yield from self._read(f"requests/{request_id}")))

    def page(self, filters: Mapping[str, Any], to_read: Reading) -> Exchange[Page]:
        """Read the next page of the ledger."""
        place = {"limit": to_read.page_size, "cursor": to_read.cursor}
        found = yield from self._read("requests", {**filters, **place})
        return Page([Item.of(one) for one in found["items"]], found["next_cursor"])

    def import_pairs(
        self, pairs: Iterable[Pair], batch: int, progress: Progress | None
    ) -> Exchange[Imported]:
        """Send pairs in batches, each written whole or not at all."""
        if batch < 1:
            raise ValueError("a batch holds at least one pair")
        done, rest = Imported(), iter(pairs)
        while some := list(itertools.islice(rest, batch)):
            call = Call("POST", "/api/v1/pairs", json={"pairs": some})
            said = (yield from send(call, self.retries)).json()
            done = Imported(
                done.imported + said["imported"], done.already_there + said["already_there"]
            )
            if progress:
                progress(done)
        return done

    def curve(self, study: int) -> Exchange[Curve]:
        """Read a study's curve."""
        return Curve.of((yield from self._read(f"studies/{study}/curve")))

    def export(self, path: str, options: Mapping[str, Any]) -> Exchange[Table]:
        """Read a file as Parquet."""
        call = Call("GET", f"/api/v1/{path}", params=_given({**options, "format": "parquet"}))
        response = yield from send(call, self.retries)
        return Table(response.content, int(response.headers.get("x-shadoweval-left-out", 0)))

    def read(self, path: str, filters: Mapping[str, Any]) -> Exchange[dict[str, Any]]:
        """Read a report as the service says it."""
        return (yield from self._read(path, filters))

    def _read(self, path: str, params: Mapping[str, Any] | None = None) -> Exchange[Any]:
        call = Call("GET", f"/api/v1/{path}", params=_given(params or {}))
        return (yield from send(call, self.retries)).json()


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _headers(asking: Asking) -> dict[str, str]:
    headers = {_HEADERS[name]: str(asking.get(name)) for name in _HEADERS if asking.get(name)}
    return headers | ({} if asking.get("shadow", True) else {"x-shadoweval-shadow": "off"})


def _body(query: str | None, asking: Asking) -> dict[str, Any]:
    fields = {name: asking.get(name) for name in asking if name not in {*_HEADERS, "shadow"}}
    return _given({"query": query, **fields})
