"""Run everything on one machine: private servers, web, worker and beat, under one supervisor."""

from __future__ import annotations

import contextlib
import signal
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from shadoweval import embedded, firststart, reach, running
from shadoweval.charges import Service, ServiceGaveUp
from shadoweval.embedded import EmbeddedError
from shadoweval.schedule import INDEXING_QUEUE, JUDGING_QUEUE, TRAINING_QUEUE
from shadoweval.supervisor import Supervisor

_READY_WITHIN_S = 120
#: The worker computes while nobody waits: on a shared machine replies go first.
_WORKER_NICE = 10
#: Trainings give way to shadow calls, too. Indexing does not: people wait for what they uploaded,
#: and a process that stands back further hardly gets to start on a busy machine.
_TRAINER_NICE, _INDEXER_NICE = 15, 5


class Command(BaseCommand):
    """`manage.py serve`."""

    help = "Run Postgres and Redis (unless their URLs are set), web, worker and beat until Ctrl-C."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            _check_folder(settings.VAR_DIR)
            with _listener(settings.HOST, settings.PORT) as listener, _servers() as servers:
                _check_database()
                self._run(listener, servers)
        except (EmbeddedError, ServiceGaveUp) as exc:
            raise CommandError(str(exc)) from exc

    def _run(
        self, listener: socket.socket, servers: list[embedded.Postgres | embedded.Valkey]
    ) -> None:
        firststart.keep_secret_key()
        settings.STATIC_ROOT.mkdir(exist_ok=True)  # whoever serves files looks into it
        call_command("migrate", interactive=False, verbosity=0)
        is_first = not (settings.VAR_DIR / firststart.NOTE).exists()
        if is_first:
            self.stdout.write("First start: fitting the starter router, a minute or two …")
        note = firststart.prepare()
        connections.close_all()
        greeting = threading.Thread(target=self._greet, args=(note, is_first), daemon=True)
        greeting.start()
        with running.announced(settings.VAR_DIR) as on_restarted:
            logs = settings.VAR_DIR / "logs"
            # Our copy of the socket must not outlive the web processes': the kernel would go on
            # accepting for nobody.
            Supervisor(
                _services(listener), logs, servers, on_restarted, on_stopping=listener.close
            ).run()
        self.stdout.write("Stopped.")

    def _greet(self, note: Path, is_first: bool) -> None:
        """Print where to go, once the web process answers."""
        if not _answers(f"http://{settings.HOST}:{settings.PORT}/healthz"):
            return
        lines = ["", f"Shadoweval is ready: {settings.PUBLIC_URL}", ""]
        if is_first and note.exists():
            lines += [
                note.read_text(encoding="utf-8"),
                f"This is kept in {note} (only you can read it).",
            ]
        elif note.exists():
            lines.append(
                f"Logins and the API key were printed at the first start and are in {note}."
            )
        else:
            lines.append("People and keys are in the database; add more on the Settings page.")
        if settings.SHADOWEVAL_SIMULATED:
            lines.append("No ANTHROPIC_API_KEY is set: answers are simulated, and say so.")
        lines += [f"Logs: {settings.VAR_DIR / 'logs'}. Ctrl-C stops everything.", ""]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as exc:
        raise CommandError(
            f"{folder} cannot be written ({exc.strerror}): set SHADOWEVAL_VAR to another folder."
        ) from exc


def _listener(host: str, port: int) -> socket.socket:
    """Return the socket that all web processes accept from; they begin to listen on it.

    It is ours, so what waits in its queue is there for whichever process lives.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        raise CommandError(
            f"Port {port} on {host} cannot be used ({exc.strerror}): "
            "stop what holds it, or set SHADOWEVAL_PORT to another."
        ) from exc
    listener.setblocking(False)
    return listener


def _check_database() -> None:
    if problem := reach.database_problem():
        raise CommandError(f"The database cannot be used: {problem}. Check DATABASE_URL.")


@contextlib.contextmanager
def _servers() -> Iterator[list[embedded.Postgres | embedded.Valkey]]:
    """Own the private servers that are needed; the URLs that are set replace them."""
    with contextlib.ExitStack() as stack:
        servers: list[embedded.Postgres | embedded.Valkey] = []
        if settings.EMBEDDED_POSTGRES:
            postgres = stack.enter_context(embedded.Postgres(settings.POSTGRES_DIR))
            postgres.ensure_database()
            servers.append(postgres)
        if settings.EMBEDDED_REDIS:
            servers.append(stack.enter_context(embedded.Valkey(settings.VALKEY_DIR)))
        yield servers


def _services(listener: socket.socket) -> list[Service]:
    python = sys.executable
    celery = [python, "-m", "celery", "-A", "shadoweval"]
    schedule = str(settings.VAR_DIR / "beat-schedule")
    return [
        Service(
            "web",
            [python, "-m", "shadoweval.web", "--fd", str(listener.fileno())],
            stop_timeout_s=60,  # 30 s for open replies, 20 s to record them
            count=settings.WEB_PROCESSES,
            keep_fds=[listener.fileno()],
            ready_timeout_s=_READY_WITHIN_S,
        ),
        Service(
            "worker",
            [*celery, "worker", "--queues", f"celery,{JUDGING_QUEUE}"]
            + ["--pool", "threads", "--concurrency", "2", "-l", "warning"],
            stop_timeout_s=60,  # the shadow calls in hand are paid for: let most of them end
            nice=_WORKER_NICE,
        ),
        # A training stops at its next step and begins anew later; so does an upload, where it was.
        _apart(celery, "trainer", TRAINING_QUEUE, 1, _TRAINER_NICE),
        _apart(celery, "indexer", INDEXING_QUEUE, 2, _INDEXER_NICE),
        Service(
            "beat",
            [*celery, "beat", "-l", "warning", "--schedule", schedule],
            stop_signal=signal.SIGINT,
        ),
    ]


def _apart(celery: list[str], name: str, queue: str, hands: int, nice: int) -> Service:
    """Return a worker of what computes for minutes, so that no shadow call waits for it."""
    own = ["--queues", queue, "--hostname", f"{name}@%h", "--pool", "threads"]
    command = [*celery, "worker", *own, "--concurrency", str(hands), "-l", "warning"]
    return Service(name, command, stop_timeout_s=30, nice=nice)


def _answers(url: str) -> bool:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(url, timeout=2),  # noqa: S310 - our own address
        ):
            return True
        time.sleep(0.2)
    return False
