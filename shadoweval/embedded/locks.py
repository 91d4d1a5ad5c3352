"""Hold a file as a lock that the kernel drops when its last holder ends."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

POLL_S = 0.05


class FileLock:
    """Lock a file; whoever inherits `fd` holds the lock as well.

    That is the point: a lock shared with a server and all its children is free only when the last
    of them is gone, so nobody has to trust process numbers written to a file.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is opened yet."""
        self.path = path
        self.fd = -1

    def take(self, patience_s: float) -> bool:
        """Take the lock, or return False when somebody still holds it after the time given."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self.path, flags, 0o600)
        deadline = time.monotonic() + patience_s
        while not _try_lock(fd):
            if time.monotonic() > deadline:
                os.close(fd)
                return False
            time.sleep(POLL_S)
        self.fd = fd
        return True

    def note(self, pid: int) -> None:
        """Write down who uses the lock, for messages and for whoever finds it held."""
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, str(pid).encode(), 0)

    def holder(self) -> int | None:
        """Return the process noted last, which need not live any more."""
        with contextlib.suppress(OSError, ValueError):
            return int(self.path.read_text())
        return None

    def release(self) -> None:
        """Let go of the lock; a process that inherited it keeps holding it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
