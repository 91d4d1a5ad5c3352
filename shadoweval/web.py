"""The web process: uvicorn, with an end that loses no request.

`python -m shadoweval.web --host H --port P [--fd N] [--notice S]`

SIGTERM or SIGINT begins the end. No connection is accepted any more; who shares the listening
socket takes over. Replies and streams in hand go on, for at most DRAIN_S. A kept connection gets
its next answer with `connection: close`; one that stays silent is closed after GRACE_S, not at
once: its client may be sending already. Then the application writes its records, and the process
exits 0. A second signal cuts what is still open; records are written all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import math
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shadoweval.charges import READY_FD

BACKLOG = 2048
#: Longer than nginx keeps idle connections to a server (60 s), so that it is nginx who closes them.
KEEP_ALIVE_S = 75
GRACE_S = 3.0
DRAIN_S = 30.0
#: What replies that were cut have to note how far they came.
CUT_S = 5.0
#: In the ASGI scope's state: this process is about to end; whether the application is ready.
DRAINING = "draining"
IS_READY = "is_ready"

_POLL_S = 0.05

log = logging.getLogger(__name__)


class Protocol(HttpToolsProtocol):
    """A connection that ends without a request falling into the gap."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; a connection accepted in the last moment is served as well."""
        super().connection_made(transport)  # type: ignore[arg-type]
        if self.app_state.get(DRAINING):
            self.shutdown()

    def shutdown(self) -> None:
        """Begin to end: announce it in the next answer, or close after a silence."""
        self.timeout_keep_alive = GRACE_S  # type: ignore[assignment]
        if self.cycle is None or self.cycle.response_complete:
            self._close_if_silent_for(GRACE_S)
        elif not self.cycle.response_started:
            self.cycle.keep_alive = False
        # Else its headers are out and have promised to keep the connection: grace follows its end.

    def on_headers_complete(self) -> None:
        """Begin a request; while draining, its answer says that it is the last one here."""
        super().on_headers_complete()
        if self.app_state.get(DRAINING):
            self.cycle.keep_alive = False  # the task that answers has not run yet

    def timeout_keep_alive_handler(self) -> None:
        """Close, unless something has arrived that a busy loop has not read yet."""
        if not self.transport.is_closing() and _has_unread(self.transport):
            self._close_if_silent_for(_POLL_S)
        else:
            super().timeout_keep_alive_handler()

    def _close_if_silent_for(self, delay_s: float) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            delay_s, self.timeout_keep_alive_handler
        )


def _has_unread(transport: asyncio.Transport) -> bool:
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Server(uvicorn.Server):
    """uvicorn's server with another end."""

    def __init__(self, config: uvicorn.Config, notice_s: float = 0.0) -> None:
        """Set up; nothing is opened yet.

        Args:
            config: How to serve.
            notice_s: How long to go on accepting after the signal, while /readyz says 503: for
                load balancers that ask it before they send requests elsewhere.
        """
        super().__init__(config)
        self._notice_s = notice_s
        self._telling: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals until the process has ended.

        uvicorn raises them again at the end: the exit code would tell of a signal, not of success.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.handle_exit)
        yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Note a signal; the second one hurries."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start; the supervisor is told when the application is ready."""
        await super().startup(sockets)
        fd = os.environ.pop(READY_FD, "")
        if fd and self.started:
            self._telling = asyncio.create_task(self._tell(int(fd)), name="ready")

    async def _tell(self, fd: int) -> None:
        """Tell the supervisor: until then the process that this one replaces stays."""
        is_ready = self.lifespan.state[IS_READY]
        with contextlib.suppress(OSError), os.fdopen(fd, "wb", buffering=0) as supervisor:
            await self._wait(math.inf, is_ready)
            supervisor.write(b"\n")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let everything in hand end, then the application."""
        self.lifespan.state[DRAINING] = True
        if self._telling is not None:
            self._telling.cancel()
        await self._wait(self._notice_s, lambda: False)
        for listener in (*self.servers, *(sockets or ())):
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0.1)  # connections accepted just now appear
        state = self.server_state
        await self._wait(DRAIN_S, lambda: not state.connections and not state.tasks)
        await self._cut()
        await self.lifespan.shutdown()

    async def _wait(self, limit_s: float, is_over: Callable[[], bool]) -> None:
        """Wait until it is over, for a second signal, or as long as the limit says."""
        deadline = time.monotonic() + limit_s
        while not (self.force_exit or is_over() or time.monotonic() > deadline):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)

    async def _cut(self) -> None:
        """End what has not ended in time; it still notes how far it came."""
        tasks = set(self.server_state.tasks)
        if not tasks:
            return
        log.warning("cutting %d requests that did not end in time", len(tasks))
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=CUT_S)


def server(arguments: argparse.Namespace) -> Server:
    """Return the server, not yet started."""
    config = uvicorn.Config(
        "shadoweval.asgi:application",
        host=arguments.host,
        port=arguments.port,
        http=Protocol,
        loop="uvloop",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        log_config=None,  # the settings say how lines look
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    return Server(config, arguments.notice)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="python -m shadoweval.web", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=8000)
    made.add_argument("--fd", type=int, help="a bound socket, inherited, instead of an address")
    said = "seconds to go on accepting after the signal, while /readyz says 503"
    made.add_argument("--notice", type=float, default=0.0, metavar="S", help=said)
    return made


def _allow_files() -> None:
    """Allow as many open files as the system lets this process have, connections included.

    The usual 1,024 are used up by the index files of some hundred collections.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until a signal; return the exit code."""
    arguments = parser().parse_args(argv)
    _allow_files()
    serving = server(arguments)
    with serving.capture_signals():  # from the start: loading the application takes seconds
        sockets = None if arguments.fd is None else [socket.socket(fileno=arguments.fd)]
        serving.run(sockets)
    return 0 if serving.started or serving.should_exit else STARTUP_FAILURE


if __name__ == "__main__":
    sys.exit(main())
