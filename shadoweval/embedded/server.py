"""Own one private server: take it, start it, watch it, stop it.

What Postgres and Valkey have in common. Two locks guard a server. The first is the owner's, and
refuses a second owner. The second is shared with the server and all its children, so that it is
free only when the last of them is gone: whoever holds both may clear what a crash left behind.
"""

import contextlib
import logging
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from shadoweval.embedded import places, processes
from shadoweval.embedded.errors import EmbeddedError, folder_refused
from shadoweval.embedded.locks import FileLock
from shadoweval.embedded.places import Account, Place

# A predecessor that is just stopping gets this long before we call it a rival.
OWNER_PATIENCE_S = 3.0
# The servers of a killed owner end by themselves on Linux; elsewhere they are asked to after this.
ORPHAN_PATIENCE_S = 2.0
ORPHAN_STOP_S = 60.0
# Postgres replays its log after a crash; killing it meanwhile would only make it begin again.
START_PATIENCE_S = 300.0

logger = logging.getLogger(__name__)


class Server(ABC):
    """Run one server as a child of this process, for as long as this process lives.

    Start it from the main thread (see processes.spawn). A server that died is started again by
    another start(); one that runs is left alone.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    stop_patience_s: ClassVar[float]

    def __init__(self, root: Path, *, ephemeral: bool = False) -> None:
        """Name the server's root folder; nothing is touched yet.

        Args:
            root: The folder given by SHADOWEVAL_VAR; one for all servers.
            ephemeral: Trade durability for speed. For tests only.
        """
        self.root = Path(root)
        self.ephemeral = ephemeral
        self._process: subprocess.Popen[bytes] | None = None
        self._ownership: FileLock | None = None
        self._liveness: FileLock | None = None

    @property
    def place(self) -> Place:
        """Return where the server lives."""
        return places.find(self.root)

    @property
    def log(self) -> Path:
        """Return the file with what the server says."""
        return self.place.home / "logs" / f"{self.name.lower()}.log"

    def alive(self) -> bool:
        """Tell whether the server's process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start the server and return when it answers.

        Raises:
            EmbeddedError: It cannot be started here; the message says what to do.
        """
        if self.alive():
            return self
        try:
            self._start(self.place)
        except OSError as error:
            self.stop()
            raise folder_refused(self.root, error) from error
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server, if it runs, and let others own it."""
        if self._process is not None:
            steps = ((self.stop_signal, self.stop_patience_s), (signal.SIGKILL, 5.0))
            processes.stop(self._process, steps)
            self._process = None
        for lock in (self._liveness, self._ownership):
            if lock is not None:
                lock.release()
        self._liveness = self._ownership = None

    def __enter__(self) -> Self:
        """Start the server."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the server."""
        self.stop()

    @abstractmethod
    def _argv(self, place: Place) -> list[str]:
        """Prepare the data and return the command; nobody else touches the data meanwhile."""

    @abstractmethod
    def _answers(self, place: Place) -> bool:
        """Tell whether the server takes connections."""

    def _start(self, place: Place) -> None:
        if place.home != self.root.resolve():
            logger.warning(
                "%s keeps its data in %s, since its account cannot enter %s",
                self.name,
                place.home,
                self.root,
            )
        _make_folders(place)
        self._take_locks(place)
        argv = self._argv(place)
        self._process = processes.spawn(
            argv,
            log=self.log,
            death_signal=self.stop_signal,
            env=environment(),
            cwd=place.servers,
            account=place.account,
            keep_fds=self._shared_fds(),
        )
        self._held(self._liveness).note(self._process.pid)
        self._wait_for_answer(place)

    def _take_locks(self, place: Place) -> None:
        locks = place.home / "locks"
        if self._ownership is None:
            ownership = FileLock(locks / f"{self.name.lower()}.owner")
            if not ownership.take(OWNER_PATIENCE_S):
                raise EmbeddedError(self._owned(ownership, place))
            self._ownership = ownership
            ownership.note(os.getpid())
        if self._liveness is not None:
            # Ours may still be held by children of a server that died; only a new one can tell.
            self._liveness.release()
        self._liveness = FileLock(locks / f"{self.name.lower()}.server")
        if not self._liveness.take(ORPHAN_PATIENCE_S):
            self._end_orphan(self._liveness, place)

    def _owned(self, ownership: FileLock, place: Place) -> str:
        return (
            f"Another Shadoweval (process {ownership.holder()}) runs the {self.name} in "
            f"{place.home}: stop it, or set SHADOWEVAL_VAR to another folder."
        )

    def _end_orphan(self, liveness: FileLock, place: Place) -> None:
        """Stop a server whose owner was killed, and wait for its last child.

        Its process number is used only if that process still works on our folder.
        """
        pid = liveness.holder()
        command = "" if pid is None else processes.command_line(pid)
        if pid is not None and (str(place.servers) in command or str(place.sockets) in command):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, self.stop_signal)
        if not liveness.take(ORPHAN_STOP_S):
            raise EmbeddedError(
                f"An earlier {self.name} (process {pid}) on {place.servers} does not stop: "
                "end it, then start again."
            )

    def _wait_for_answer(self, place: Place) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while not self._answers(place):
            if not self.alive():
                raise EmbeddedError(f"{self.name} did not start: {self._last_word()}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self.name} does not answer; see {self.log}.")
            time.sleep(0.01)

    def _last_word(self) -> str:
        lines = [line.strip() for line in processes.tail(self.log, 10) if line.strip()]
        telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "rror" in line]
        return f"{(telling or lines or ['it said nothing'])[-1]} (see {self.log})"

    def _shared_fds(self) -> Sequence[int]:
        return (self._held(self._liveness).fd,)

    @staticmethod
    def _held(lock: FileLock | None) -> FileLock:
        if lock is None:
            raise AssertionError("the locks are taken before anything is started")
        return lock


def environment() -> dict[str, str]:
    """Return the environment of a server: no secrets of ours, no locale of the terminal."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


def _make_folders(place: Place) -> None:
    """Make the server's folders; the data's is private, and is the account's if there is one."""
    account = place.account
    if not place.home.exists():
        place.home.mkdir(parents=True)
        # Whatever the umask: an account that runs the servers has to pass.
        place.home.chmod(0o700 if account is None else 0o755)
    for name in ("locks", "logs"):
        (place.home / name).mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        _require_reachable(place.home, account)
    for folder in (place.servers, place.sockets):
        places.make_private(folder, account)


def _require_reachable(home: Path, account: Account) -> None:
    if not places.reachable(home, account):
        raise EmbeddedError(
            f"As root, Postgres runs as '{account.name}', which cannot enter {home}: set "
            "SHADOWEVAL_VAR to a folder it can enter, or do not start as root, or set DATABASE_URL."
        )
