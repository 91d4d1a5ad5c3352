"""One HTTP exchange over ASGI: the body read within bounds, the reply whole or in pieces."""

from __future__ import annotations

import asyncio
import re
import string
from collections.abc import Coroutine
from typing import Any, TypeVar
from urllib.parse import quote

from routing.errors import TooLarge, TooSlow

Headers = dict[str, str]

T = TypeVar("T")

_UNPRINTABLE = re.compile(r"[^ -~]")


class ClientGone(Exception):
    """The client closed the connection."""


class Connection:
    """What a client asked, and the way back to it.

    Attributes:
        headers: by lower-case name; a name that came twice has both values.
        has_begun: a reply is on its way: no other can follow.
        status: of that reply; 0 before.
    """

    def __init__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.url_query = quote(scope.get("query_string", b""), safe=string.punctuation)
        self.headers = _headers_of(scope)
        self.has_begun = False
        self.status = 0
        self._receive = receive
        self._send = send

    async def read(self, limit: int, timeout_s: float) -> bytes:
        """Return the body.

        The rest of a refused body is read and dropped (up to a bound): closing the connection
        under a client that is still sending would hide the refusal from it.

        Raises:
            TooLarge: when it has more bytes than the limit.
            TooSlow: when it is not there in time.
            ClientGone: when the client went away meanwhile.
        """
        try:
            async with asyncio.timeout(timeout_s):
                body = await self._read(limit)
        except TimeoutError as exc:
            raise TooSlow(f"The request body did not arrive within {timeout_s:g} s.") from exc
        if body is None:
            raise TooLarge(f"The request body is larger than {limit:,} bytes.")
        return body

    async def _read(self, limit: int) -> bytes | None:
        """Return the body, or None when it is over the limit."""
        length = self.headers.get("content-length", "0")
        too_large = length.isdigit() and int(length) > limit
        chunks: list[bytes] = []
        size = 0
        more = True
        while more and size <= 10 * limit:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            too_large = too_large or size > limit
            if too_large:
                chunks.clear()
            else:
                chunks.append(chunk)
        return None if too_large else b"".join(chunks)

    async def until_gone(self) -> None:
        """Return when the client closes the connection; to be called after `read` only."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def reply(self, status: int, body: bytes, content_type: str, headers: Headers) -> None:
        """Send a whole reply."""
        length = {"content-type": content_type, "content-length": str(len(body))}
        await self.begin(status, length | headers)
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, status: int, headers: Headers) -> None:
        """Send status and headers; what HTTP cannot carry in a header becomes a question mark."""
        encoded = [(name.encode("ascii"), _encoded(value)) for name, value in headers.items()]
        self.has_begun, self.status = True, status
        await self._send({"type": "http.response.start", "status": status, "headers": encoded})

    async def write(self, piece: bytes) -> None:
        """Send a piece of the body at once."""
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """End a body that was sent in pieces."""
        await self._send({"type": "http.response.body", "body": b""})


def _encoded(value: str) -> bytes:
    if not (value.isascii() and value.isprintable()):
        value = _UNPRINTABLE.sub("?", value)
    return value.encode("ascii")


class Watch:
    """Looks out for the client's leaving, and then cancels what is being done for it."""

    def __init__(self, connection: Connection) -> None:
        self.is_gone = False
        self._worker: asyncio.Task[Any] | None = None
        self._watcher = asyncio.create_task(self._look_out(connection))

    async def _look_out(self, connection: Connection) -> None:
        try:
            await connection.until_gone()
        except asyncio.CancelledError:
            # Kept in the task it would tie both into a knot that only the collector undoes: twenty
            # objects a request, and a pause of 200 ms now and then.
            return
        self.is_gone = True
        if self._worker is not None:
            self._worker.cancel()

    async def while_there(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work gives; no task of its own: every request passes here.

        Raises:
            ClientGone: when the client left first; the work is cancelled.
        """
        if self.is_gone:
            work.close()
            raise ClientGone
        self._worker = task = asyncio.current_task()
        assert task is not None
        try:
            return await work
        except asyncio.CancelledError:
            # Ours, unless the server cancelled too: it is being stopped.
            if self.is_gone and task.uncancel() == 0:
                raise ClientGone from None
            raise
        finally:
            self._worker = None

    def stop(self) -> None:
        """Look no more."""
        self._watcher.cancel()


def _headers_of(scope: dict[str, Any]) -> Headers:
    headers: Headers = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
