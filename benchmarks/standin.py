"""A provider's stand-in: the same Messages-API reply, 100 ms after each request.

A process of its own and as cheap as can be, so that its share of the cores hides nothing. It prints
its port. GET /count tells how many replies it gave. Run by the other benchmarks.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from functools import partial

import httptools
import uvloop

_TEXT = "Light of short waves is scattered more by the air than light of long ones. " * 4
_REPLY = {
    "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
    "type": "message",
    "role": "assistant",
    "model": "stand-in",
    "content": [{"type": "text", "text": _TEXT.strip()}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 38,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 76,
        "service_tier": "standard",
    },
}


def whole(body: bytes) -> bytes:
    """Return an HTTP reply with this body."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_011CSHoEeq\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


class Standin(asyncio.Protocol):
    """One connection; one request at a time, as clients of HTTP/1.1 send them."""

    given = 0
    reply = whole(json.dumps(_REPLY).encode())

    def __init__(self, delay_s: float) -> None:
        self._later = partial(asyncio.get_running_loop().call_later, delay_s)
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self._parser.get_method() == b"GET":
            self._transport.write(whole(json.dumps({"given": Standin.given}).encode()))
        else:
            self._later(self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            Standin.given += 1
            self._transport.write(self.reply)


async def serve(port: int, delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Standin, delay_s), "127.0.0.1", port, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--delay-ms", type=float, default=100.0)
    chosen = options.parse_args()
    uvloop.run(serve(chosen.port, chosen.delay_ms / 1000))


if __name__ == "__main__":
    main()
