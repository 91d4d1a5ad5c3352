"""What streaming through the service adds: from the provider's first chunk to the client's.

A stand-in provider on loopback writes the moment of each chunk into the chunk itself; the client
reads it back. Direct and routed calls alternate in one run, so that noise meets both alike.
Run: .venv/bin/python benchmarks/streaming.py [calls]
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAUSE_S = 0.02
CHUNKS = 10
ASKED = {
    "model": "auto",
    "max_tokens": 50,
    "stream": True,
    "messages": [{"role": "user", "content": "Why is the sky blue, and why is it red at dusk?"}],
}


def event(data: dict) -> bytes:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()


async def provide(port_ready: asyncio.Future) -> None:
    """Speak the Messages API's streams; each event carries the moment it was written."""
    from aiohttp import web

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        usage = {"input_tokens": 12, "output_tokens": 1}
        message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": []}
        begun = {"type": "message_start", "message": {**message, "usage": usage}}
        block = {"type": "text", "text": ""}
        await response.write(event({**begun, "at": time.monotonic_ns()}))
        await response.write(
            event({"type": "content_block_start", "index": 0, "content_block": block})
        )
        for _ in range(CHUNKS):
            await asyncio.sleep(PAUSE_S)
            delta = {"type": "text_delta", "text": "a few words "}
            data = {"type": "content_block_delta", "index": 0, "delta": delta}
            await response.write(event({**data, "at": time.monotonic_ns()}))
        ended = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
        await response.write(event({"type": "content_block_stop", "index": 0}))
        await response.write(event({**ended, "usage": {"output_tokens": 30}}))
        await response.write(event({"type": "message_stop"}))
        return response

    app = web.Application()
    app.router.add_post("/v1/messages", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port_ready.set_result(site._server.sockets[0].getsockname()[1])
    await asyncio.Event().wait()


async def delays_ms(session, url: str, key: str) -> tuple[float, list[float]]:
    """Return the delay of the first chunk and of the later ones."""
    from routing.wire import sse

    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    splitter, delays = sse.Splitter(), []
    async with session.post(f"{url}/v1/messages", json=ASKED, headers=headers) as response:
        assert response.status == 200, await response.text()
        async for chunk in response.content.iter_any():
            now = time.monotonic_ns()
            for raw in splitter.feed(chunk):
                at = json.loads(sse.read(raw).data).get("at")
                if at is not None:
                    delays.append((now - at) / 1e6)
    assert len(delays) == CHUNKS + 1
    return delays[0], delays[1:]


def set_up(provider_url: str) -> str:
    """Write a project whose tiers ask the stand-in; return a key."""
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from routing import access, bootstrap, policy, training
    from routing.types import TierSpec

    router = training.fit_starter()
    project = bootstrap.ensure_project("bench", "Bench", router)
    tier = TierSpec("anthropic", "m", provider_url)
    mine = policy.create(project=project, router=router, threshold=0.0, cheap=tier, expensive=tier)
    policy.deploy(mine, by=None, reason="benchmark")
    return access.create_key(project, "bench")[0]


async def measure(calls: int) -> None:
    import aiohttp

    ready: asyncio.Future = asyncio.get_running_loop().create_future()
    providing = asyncio.create_task(provide(ready))
    direct = f"http://127.0.0.1:{await ready}"
    key = await asyncio.to_thread(set_up, direct)
    web = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "uvicorn", "shadoweval.asgi:application", "--port", "8765",
        "--log-level", "warning", cwd=ROOT,
    )  # fmt: skip
    routed = "http://127.0.0.1:8765"
    try:
        async with aiohttp.ClientSession() as session:
            await until_up(session, routed)
            got: dict[str, list] = {direct: [], routed: []}
            for n in range(calls + 10):
                for url in (direct, routed):
                    delays = await delays_ms(session, url, key)
                    got[url] += [delays] if n >= 10 else []
        report(got[direct], got[routed])
    finally:
        web.terminate()
        await web.wait()
        providing.cancel()


async def until_up(session, url: str) -> None:
    for _ in range(300):
        try:
            async with session.get(f"{url}/healthz"):
                return
        except OSError:
            await asyncio.sleep(0.2)
    raise SystemExit("the service did not start")


def report(direct: list, routed: list) -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{len(direct)} calls each way, {CHUNKS} later chunks {PAUSE_S * 1000:.0f} ms apart")
    print("ms from chunk to client   direct p50   routed p50   routed p95   added p50")
    for name, pick in (
        ("first chunk", lambda call: [call[0]]),
        ("later chunks", lambda call: call[1]),
    ):
        a, b = ([d for call in calls for d in pick(call)] for calls in (direct, routed))
        p50, p95 = statistics.median(b), statistics.quantiles(b, n=20)[18]
        base = statistics.median(a)
        print(f"{name:24} {base:11.2f} {p50:12.2f} {p95:12.2f} {p50 - base:11.2f}")


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from shadoweval import embedded

    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with tempfile.TemporaryDirectory(prefix="shadoweval-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "shadoweval.settings",
            "SHADOWEVAL_VAR": str(place / "var"),
            "SHADOWEVAL_SECRET_KEY": "only-for-benchmarks",
            "DATABASE_URL": embedded.postgres_url(place / "postgres"),
            "REDIS_URL": embedded.redis_url(place / "valkey"),
        }
        postgres = embedded.Postgres(place / "postgres", ephemeral=True)
        with postgres, embedded.Valkey(place / "valkey", ephemeral=True):
            postgres.ensure_database()
            asyncio.run(measure(calls))


if __name__ == "__main__":
    main()
