import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
PATIENCE_S = 60.0


@pytest.fixture
def root() -> Iterator[Path]:
    """Give a root folder that an ordinary account can enter; pytest's own is closed to it."""
    base = Path(tempfile.mkdtemp(prefix="shadoweval-test-"))
    base.chmod(0o755)
    yield base / "var"
    shutil.rmtree(base)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)

    return wait


@pytest.fixture
def running() -> Callable[[Path], list[str]]:
    """List commands of living processes that name a folder; zombies have no command."""

    def commands(folder: Path) -> list[str]:
        listing = subprocess.run(
            ["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True
        )
        return [line for line in listing.stdout.splitlines() if str(folder) in line]

    return commands


#: The tests may run under nohup, which children inherit.
_HANGS_UP = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"


class Script:
    """A Python program of its own; it reads its folder from the environment.

    So the folder is not among its arguments, and `running` sees only what it has started.
    """

    def __init__(self, source: str, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", f"{_HANGS_UP}{source}"],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "FOLDER": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def expect(self, line: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == line

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as kill -9 does: nothing is cleaned up."""
        self.process.kill()
        self.process.communicate()

    def finish(self) -> tuple[int, str]:
        _, errors = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, errors


@pytest.fixture
def script() -> Iterator[Callable[[str, Path], Script]]:
    started: list[Script] = []

    def start(source: str, folder: Path) -> Script:
        started.append(Script(source, folder))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.kill()
