"""Server-sent events: cut a stream into whole events, read one, write one.

Source: the HTML standard, section "Server-sent events" (event stream interpretation).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: An event ends with an empty line; lines end with LF, CR LF or CR.
_END = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n")
_LINE = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True)
class Event:
    """One event: its name ("" when it has none) and its data, lines joined by LF.

    `data` is None for a block of comments, which clients ignore.
    """

    name: str
    data: str | None


class Splitter:
    """Collects chunks of any size and gives back whole events, each with its empty line."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._from = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the events that this chunk completes, byte for byte as they came."""
        self._rest += chunk
        events: list[bytes] = []
        start = 0
        for end in _END.finditer(self._rest, self._from):
            events.append(bytes(self._rest[start : end.end()]))
            start = end.end()
        if start:
            self._rest = self._rest[start:]
        self._from = max(len(self._rest) - 3, 0)  # an empty line may come in two chunks
        return events

    def __len__(self) -> int:
        """Return how much has come since the last whole event."""
        return len(self._rest)

    @property
    def rest(self) -> bytes:
        """What came after the last whole event."""
        return bytes(self._rest)


def read(raw: bytes) -> Event:
    """Return what one whole event says.

    Raises:
        UnicodeDecodeError: when it is not UTF-8.
    """
    name, data = "", None
    for line in _LINE.split(raw.decode().removeprefix("\ufeff")):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data = value if data is None else f"{data}\n{value}"
    return Event(name, data)


def write(data: str, name: str = "") -> bytes:
    """Return one event; the data must not have line breaks (JSON without indent has none)."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data}\n\n".encode()
