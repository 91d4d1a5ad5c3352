"""Keep the processes of one machine running: start, watch, restart, stop.

The supervisor knows nothing of what it runs. Services are child processes. Watched objects, such as
the private servers, start themselves and are only asked whether they live; whoever made them stops
them, after the services that use them.
"""

import contextlib
import logging
import signal
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path

from shadoweval.charges import Child, Guest, Service, Watched

POLL_S = 0.1
#: Asks for a restart of all services. SIGHUP stays a stop: a terminal sends it when it closes.
RESTART_SIGNAL = signal.SIGUSR2

logger = logging.getLogger(__name__)


class Supervisor:
    """Run services and watched objects until a signal comes or one of them gives up."""

    def __init__(
        self,
        commands: Sequence[Service],
        log_dir: Path,
        watched: Sequence[Watched] = (),
        on_restarted: Callable[[str], object] = lambda problem: None,
        on_stopping: Callable[[], object] = lambda: None,
    ) -> None:
        """Name what to run.

        Args:
            commands: Started in this order, stopped in the reverse one.
            log_dir: Gets one <name>.log for each service.
            watched: Looked after before the services.
            on_restarted: Called at the end of a restart with what went wrong, "" for nothing.
            on_stopping: Called when the end begins, before anything is stopped.
        """
        self._services = list(commands)
        self._log_dir = log_dir
        self._guests = [Guest(each) for each in watched]
        self._children = [
            Child(service, log_dir) for service in commands for _ in range(service.count)
        ]
        self._on_restarted = on_restarted
        self._on_stopping = on_stopping
        #: Processes beside the regular ones: they come up, or they finish.
        self._passing: list[Child] = []
        self._restart: Generator[None, None, str] | None = None
        self._restart_wanted = False
        self._signals = 0

    def run(self) -> None:
        """Run everything; return after SIGINT, SIGTERM or SIGHUP, when all services have stopped.

        A second signal kills at once what has not stopped yet. SIGUSR2 replaces the processes of
        all services, one after the other. Call it from the main thread.

        Raises:
            ServiceGaveUp: Something died TRIAL_DEATHS times within TRIAL_S of its first start.
        """
        with self._counted_signals():
            try:
                while not self._signals:
                    self._look_after_all()
                    self._go_on_restarting()
                    time.sleep(POLL_S)
            finally:
                logger.info("Stopping; press Ctrl-C again to hurry")
                self._on_stopping()
                for service in reversed(self._services):
                    self._stop(service)

    def _look_after_all(self) -> None:
        for charge in (*self._guests, *self._children):
            if charge not in self._passing:
                charge.look_after(time.monotonic())

    def _stop(self, service: Service) -> None:
        everyone = (*self._children, *self._passing)
        children = [child for child in everyone if child.service is service]
        for child in children:
            child.ask_to_stop()
        deadline = time.monotonic() + service.stop_timeout_s
        while any(child.alive() for child in children) and time.monotonic() < deadline:
            if self._signals > 1:
                break
            time.sleep(POLL_S)
        for child in children:
            child.kill()

    def _go_on_restarting(self) -> None:
        """Take a restart one step further; one that is asked for meanwhile comes afterwards."""
        if self._restart is None and self._restart_wanted:
            self._restart_wanted = False
            logger.info("Restarting, one process after the other")
            self._restart = self._restarted()
        if self._restart is None:
            return
        try:
            next(self._restart)
        except StopIteration as end:
            self._restart = None
            logger.log(logging.ERROR if end.value else logging.INFO, end.value or "Restarted")
            self._on_restarted(end.value)

    def _restarted(self) -> Generator[None, None, str]:
        """Replace every process; return what went wrong. Yields while it waits."""
        for place, old in enumerate(self._children):
            new = Child(old.service, self._log_dir, old.patience)
            if old.service.ready_timeout_s is None:
                yield from self._finish(old)
                self._children[place] = new  # the next look starts it
            elif (yield from self._comes_up(new, old.service.ready_timeout_s)):
                self._children[place] = new
                yield from self._finish(old)
            else:
                return _not_up(new)
        return ""

    def _comes_up(self, new: Child, within_s: float) -> Generator[None, None, bool]:
        """Start a process beside its predecessor; return whether it got ready."""
        self._passing.append(new)
        new.try_start(time.monotonic())
        deadline = time.monotonic() + within_s
        is_ready = False
        while not is_ready and new.alive() and time.monotonic() < deadline:
            yield
            is_ready = new.is_ready()
        self._passing.remove(new)
        if not is_ready:
            new.kill()
        return is_ready

    def _finish(self, old: Child) -> Generator[None, None, None]:
        """Ask a process to finish and wait for it; it is not started again."""
        self._passing.append(old)
        old.ask_to_stop()
        deadline = time.monotonic() + old.service.stop_timeout_s
        while old.alive() and time.monotonic() < deadline:
            yield
        old.kill()
        self._passing.remove(old)

    @contextlib.contextmanager
    def _counted_signals(self) -> Iterator[None]:
        def count(number: int, frame: object) -> None:
            self._signals += 1

        def want_restart(number: int, frame: object) -> None:
            self._restart_wanted = True

        handlers = dict.fromkeys([signal.SIGINT, signal.SIGTERM], count)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
            handlers[signal.SIGHUP] = count
        handlers[RESTART_SIGNAL] = want_restart
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _not_up(new: Child) -> str:
    return (
        f"the new {new.name} process did not get ready, so the old one goes on and the restart "
        f"ends here; its last lines:\n{new.evidence()}"
    )
