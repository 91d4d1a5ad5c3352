"""Keep the processes of one machine running: start, watch, restart, stop.

The supervisor knows nothing of what it runs. Services are child processes. Watched objects, such as
the private servers, start themselves and are only asked whether they live; whoever made them stops
them, after the services that use them.
"""

import contextlib
import logging
import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from shadoweval.embedded import processes
from shadoweval.embedded.errors import EmbeddedError

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
GOOD_LIFE_S = 30.0
TRIAL_S = 60.0
TRIAL_DEATHS = 5
POLL_S = 0.1
EVIDENCE_LINES = 15

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
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0


class Watched(Protocol):
    """What starts itself and can tell whether it lives."""

    def alive(self) -> bool:
        """Tell whether it runs."""

    def start(self) -> object:
        """Start it, or do nothing if it runs."""


class ServiceGaveUp(RuntimeError):
    """Something died again and again right after its first start; the message shows its log."""


class Supervisor:
    """Run services and watched objects until a signal comes or one of them gives up."""

    def __init__(
        self, commands: Sequence[Service], log_dir: Path, watched: Sequence[Watched] = ()
    ) -> None:
        """Name what to run.

        Args:
            commands: Started in this order, stopped in the reverse one.
            log_dir: Gets one <name>.log for each service.
            watched: Looked after before the services.
        """
        self._services = [_Child(service, log_dir) for service in commands]
        self._charges: list[_Charge] = [*map(_Guest, watched), *self._services]
        self._signals = 0

    def run(self) -> None:
        """Run everything; return after SIGINT, SIGTERM or SIGHUP, when all services have stopped.

        A second signal kills at once what has not stopped yet. Call it from the main thread.

        Raises:
            ServiceGaveUp: Something died TRIAL_DEATHS times within TRIAL_S of its first start.
        """
        with self._counted_signals():
            try:
                while not self._signals:
                    for charge in self._charges:
                        charge.look_after(time.monotonic())
                    time.sleep(POLL_S)
            finally:
                logger.info("Stopping; press Ctrl-C again to hurry")
                for service in reversed(self._services):
                    self._stop(service)

    def _stop(self, service: "_Child") -> None:
        service.ask_to_stop()
        deadline = time.monotonic() + service.service.stop_timeout_s
        while service.alive() and time.monotonic() < deadline and self._signals < 2:
            time.sleep(POLL_S)
        service.kill()

    @contextlib.contextmanager
    def _counted_signals(self) -> Iterator[None]:
        def count(number: int, frame: object) -> None:
            self._signals += 1

        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, count) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


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


class _Charge(ABC):
    """One thing to keep running."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.patience = Patience()
        self.problem = ""
        self._supposed_alive = False

    @abstractmethod
    def alive(self) -> bool: ...

    @abstractmethod
    def start(self) -> None: ...

    @abstractmethod
    def bury(self) -> None:
        """Clear what a death left behind."""

    def evidence(self) -> str:
        """Return what is known about the last death."""
        return self.problem

    def look_after(self, now: float) -> None:
        if self.alive():
            if not self._supposed_alive:  # it ran before we came
                self._note_start(now)
        elif self._supposed_alive:
            self._mourn(now)
        elif now >= self.patience.retry_at:
            self._try_start(now)

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

    def _try_start(self, now: float) -> None:
        self._note_start(now)
        self.problem = ""
        try:
            self.start()
        except (OSError, EmbeddedError) as error:
            self.problem = str(error)
            logger.warning("%s: %s", self.name, error)


class _Guest(_Charge):
    """A watched object."""

    def __init__(self, watched: Watched) -> None:
        super().__init__(type(watched).__name__)
        self._watched = watched

    def alive(self) -> bool:
        return self._watched.alive()

    def start(self) -> None:
        self._watched.start()

    def bury(self) -> None:
        """Do nothing, since its own next start clears up."""


class _Child(_Charge):
    """A service's process."""

    def __init__(self, service: Service, log_dir: Path) -> None:
        super().__init__(service.name)
        self.service = service
        self._log = log_dir / f"{service.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        # If we are killed there is nobody left to wait for a child that takes its time.
        self._process = processes.spawn(
            self.service.argv,
            log=self._log,
            death_signal=signal.SIGKILL,
            env={**os.environ, **self.service.env},
        )

    def evidence(self) -> str:
        return self.problem or "\n".join(processes.tail(self._log, EVIDENCE_LINES))

    def bury(self) -> None:
        """Kill what the process has left in its group, which may hold its port or its tasks."""
        self.kill()

    def ask_to_stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(self.service.stop_signal)

    def kill(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
