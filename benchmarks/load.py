"""A load generator: closed loop (so many connections) or open loop (so many requests a second).

A process of its own and cheap, so that its share of the cores hides nothing. Every latency is kept,
in ns: percentiles are exact. In the open loop a latency counts from the moment the request was due
(Poisson), so that a server that stalls cannot hide it. Prints one line of JSON.
Run: python benchmarks/load.py http://127.0.0.1:8000 --key … [--connections 256 | --rate 400]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
from array import array
from collections import Counter, deque
from collections.abc import Iterator
from itertools import cycle, islice
from time import monotonic_ns
from urllib.parse import urlsplit

import httptools
import uvloop

_SEED = 11
_QUESTIONS = 400
_WORDS = (
    "why how does the a sky network tax tree server bridge river contract light engine market cell "
    "train city memory price border table history change grow break carry move measure explain "
    "compare in of under between during after before without over because when where which who "
    "small large early warm quiet legal common modern public simple deep round first second water "
    "iron paper winter summer north south coast village school doctor farmer author teacher"
)
_LONGEST_WAIT_S = 30.0


def questions(words: int | None, seed: int | None = _SEED) -> Iterator[str]:
    """Yield questions of 8 to 30 words, or of exactly so many, for ever; None draws a new seed."""
    draw, known = random.Random(seed), _WORDS.split()
    while True:
        length = words or draw.randint(8, 30)
        yield " ".join(draw.choices(known, k=length)).capitalize() + "?"


def body_of(text: str) -> bytes:
    """Return a Messages-API request."""
    messages = [{"role": "user", "content": text}]
    return json.dumps({"model": "auto", "max_tokens": 300, "messages": messages}).encode()


def requests_of(chosen: argparse.Namespace, host: str) -> Iterator[bytes]:
    """Return whole HTTP requests for ever: the same few hundred, or no text twice, in any run."""
    head = (
        f"POST {chosen.path} HTTP/1.1\r\nhost: {host}\r\nx-api-key: {chosen.key}\r\n"
        "anthropic-version: 2023-06-01\r\ncontent-type: application/json\r\ncontent-length: "
    ).encode()
    if chosen.text:
        texts: Iterator[str] = iter([chosen.text])
    else:
        texts = questions(chosen.words, None if chosen.unique else _SEED)
    whole = (head + b"%d\r\n\r\n" % len(body) + body for body in map(body_of, texts))
    return whole if chosen.unique and not chosen.text else cycle(list(islice(whole, _QUESTIONS)))


class Load:
    """What is asked, and what came back.

    Attributes:
        counted: latencies in ns of good replies to requests due within the window.
        ended: good replies that came within the window.
        good: every good reply, warm-up and tail included.
    """

    def __init__(self, chosen: argparse.Namespace) -> None:
        where = urlsplit(chosen.url)
        self.host, self.port = where.hostname, where.port
        self.next_request = requests_of(chosen, where.netloc).__next__
        self.seconds = chosen.seconds
        self.began = monotonic_ns()
        self.begin = self.began + int(chosen.warm_up * 1e9)
        self.end = self.begin + int(chosen.seconds * 1e9)
        self.counted, self.late = array("q"), array("q")
        self.ended = self.good = self.asked = 0
        self.errors: Counter[str] = Counter()
        self.waiting: set[Connection] = set()
        self.cpu_before_ms = cpu_ms()  # what it took to start

    def took(self, due: int, status: int) -> None:
        now = monotonic_ns()
        if status != 200:
            self.errors[str(status)] += 1
            return
        self.good += 1
        if self.begin <= due < self.end:
            self.counted.append(now - due)
        if self.begin <= now < self.end:
            self.ended += 1

    async def connect(self, done) -> Connection:
        make = lambda: Connection(self, done)  # noqa: E731 - a factory, used once
        return (await asyncio.get_running_loop().create_connection(make, self.host, self.port))[1]


class Connection(asyncio.Protocol):
    """One kept-alive connection; `done` is called when its reply is whole or it is lost."""

    def __init__(self, load: Load, done) -> None:
        self._load, self._done = load, done
        self._parser = httptools.HttpResponseParser(self)
        self._due = 0
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def ask(self, due: int) -> None:
        self._due = due
        self._load.asked += 1
        self._load.waiting.add(self)
        self._transport.write(self._load.next_request())

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._load.waiting.discard(self)
        self._load.took(self._due, self._parser.get_status_code())
        if not self._parser.should_keep_alive():
            self.is_open = False
            self._transport.close()
        self._done(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False  # idle ones may be closed by the server: no error
        if self in self._load.waiting:
            self._load.waiting.discard(self)
            self._load.errors["lost"] += 1
            self._done(self)

    def close(self) -> None:
        self.is_open = False
        self._transport.close()


async def closed(load: Load, connections: int) -> None:
    """Keep so many requests under way."""
    reopening: set[asyncio.Task] = set()

    def again(connection: Connection) -> None:
        now = monotonic_ns()
        if now >= load.end:
            return
        if connection.is_open:
            connection.ask(now)
        else:
            task = asyncio.ensure_future(start())
            reopening.add(task)
            task.add_done_callback(reopening.discard)

    async def start() -> None:
        try:
            (await load.connect(again)).ask(monotonic_ns())
        except OSError:
            load.errors["refused"] += 1

    await asyncio.gather(*(start() for _ in range(connections)))
    await asyncio.sleep(max(0, load.end - monotonic_ns()) / 1e9)


async def opened(load: Load, rate: float) -> None:
    """Ask at a rate, whatever comes back; idle connections are used first, more are opened."""
    draw, idle = random.Random(_SEED), deque()

    def free(connection: Connection) -> None:
        if connection.is_open:
            idle.append(connection)

    async def more(due: int) -> None:
        try:
            (await load.connect(free)).ask(due)
        except OSError:
            load.errors["refused"] += 1

    tasks, due = set(), float(monotonic_ns())
    while due < load.end:
        wait_s = (due - monotonic_ns()) / 1e9
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        load.late.append(monotonic_ns() - int(due))
        while idle and not idle[-1].is_open:
            idle.pop()
        if idle:
            idle.pop().ask(int(due))
        else:
            task = asyncio.ensure_future(more(int(due)))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        due += draw.expovariate(rate) * 1e9
    await asyncio.gather(*tasks)


async def run(chosen: argparse.Namespace) -> Load:
    load = Load(chosen)
    await (opened(load, chosen.rate) if chosen.rate else closed(load, chosen.connections))
    give_up = monotonic_ns() + _LONGEST_WAIT_S * 1e9
    while load.waiting and monotonic_ns() < give_up:  # noqa: ASYNC110 - an event costs each reply
        await asyncio.sleep(0.02)
    if load.waiting:
        load.errors["no_reply"] += len(load.waiting)
    return load


def percentile_ms(sorted_ns: array | list, share: float) -> float | None:
    """Return the smallest latency that this share of all is no longer than."""
    if not sorted_ns:
        return None
    return sorted_ns[min(len(sorted_ns) - 1, int(share * len(sorted_ns)))] / 1e6


def cpu_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1000


def report(load: Load) -> dict:
    took_ms = cpu_ms() - load.cpu_before_ms
    latencies, late = sorted(load.counted), sorted(load.late)
    return {
        "began_ns": load.began,  # on the clock that all processes of a machine share
        "asked": load.asked,
        "good": load.good,
        "rps": load.ended / load.seconds,
        "p50_ms": percentile_ms(latencies, 0.5),
        "p90_ms": percentile_ms(latencies, 0.9),
        "p99_ms": percentile_ms(latencies, 0.99),
        "p999_ms": percentile_ms(latencies, 0.999),
        "max_ms": percentile_ms(latencies, 1.0),
        "late_p99_ms": percentile_ms(late, 0.99),
        "cpu_ms": took_ms,
        "errors": dict(load.errors),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("url")
    options.add_argument("--path", default="/v1/messages")
    options.add_argument("--key", default="none")
    options.add_argument("--connections", type=int, default=256, help="closed loop")
    options.add_argument("--rate", type=float, default=0.0, help="open loop, requests a second")
    options.add_argument("--seconds", type=float, default=10.0)
    options.add_argument("--warm-up", type=float, default=1.0, help="seconds that are not counted")
    options.add_argument("--words", type=int, help="of every question; default 8 to 30")
    options.add_argument("--text", help="this one question only")
    options.add_argument("--unique", action="store_true", help="no text twice")
    print(json.dumps(report(uvloop.run(run(options.parse_args())))))


if __name__ == "__main__":
    main()
