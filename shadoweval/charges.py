"""What a supervisor keeps running: one thing each, with the patience it deserves."""

import contextlib
import logging
import os
import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from shadoweval.embedded import processes
from shadoweval.embedded.errors import EmbeddedError

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
GOOD_LIFE_S = 30.0
TRIAL_S = 60.0
TRIAL_DEATHS = 5
EVIDENCE_LINES = 15
#: Names the descriptor to which a process writes a byte when it is ready.
READY_FD = "READY_FD"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """A command that is meant to run for ever.

    Attributes:
        name: Names it in messages, and its log.
        argv: The program and its arguments.
        env: Added to our own environment.
        stop_signal: Asks it to finish.
        stop_timeout_s: How long it may take to, before it is killed.
        count: How many processes run the command.
        nice: How far its processes stand back for others, 0 to 19.
        keep_fds: Files its processes share with us, such as the listening socket.
        ready_timeout_s: Its processes say when they are ready (see READY_FD), so a restart starts
            the new one first and gives it this long; None: the old one stops first.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    count: int = 1
    nice: int = 0
    keep_fds: Sequence[int] = ()
    ready_timeout_s: float | None = None


class Watched(Protocol):
    """What starts itself and can tell whether it lives."""

    def alive(self) -> bool:
        """Tell whether it runs."""

    def start(self) -> object:
        """Start it, or do nothing if it runs."""


class ServiceGaveUp(RuntimeError):
    """Something died again and again right after its first start; the message shows its log."""


class Patience:
    """Decide when something that died is started again, and when that has become pointless."""

    def __init__(self) -> None:
        """Begin with the shortest pause and no deaths."""
        self.retry_at = 0.0
        self.pause_s = FIRST_PAUSE_S
        self._first_start: float | None = None
        self._last_start = 0.0
        self._trial_deaths = 0

    @property
    def exhausted(self) -> bool:
        """Tell whether it died too often right after its first start."""
        return self._trial_deaths >= TRIAL_DEATHS

    def started(self, now: float) -> None:
        """Note a start."""
        self._last_start = now
        if self._first_start is None:
            self._first_start = now

    def died(self, now: float) -> None:
        """Note a death; the pause doubles, unless the life before it was a good one."""
        if now - self._last_start >= GOOD_LIFE_S:
            self.pause_s = FIRST_PAUSE_S
        self.retry_at = now + self.pause_s
        self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
        if self._first_start is not None and now - self._first_start <= TRIAL_S:
            self._trial_deaths += 1


class Charge(ABC):
    """One thing to keep running."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.patience = Patience()
        self.problem = ""
        self._supposed_alive = False

    @abstractmethod
    def alive(self) -> bool:
        """Tell whether it runs."""

    @abstractmethod
    def start(self) -> None:
        """Start it."""

    @abstractmethod
    def bury(self) -> None:
        """Clear what a death left behind."""

    def evidence(self) -> str:
        """Return what is known about the last death."""
        return self.problem

    def look_after(self, now: float) -> None:
        """Start it when it is due, and note when it has died."""
        if self.alive():
            if not self._supposed_alive:  # it ran before we came
                self._note_start(now)
        elif self._supposed_alive:
            self._mourn(now)
        elif now >= self.patience.retry_at:
            self.try_start(now)

    def _note_start(self, now: float) -> None:
        self.patience.started(now)
        self._supposed_alive = True

    def _mourn(self, now: float) -> None:
        self._supposed_alive = False
        self.bury()
        self.patience.died(now)
        if self.patience.exhausted:
            raise ServiceGaveUp(
                f"{self.name} stopped {TRIAL_DEATHS} times within {TRIAL_S:.0f} s of its first "
                f"start, so everything was stopped; its last lines:\n{self.evidence()}"
            )
        pause_s = self.patience.retry_at - now
        logger.warning("%s stopped; starting it again in %.1f s", self.name, pause_s)

    def try_start(self, now: float) -> None:
        """Start it; what stands in the way is kept as the evidence."""
        self._note_start(now)
        self.problem = ""
        try:
            self.start()
        except (OSError, EmbeddedError) as error:
            self.problem = str(error)
            logger.warning("%s: %s", self.name, error)


class Guest(Charge):
    """A watched object."""

    def __init__(self, watched: Watched) -> None:
        super().__init__(type(watched).__name__)
        self._watched = watched

    def alive(self) -> bool:
        """Ask it."""
        return self._watched.alive()

    def start(self) -> None:
        """Have it start itself."""
        self._watched.start()

    def bury(self) -> None:
        """Do nothing, since its own next start clears up."""


class Child(Charge):
    """A process of a service."""

    def __init__(self, service: Service, log_dir: Path, patience: Patience | None = None) -> None:
        super().__init__(service.name)
        self.service = service
        # A successor has its predecessor's: only what is new is on trial, not what was restarted.
        self.patience = patience or self.patience
        self._log = log_dir / f"{service.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: IO[bytes] | None = None
        self._was_asked = False

    def alive(self) -> bool:
        """Tell whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start a process, which dies with us."""
        self._was_asked = False
        ready, tell = os.pipe()
        self._ready = os.fdopen(ready, "rb", buffering=0)
        os.set_blocking(ready, False)
        try:
            # If we are killed there is nobody left to wait for a child that takes its time.
            self._process = processes.spawn(
                self.service.argv,
                log=self._log,
                death_signal=signal.SIGKILL,
                env={**os.environ, **self.service.env, READY_FD: str(tell)},
                keep_fds=(*self.service.keep_fds, tell),
            )
        finally:
            os.close(tell)
        stand_back(self._process.pid, self.service.nice)

    def is_ready(self) -> bool:
        """Tell whether it has just said that it is ready; it says so once."""
        return self._ready is not None and bool(self._ready.read(1))

    def evidence(self) -> str:
        """Return what stood in the way, or the log's last lines."""
        return self.problem or "\n".join(processes.tail(self._log, EVIDENCE_LINES))

    def bury(self) -> None:
        """Kill what the process has left in its group, which may hold its port or its tasks."""
        self.kill()

    def ask_to_stop(self) -> None:
        """Send the stop signal once: a second one may mean that it should hurry."""
        if self._process is not None and not self._was_asked:
            self._was_asked = True
            self._process.send_signal(self.service.stop_signal)

    def kill(self) -> None:
        """End the process and its group at once."""
        if self._ready is not None:
            self._ready.close()
            self._ready = None
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None


def stand_back(pid: int, nice: int) -> None:
    """Lower a process's priority; what it starts inherits that."""
    if not nice:
        return
    with contextlib.suppress(OSError):  # it is gone already
        os.setpriority(os.PRIO_PROCESS, pid, nice)
    # Where Linux groups processes by session, niceness counts within one; each of ours has its own.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice), encoding="ascii")
