"""Everything that the benchmarks run: private servers, the stand-in, web and worker.

Each is a process of its own; web and worker are started by the command lines of `serve`. What they
say goes to files that are thrown away, their last lines are shown when one of them dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "benchmarks"
_UP_WITHIN_S = 120


@dataclass(frozen=True)
class Cost:
    """CPU of one process and its children since it started, ms."""

    ms: float

    @classmethod
    def of(cls, pid: int) -> Cost:
        """Read it; children that ended are counted by their parent once it has waited for them."""
        process = psutil.Process(pid)
        times = [process.cpu_times()]
        own_s = times[0].user + times[0].system
        total_s = own_s + times[0].children_user + times[0].children_system
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                used = child.cpu_times()
                total_s += used.user + used.system + used.children_user + used.children_system
        return cls(total_s * 1000)


@dataclass(frozen=True)
class Memory:
    """Memory of a process and its children, MB; shared pages count in part in `pss`."""

    rss: float
    pss: float

    @classmethod
    def of(cls, pid: int) -> Memory:
        """Read it."""
        process = psutil.Process(pid)
        found = [process.memory_full_info()]
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                found.append(child.memory_full_info())
        return cls(sum(m.rss for m in found) / 1e6, sum(m.pss for m in found) / 1e6)


@dataclass
class Plant:
    """What runs now.

    Attributes:
        pids: by name: web, worker, postgres, valkey, standin.
        provider_url: where the stand-in listens.
        url: where the web process does.
    """

    place: Path
    provider_url: str
    url: str
    pids: dict[str, int]
    _processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """Start `web` or `worker` as `serve` does; web is waited for until it answers."""
        from shadoweval.charges import stand_back
        from shadoweval.embedded import processes

        argv, nice = _command(name)
        log = self.place / f"{name}.log"
        with log.open("ab") as output:
            self._processes[name] = subprocess.Popen(
                argv,
                cwd=ROOT,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=processes.die_with_parent(signal.SIGKILL),
            )
        self.pids[name] = self._processes[name].pid
        stand_back(self.pids[name], nice)
        if name == "web":
            self._until_up()

    def stop(self, name: str) -> None:
        """Stop one gently; does nothing when it does not run."""
        process = self._processes.pop(name, None)
        self.pids.pop(name, None)
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def costs(self) -> dict[str, float]:
        """Return what each process has used so far, CPU ms."""
        self.check()
        return {name: Cost.of(pid).ms for name, pid in self.pids.items()}

    def check(self) -> None:
        """End the benchmark when something died."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise SystemExit(f"{name} ended with {process.returncode}:\n{self.said(name)}")

    def said(self, name: str, lines: int = 15) -> str:
        """Return the last lines of a process."""
        return "\n".join((self.place / f"{name}.log").read_text().splitlines()[-lines:])

    def load(self, url: str, key: str, **options: object) -> dict:
        """Run the load generator and return what it found."""
        words = [f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
                 for name, value in options.items() if value not in (None, False)]  # fmt: skip
        argv = [sys.executable, str(HERE / "load.py"), url, "--key", key, *words]
        run = subprocess.run(argv, capture_output=True, text=True, check=False)
        if run.returncode:
            raise SystemExit(f"the load generator failed:\n{run.stderr[-2000:]}")
        got = json.loads(run.stdout)
        if not got["good"]:
            raise SystemExit(f"no good reply from {url}: {got['errors']}")
        return got

    def _until_up(self) -> None:
        deadline = time.monotonic() + _UP_WITHIN_S
        while time.monotonic() < deadline:
            self.check()
            with (
                contextlib.suppress(urllib.error.URLError, OSError),
                urllib.request.urlopen(f"{self.url}/healthz", timeout=2),
            ):
                return
            time.sleep(0.1)
        raise SystemExit(f"the web process did not start:\n{self.said('web')}")


def _command(name: str) -> tuple[list[str], int]:
    """Return the command line by which `serve` starts a service, and its niceness."""
    from django.conf import settings

    from shadoweval.management.commands import serve

    # Whatever `serve` runs is what is measured: its own list, though it is private.
    with socket.socket() as unused:
        (service,) = (one for one in serve._services(unused) if one.name == name)
    argv = [str(word) for word in service.argv]
    if "--fd" in argv:  # nobody here holds a socket for it
        argv = [*argv[: argv.index("--fd")], "--host", "127.0.0.1", "--port", str(settings.PORT)]
    return argv, service.nice


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(delay_ms: float = 100.0) -> Iterator[Plant]:
    """Run Postgres (durable, as in production), Valkey and the stand-in; set Django up."""
    sys.path.insert(0, str(ROOT))
    from shadoweval import embedded

    # Told to stop, the benchmark must still stop what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="shadoweval-bench-"))
        place, port = Path(folder), free_port()
        place.chmod(0o755)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "shadoweval.settings",
            "SHADOWEVAL_VAR": str(place / "var"),
            "SHADOWEVAL_SECRET_KEY": "only-for-benchmarks",
            "SHADOWEVAL_PORT": str(port),
            "SHADOWEVAL_LOG_LEVEL": "WARNING",
            "DATABASE_URL": embedded.postgres_url(place / "postgres"),
            "REDIS_URL": embedded.redis_url(place / "valkey"),
        }
        (place / "var" / "static").mkdir(parents=True)
        postgres = stack.enter_context(embedded.Postgres(place / "postgres"))
        valkey = stack.enter_context(embedded.Valkey(place / "valkey"))
        postgres.ensure_database()
        standin = stack.enter_context(_standin(delay_ms))
        pids = {
            "postgres": postgres._process.pid,
            "valkey": valkey._process.pid,
            "standin": standin.pid,
        }
        provider_url = f"http://127.0.0.1:{int(standin.stdout.readline())}"
        plant = Plant(place, provider_url, f"http://127.0.0.1:{port}", pids)
        for name in ("worker", "web"):
            stack.callback(plant.stop, name)
        _set_up_django()
        yield plant


@contextlib.contextmanager
def _standin(delay_ms: float) -> Iterator[subprocess.Popen]:
    argv = [sys.executable, str(HERE / "standin.py"), "--delay-ms", str(delay_ms)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _set_up_django() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def machine() -> str:
    """Name cores, CPU and Python."""
    import platform

    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    load = ", ".join(f"{average:.2f}" for average in os.getloadavg())
    return (
        f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}; load before {load}"
    )
