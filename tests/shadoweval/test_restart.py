"""A rolling restart of `serve` under load: no request fails, each is recorded exactly once."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter

import aiohttp
import pytest

from routing import access, training
from routing.models import Request, RouterVersion
from tests.routing.conformance.provider import TEXT
from tests.shadoweval.conftest import ROOT, free_port, read_until, stores

KEPT, NEW = 20, 10


class Load:
    """Clients that ask one after the other, some on kept connections, some on new ones.

    Attributes:
        sent: the query of every request.
        failed: what went wrong, if anything did.
    """

    def __init__(self, port, key):
        self.sent, self.failed = [], []
        self._url = f"http://127.0.0.1:{port}/v1/messages"
        self._headers = {"x-api-key": key}
        self._over = False

    async def until(self, work):
        """Ask until the work has ended."""
        kept = aiohttp.TCPConnector(limit=0)
        new = aiohttp.TCPConnector(limit=0, force_close=True)
        async with (
            aiohttp.ClientSession(connector=kept) as keeping,
            aiohttp.ClientSession(connector=new) as renewing,
        ):
            sessions = [keeping] * KEPT + [renewing] * NEW
            clients = [self._client(n, session) for n, session in enumerate(sessions)]
            asking = asyncio.gather(*clients)
            try:
                await work
            finally:
                self._over = True
                await asking

    async def _client(self, number, session):
        pauses = random.Random(number)
        while not self._over:
            query = f"question {number}-{len(self.sent)}"
            self.sent.append(query)
            try:
                await self._ask(session, query, is_stream=len(self.sent) % 3 == 0)
            except Exception as exc:
                self.failed.append(f"{query}: {exc!r}")
            await asyncio.sleep(pauses.uniform(0.0, 0.6))

    async def _ask(self, session, query, is_stream):
        messages = [{"role": "user", "content": query}]
        body = {"model": "auto", "max_tokens": 9, "messages": messages, "stream": is_stream}
        async with session.post(self._url, json=body, headers=self._headers) as reply:
            said = await reply.text()
        whole = "event: message_stop" if is_stream else json.dumps(TEXT, ensure_ascii=False)
        if reply.status != 200 or whole not in said:
            self.failed.append(f"{query}: {reply.status} {said[-200:]}")


async def manage(*arguments, env):
    """Run a management command; return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "manage.py", *arguments, cwd=ROOT, env=env,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, said.decode()


@pytest.fixture
def key(project, starter):
    """A key on a database that `serve` need not prepare."""
    columns = ("kind", "embedder", "artifact", "sha256", "is_starter")
    as_it_is = {name: getattr(starter, name) for name in columns}
    RouterVersion.objects.create(name=training.starter_name(), **as_it_is)
    return access.create_key(project, "load")[0]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("processes", "restarts"), [("2", 3), ("1", 2)])
def test_a_rolling_restart_loses_no_request(
    processes, restarts, transactional_db, key, point, provider, serve, eventually
):
    point()
    provider.gap_s = 0.05
    port = free_port()
    running = serve(port, SHADOWEVAL_WEB_PROCESSES=processes, **stores())
    read_until(running, "Ctrl-C stops everything")
    env = os.environ | stores() | {"SHADOWEVAL_VAR": str(serve.folder / "var")}

    load = Load(port, key)
    outcomes = []

    async def restart():
        for _ in range(restarts):
            outcomes.append(await manage("restart", env=env))

    asyncio.run(load.until(restart()))
    print(f"{len(load.sent)} requests, {len(load.failed)} failed, {restarts} restarts")
    assert outcomes == [(0, "Restarted.\n")] * restarts
    assert load.failed == []
    running.send_signal(signal.SIGTERM)
    assert running.wait(200) == 0
    recorded = Counter(Request.objects.values_list("query", flat=True))
    assert recorded == Counter(load.sent)
    assert set(recorded.values()) == {1}
