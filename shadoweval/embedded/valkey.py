"""Run a private Valkey on a unix socket."""

import signal
import socket
from typing import ClassVar

from shadoweval.embedded import binaries
from shadoweval.embedded.places import VALKEY_SOCKET, Place
from shadoweval.embedded.server import Server

SETTINGS = {
    "port": "0",
    "unixsocketperm": "700",
    "daemonize": "no",
    # Every write goes to a log that is flushed once a second: kill -9 loses nothing, a power
    # failure one second. Nothing is lost with it that Postgres does not hold as well.
    "save": "",
    "appendonly": "yes",
    "appendfsync": "everysec",
    # A broker must refuse a message rather than forget one.
    "maxmemory-policy": "noeviction",
}
EPHEMERAL_SETTINGS = {"appendonly": "no"}


class Valkey(Server):
    """Run Valkey, or Redis where that is what there is, in the root folder."""

    name: ClassVar[str] = "Valkey"
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_patience_s: ClassVar[float] = 20.0

    def _argv(self, place: Place) -> list[str]:
        candidate, program = binaries.valkey()
        folder = binaries.runnable_folder(candidate, place.account)
        settings = SETTINGS | (EPHEMERAL_SETTINGS if self.ephemeral else {})
        settings |= {"dir": str(place.servers), "unixsocket": str(place.sockets / VALKEY_SOCKET)}
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        return [str(folder / program), *options]

    def _answers(self, place: Place) -> bool:
        """Ask for a sign of life; while it loads its data it says so instead of PONG."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(place.sockets / VALKEY_SOCKET))
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False
