"""Start and stop child processes that never outlive the process that started them."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from shadoweval.embedded.places import Account

LOG_BYTES = 10_000_000

_PR_SET_PDEATHSIG = 1
# Loaded here and not in the child: after the change of account the child may be unable to read a
# Python that lies in a private folder.
_prctl: Callable[..., int] | None = (
    ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None
)


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    death_signal: signal.Signals,
    env: Mapping[str, str],
    cwd: Path | None = None,
    account: Account | None = None,
    keep_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child in its own session, its output appended to a log.

    Call it from the main thread: the kernel sends the death signal when the *thread* that started
    the child ends, not when the process does. Only Linux can do it at all.

    Args:
        argv: The program and its arguments.
        log: Where stdout and stderr go; see open_log.
        death_signal: What the kernel sends the child when its parent dies, kill -9 included.
        env: The child's whole environment.
        cwd: The folder it starts in.
        account: Whom it runs as; only root may say.
        keep_fds: Files the child shares with us, such as a held lock.
    """
    with open_log(log) as output:
        return subprocess.Popen(  # noqa: S603 - callers run programs of their own choosing
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=env,
            cwd=cwd,
            start_new_session=True,
            pass_fds=keep_fds,
            **bound_to_us(death_signal, account),
        )


def bound_to_us(death_signal: signal.Signals, account: Account | None) -> dict[str, Any]:
    """Return the options of a subprocess that runs as an account and dies with us."""
    options: dict[str, Any] = {"preexec_fn": die_with_parent(death_signal)}
    if account is not None:
        options |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return options


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """Return what a child must do before exec to get a signal when its parent dies.

    It has to run after the change of account, which clears the request; subprocess does it so.
    """
    if _prctl is None:
        return None
    prctl, parent = _prctl, os.getpid()

    def request() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        # The parent may have died before the request was made; then nobody would send anything.
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return request


def stop(process: subprocess.Popen[bytes], steps: Iterable[tuple[signal.Signals, float]]) -> None:
    """Send one signal after the other, each with its time in seconds, until the process ends."""
    for step, patience_s in steps:
        if process.poll() is not None:
            return
        process.send_signal(step)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)


def command_line(pid: int) -> str:
    """Return the arguments of a process, empty if there is no such process or it is a zombie."""
    with contextlib.suppress(OSError):
        listing = subprocess.run(  # noqa: S603 - nothing of it comes from outside
            ["ps", "-ww", "-o", "args=", "-p", str(pid)],  # noqa: S607 - it lies elsewhere on macOS
            capture_output=True,
            text=True,
            check=False,
        )
        return listing.stdout.strip()
    return ""


def open_log(path: Path) -> BinaryIO:
    """Open a log for appending, readable by us alone; one that has grown large is set aside.

    At most one older log is kept, as <name>.1.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size > LOG_BYTES:
            path.replace(path.with_name(f"{path.name}.1"))
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    return os.fdopen(os.open(path, flags, 0o600), "ab")


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a log, as many as there are."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - lines * 1000))
            return log.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
