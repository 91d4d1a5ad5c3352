"""Which `serve` runs on a data folder, and what became of the restart it was asked for."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from shadoweval.embedded.errors import EmbeddedError
from shadoweval.embedded.locks import FileLock
from shadoweval.supervisor import RESTART_SIGNAL

_PID = "serve.pid"
_OUTCOME = "serve.restart"
_POLL_S = 0.2
#: Who only looks holds the lock for a moment.
_LOOK_S = 1.0


class NotRunning(Exception):
    """No `serve` runs on the folder, or it ended meanwhile."""


@contextlib.contextmanager
def announced(folder: Path) -> Iterator[Callable[[str], object]]:
    """Let others find this process by its data folder while the block runs.

    Yields:
        What to call with the outcome of a restart.

    Raises:
        EmbeddedError: when another `serve` runs on the folder.
    """
    lock = FileLock(folder / _PID)
    # Whoever reads the number may signal at once, before the supervisor listens.
    before = signal.signal(RESTART_SIGNAL, signal.SIG_IGN)
    try:
        if not lock.take(_LOOK_S):
            raise EmbeddedError(f"{folder} is in use by process {lock.holder()}: stop it first.")
        lock.note(os.getpid())
        yield lambda problem: _write(folder / _OUTCOME, problem)
    finally:
        lock.release()
        signal.signal(RESTART_SIGNAL, before)


def _write(path: Path, text: str) -> None:
    """Write a file that nobody sees half written."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def pid(folder: Path) -> int:
    """Return the number of the `serve` that runs on a folder.

    Raises:
        NotRunning: when none does; a number left in the file is not trusted.
    """
    lock = FileLock(folder / _PID)
    if lock.path.exists() and not lock.take(0) and (holder := lock.holder()):
        return holder
    lock.release()
    raise NotRunning(f"No `serve` runs on {folder}.")


def restart(folder: Path, limit_s: float) -> str:
    """Ask for a restart and wait for its end; return what went wrong, "" for nothing.

    Raises:
        NotRunning: when nothing runs there, or it ended meanwhile.
        TimeoutError: when the restart has not ended in time.
    """
    outcome = folder / _OUTCOME
    outcome.unlink(missing_ok=True)
    os.kill(pid(folder), RESTART_SIGNAL)
    deadline = time.monotonic() + limit_s
    while not outcome.exists():
        pid(folder)
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(_POLL_S)
    return outcome.read_text(encoding="utf-8")
