"""Postgres, Valkey, web, worker and beat as processes that can be stopped, killed and restarted."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from shadoweval import embedded
from shadoweval.embedded import processes

ROOT = Path(__file__).parents[2]
ATTEMPTS = 5
#: A shadow call gets this long; a dead worker's jobs are free a minute after that.
SHADOW_TIMEOUT_S = 8

_END_LEASES = """
UPDATE routing_shadowjob SET lease_until = now() WHERE project_id = %s AND state = 'running'
RETURNING id
"""

T = TypeVar("T")


def eventually(condition: Callable[[], T], limit_s: float, what: str) -> T:
    """Wait until the condition holds and return what it gave."""
    end = time.monotonic() + limit_s
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {limit_s:g} s: {what}"
        time.sleep(0.05)
    return value


@dataclass(frozen=True)
class Account:
    """A project of one scenario: its number in the database and a key."""

    project: int
    key: str


class Stack:
    """The whole service on servers of its own, as `manage.py serve` would run it.

    Make it in the main thread: its children die with the thread that started them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "logs"
        # Durable as in earnest: what was committed must survive the kills.
        self.postgres = embedded.Postgres(folder / "postgres")
        self.valkey = embedded.Valkey(folder / "valkey")
        self.url = f"http://127.0.0.1:{_free_port()}"
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def database_url(self) -> str:
        """Where the rows are."""
        return embedded.postgres_url(self.folder / "postgres")

    def environment(self) -> dict[str, str]:
        """What all processes are told."""
        kept = {"PATH", "LD_LIBRARY_PATH", "HOME", "LANG", "TMPDIR", "SHADOWEVAL_MODELS"}
        return {name: os.environ[name] for name in kept if name in os.environ} | {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": embedded.redis_url(self.folder / "valkey"),
            "SHADOWEVAL_VAR": str(self.folder / "var"),
            "SHADOWEVAL_SECRET_KEY": "only-for-tests",
            "SHADOWEVAL_SHADOW_TIMEOUT_S": str(SHADOW_TIMEOUT_S),
            "SHADOWEVAL_SHADOW_ATTEMPTS": str(ATTEMPTS),
            "SHADOWEVAL_SHADOW_CONCURRENCY": "200",
            "SHADOWEVAL_SHADOW_LANE_CONCURRENCY": "200",
            "PYTHONUNBUFFERED": "1",
        }

    # --- the servers

    def open(self) -> None:
        """Start the servers and write the tables."""
        (self.folder / "var" / "static").mkdir(parents=True, exist_ok=True)
        self.postgres.start()
        self.postgres.ensure_database()
        self.valkey.start()
        self.program("manage.py", "migrate", "--verbosity", "0")
        self.account("first", "http://127.0.0.1:1")  # web loads the router when it starts

    def close(self) -> None:
        """End everything."""
        for name in list(self._running):
            self.kill(name)
        self.valkey.stop()
        self.postgres.stop()

    def signal_postgres(self, number: signal.Signals) -> None:
        """Send a signal to Postgres and wait until it has ended: SIGINT, SIGQUIT or SIGKILL."""
        _end(self.postgres, number)

    def kill_valkey(self) -> None:
        """Kill Valkey and forget all that it kept."""
        _end(self.valkey, signal.SIGKILL)
        shutil.rmtree(self.valkey.place.servers / "appendonlydir", ignore_errors=True)

    # --- the processes

    def program(self, *argv: str) -> str:
        """Run a program of the checkout to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, *argv],
            cwd=ROOT,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def start(
        self,
        name: str,
        env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        log: str = "",
    ) -> None:
        """Start web, worker or beat.

        Args:
            name: of the process.
            env: what it is told beside the rest.
            before: a program that runs it.
            log: the name of its log, when that is not the process's.
        """
        self._running[name] = processes.spawn(
            [*before, *self._argv(name)],
            log=self.logs / f"{log or name}.log",
            death_signal=signal.SIGKILL,
            env=self.environment() | (env or {}),
            cwd=ROOT,
        )

    def wait_for_web(self) -> None:
        """Wait until the web process answers."""
        eventually(self._is_ready, 120, "web answers")

    def kill(self, name: str) -> None:
        """Kill a process as the kernel would when memory is short."""
        process = self._running.pop(name)
        process.kill()
        process.wait(10)

    def stop(self, name: str) -> int:
        """Ask a process to end and return its code."""
        process = self._running.pop(name)
        process.terminate()
        return process.wait(90)

    def ensure(self, *names: str) -> None:
        """Start what does not run, the servers first, and wait until web answers."""
        self.postgres.start()
        self.valkey.start()
        for name in names:
            process = self._running.get(name)
            if process is None or process.poll() is not None:
                self.start(name)
        self.wait_for_web()

    def log(self, name: str) -> str:
        """Return what a process has said."""
        path = self.logs / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _argv(self, name: str) -> list[str]:
        host, port = self.url.removeprefix("http://").split(":")
        celery = [sys.executable, "-m", "celery", "-A", "shadoweval"]
        if name == "worker":
            return [*celery, "worker", "--pool", "threads", "--concurrency", "2", "-l", "warning"]
        if name == "beat":
            schedule = str(self.folder / "var" / "beat-schedule")
            return [*celery, "beat", "-l", "warning", "--schedule", schedule]
        return [sys.executable, "-m", "shadoweval.web", "--host", host, "--port", port]

    def _is_ready(self) -> bool:
        process = self._running["web"]
        assert process.poll() is None, self.log("web")[-2000:]
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{self.url}/healthz", timeout=2),
        ):
            return True
        return False

    # --- the rows

    def account(self, name: str, provider_url: str, cap_usd: str = "") -> Account:
        """Write a project whose tiers ask the provider, and return its number and key."""
        said = {"name": name, "url": provider_url, "cap_usd": cap_usd}
        printed = self.program("-m", "tests.chaos.prepare", json.dumps(said))
        return Account(**json.loads(printed.splitlines()[-1]))

    def accepts(self, key: str) -> bool:
        """Tell whether the web process knows a key."""
        request = urllib.request.Request(f"{self.url}/v1/models", headers={"x-api-key": key})
        with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request):
            return True
        return False

    def rows(self, query: str, *values: Any) -> list[tuple]:
        """Return what a query finds."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(query, values).fetchall()

    def end_leases(self, project: int) -> int:
        """Let the minute pass that a lost job's lease lasts; return how many were running."""
        return len(self.rows(_END_LEASES, project))


def _end(server: embedded.Postgres | embedded.Valkey, number: signal.Signals) -> None:
    process = server._process
    process.send_signal(number)
    process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
