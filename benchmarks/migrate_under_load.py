"""Upgrade a database under load: the old release serves, the new one migrates and takes over.

Builds the old release from git, fills its schema with rows, sends requests all the while, migrates
with this checkout, starts its web process on the same socket, ends the old one, and counts: failed
requests, records that are missing, how long anybody waited for a lock.
Run: .venv/bin/python -m benchmarks.migrate_under_load [--old COMMIT] [--rows N] [--rate PER_S]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psycopg

from shadoweval import embedded

ROOT = Path(__file__).resolve().parent.parent
#: The last commit with the first schema: routing 0001, reviews 0001.
FIRST = "9cd6705"
_UP_S, _DRAIN_S = 180, 90
_PROJECT = """
import django; django.setup()
from routing import access, bootstrap
from routing.models import RouterVersion
says = b'{"value": 0.25}'
import hashlib
row = RouterVersion.objects.create(name="load", kind="constant", embedder="", artifact=says,
    sha256=hashlib.sha256(says).hexdigest(), is_starter=True)
print(access.create_key(bootstrap.ensure_project("default", "Default", row), "load")[0])
"""
#: Python that starts in the old tree must not find this one's modules where it has none.
_APART = """
import sys
sys.meta_path[:] = [x for x in sys.meta_path if "Editable" not in getattr(x, "__name__", "")]
"""
#: Rows of the first schema; later releases have a script of their own.
ROWS = (
    "CREATE TEMP TABLE plan AS SELECT i, gen_random_uuid() AS id, "
    "now() - interval '20 days' * (1 - i::float8 / {n}) AS at, "
    "left(repeat(md5(i::text) || ' what is due when? ', 8), 300) AS words, "
    "(SELECT max(id) FROM routing_project) AS project, (SELECT max(id) FROM routing_policy) AS "
    "policy, (SELECT max(id) FROM routing_routerversion) AS router FROM generate_series(1, {n}) i",
    "INSERT INTO routing_request (id, project_id, received_at, wire, asked_model, payload, query, "
    "task, metadata, status, error, overhead_ms, latency_ms) SELECT id, project, at, 'anthropic', "
    "'auto', jsonb_build_object('max_tokens', 512, 'messages', jsonb_build_array("
    "jsonb_build_object('role', 'user', 'content', words))), words, 'chat', '{{}}', 200, '', 1.5, "
    "900 FROM plan",
    "INSERT INTO routing_decision (request_id, policy_id, tier, reason, rule, score, threshold) "
    "SELECT id, policy, 'expensive', 'at_or_above_threshold', '', 0.5, 0 FROM plan",
    "INSERT INTO routing_completion (id, request_id, tier, is_shadow, provider, model, text, body, "
    "stop_reason, input_tokens, output_tokens, cost_usd, latency_ms, created_at) SELECT "
    "2 * i + side, id, CASE WHEN side = 0 THEN 'expensive' ELSE 'cheap' END, side = 1, "
    "'simulated', 'm', words, '{{}}', 'end_turn', 50, 100, 0.001, 900, at "
    "FROM plan, (VALUES (0), (1)) AS sides (side)",
    "SELECT setval('routing_completion_id_seq', max(id)) FROM routing_completion",
    "INSERT INTO routing_shadowjob (request_id, project_id, tier, rate, state, reason, attempts, "
    "not_before, created_at, finished_at) SELECT id, project, 'cheap', 1, 'done', '', 1, at, at, "
    "at FROM plan",
    "INSERT INTO routing_shadowpair (request_id, project_id, cheap_id, expensive_id, score, task, "
    "router_id, rate, created_at) SELECT id, project, 2 * i + 1, 2 * i, 0.5, 'chat', router, 1, at "
    "FROM plan",
)

#: A request counts as recorded with its decision, its answer and its shadow job.
_WHOLE = """
SELECT count(*) FROM routing_request AS request
WHERE EXISTS (SELECT FROM routing_decision WHERE request_id = request.id)
AND EXISTS (SELECT FROM routing_completion WHERE request_id = request.id AND NOT is_shadow)
AND EXISTS (SELECT FROM routing_shadowjob WHERE request_id = request.id)
"""


@dataclass
class Outcome:
    """What the upgrade did; times in seconds."""

    rows: int
    sent: int = 0
    failed: list[str] = field(default_factory=list)
    recorded: int = 0
    migrate_s: float = 0.0
    slowest_s: float = 0.0
    longest_lock_s: float = 0.0
    locked: str = ""


class Upgrade:
    """One upgrade on servers of its own; make it in the main thread."""

    def __init__(self, folder: Path, old: str, rows: int, rate: float) -> None:
        self.folder, self.old, self.rate = folder, folder / "old", rate
        self.outcome = Outcome(rows)
        self._commit = old
        self._stop = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.listener.setblocking(False)

    @property
    def url(self) -> str:
        """Where the load goes."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def run(self) -> Outcome:
        """Do all of it."""
        with contextlib.ExitStack() as stack:
            postgres = stack.enter_context(embedded.Postgres(self.folder / "postgres"))
            postgres.ensure_database()
            stack.enter_context(embedded.Valkey(self.folder / "valkey"))
            self._say(f"the old release ({self._commit}) and its rows")
            key = self._prepare()
            before = self._web(self.old)
            stack.callback(before.kill)
            self._wait_ready()
            load = threading.Thread(target=lambda: asyncio.run(self._load(key)))
            watch = threading.Thread(target=self._watch_locks)
            load.start(), watch.start()
            time.sleep(3)
            self._say("migrating under load")
            begun = time.monotonic()
            self._manage(ROOT, "migrate", "--verbosity=0")
            self.outcome.migrate_s = time.monotonic() - begun
            time.sleep(2)
            self._say("the new release takes over")
            after = self._web(ROOT)
            stack.callback(after.kill)
            self._wait_loaded(after)
            before.send_signal(signal.SIGTERM)
            before.wait(_DRAIN_S)
            time.sleep(3)
            self._stop.set()
            load.join(), watch.join()
            after.send_signal(signal.SIGTERM)
            after.wait(_DRAIN_S)
            self.outcome.recorded = self._count() - self.outcome.rows
        return self.outcome

    def _prepare(self) -> str:
        packed = subprocess.run(
            ["git", "archive", self._commit], cwd=ROOT, capture_output=True, check=True
        ).stdout
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            tar.extractall(self.old, filter="data")
        (self.folder / "apart").mkdir()
        (self.folder / "apart" / "sitecustomize.py").write_text(_APART)
        self._manage(self.old, "migrate", "--verbosity=0")
        key = self._python(self.old, "-c", _PROJECT).strip().splitlines()[-1]
        self._fill()
        return key

    def _fill(self) -> None:
        if (self.old / "benchmarks" / "rows.py").exists():
            self._python(self.old, "benchmarks/rows.py", str(self.outcome.rows), "1000")
            return
        with psycopg.connect(self._environment()["DATABASE_URL"]) as connection:
            for statement in ROWS:
                connection.execute(statement.format(n=self.outcome.rows))

    def _web(self, tree: Path) -> subprocess.Popen[bytes]:
        fd = self.listener.fileno()
        module = ["shadoweval.web"] if (tree / "shadoweval" / "web.py").exists() else []
        module = module or ["uvicorn", "shadoweval.asgi:application", "--log-level", "warning"]
        log = (self.folder / ("new.log" if tree == ROOT else "old.log")).open("ab")
        return subprocess.Popen(
            [sys.executable, "-m", *module, "--fd", str(fd)],
            cwd=tree, env=self._environment(tree), pass_fds=[fd], stdout=log, stderr=log,
        )  # fmt: skip

    def _wait_ready(self) -> None:
        end = time.monotonic() + _UP_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/healthz", timeout=30)
                return
            time.sleep(0.1)
        raise SystemExit((self.folder / "old.log").read_text()[-2000:])

    def _wait_loaded(self, process: subprocess.Popen[bytes]) -> None:
        """Give the new process time to load; it accepts on the same socket as the old one."""
        time.sleep(15)
        if process.poll() is not None:
            raise SystemExit((self.folder / "new.log").read_text()[-2000:])

    async def _load(self, key: str) -> None:
        """Send requests at a steady rate, each on a connection of its own."""
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        async with aiohttp.ClientSession(connector=connector, headers={"x-api-key": key}) as client:
            tasks = []
            begun = time.monotonic()
            while not self._stop.is_set():
                tasks.append(asyncio.create_task(self._one(client)))
                due = begun + len(tasks) / self.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            await asyncio.gather(*tasks)

    async def _one(self, client: aiohttp.ClientSession) -> None:
        self.outcome.sent += 1
        said = {"model": "auto", "max_tokens": 20, "messages": [{"role": "user", "content": "Hi?"}]}
        begun = time.monotonic()
        try:
            async with client.post(f"{self.url}/v1/messages", json=said, timeout=60) as reply:
                body = await reply.text()
                if reply.status != 200:
                    self.outcome.failed.append(f"{reply.status}: {body[:200]}")
        except Exception as exc:
            self.outcome.failed.append(type(exc).__name__)
        self.outcome.slowest_s = max(self.outcome.slowest_s, time.monotonic() - begun)

    def _watch_locks(self) -> None:
        asked = """SELECT extract(epoch FROM clock_timestamp() - query_start)::float8, query
            FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
            ORDER BY 1 DESC LIMIT 1"""
        url = self._environment()["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as connection:
            while not self._stop.is_set():
                longest = connection.execute(asked).fetchone()
                if longest and longest[0] > self.outcome.longest_lock_s:
                    self.outcome.longest_lock_s, self.outcome.locked = longest[0], longest[1][:60]
                time.sleep(0.02)

    def _count(self) -> int:
        with psycopg.connect(self._environment()["DATABASE_URL"]) as connection:
            row = connection.execute(_WHOLE).fetchone()
            return row[0] if row else 0

    def _manage(self, tree: Path, *command: str) -> None:
        self._python(tree, "manage.py", *command)

    def _python(self, tree: Path, *command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tree, env=self._environment(tree), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{' '.join(command)[:60]}: {done.stderr[-1500:]}")
        return done.stdout

    def _environment(self, tree: Path = ROOT) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        apart = {} if tree == ROOT else {"PYTHONPATH": str(self.folder / "apart")}
        return (
            kept
            | apart
            | {
                "DATABASE_URL": embedded.postgres_url(self.folder / "postgres"),
                "REDIS_URL": embedded.redis_url(self.folder / "valkey"),
                "DJANGO_SETTINGS_MODULE": "shadoweval.settings",
                "SHADOWEVAL_MODELS": os.environ.get("SHADOWEVAL_MODELS", str(ROOT / ".models")),
                "SHADOWEVAL_VAR": str(self.folder / "var"),
                "SHADOWEVAL_SECRET_KEY": "only-for-this",
            }
        )

    def _say(self, step: str) -> None:
        print(f"  {step} ...", file=sys.stderr, flush=True)


def upgrade(old: str = FIRST, rows: int = 100_000, rate: float = 20.0) -> Outcome:
    """Upgrade once in a folder of its own."""
    folder = Path(tempfile.mkdtemp(prefix="shadoweval-upgrade-"))
    folder.chmod(0o755)  # as root, the database's own account must get through
    try:
        return Upgrade(folder, old, rows, rate).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Print the outcome; fail when a request failed or a record is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", default=FIRST)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=20.0)
    outcome = upgrade(**vars(parser.parse_args()))
    print(json.dumps(vars(outcome), indent=1))
    if outcome.failed or outcome.recorded != outcome.sent:
        raise SystemExit("something was lost")


if __name__ == "__main__":
    main()
