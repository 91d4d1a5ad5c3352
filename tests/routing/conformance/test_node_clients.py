"""The real JavaScript clients through the whole service; slow, and only where Node is."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.routing.conformance.provider import (
    CACHED,
    INPUT,
    OUTPUT,
    RETRY_AFTER,
    TEXT,
    TOOL_INPUT,
)

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent / "node"
CLIENTS = ("anthropic", "openai")
USAGE = {
    "anthropic": [INPUT, CACHED, OUTPUT],
    "openai": [INPUT + CACHED, OUTPUT, INPUT + CACHED + OUTPUT],
}
STOP = {"anthropic": "end_turn", "openai": "stop"}
#: The class that each client throws, by status.
THROWN = {
    400: ("BadRequestError", "BadRequestError"),
    401: ("AuthenticationError", "AuthenticationError"),
    403: ("PermissionDeniedError", "PermissionDeniedError"),
    404: ("NotFoundError", "NotFoundError"),
    413: ("ContentTooLargeError", "APIError"),
    429: ("RateLimitError", "RateLimitError"),
    500: ("InternalServerError", "InternalServerError"),
    529: ("OverloadedError", "InternalServerError"),
}


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """A folder with run.mjs and the pinned SDKs."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    if missing:
        reason = f"{' and '.join(missing)} not found: the JavaScript clients need Node 20 or newer"
        if os.environ.get("SHADOWEVAL_REQUIRE_NODE") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "run.mjs"):
        shutil.copy(HERE / name, folder)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def play(installed, service, api_key):
    """Return a function that plays asks with both clients: what came, by (client, ask)."""

    def run(*asks):
        scenarios = [{"client": client, "ask": ask} for client in CLIENTS for ask in asks]
        done = subprocess.run(
            ["node", str(installed / "run.mjs"), service, json.dumps(scenarios)],
            env=os.environ | {"SHADOWEVAL_KEY": api_key},
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {(line.pop("client"), line.pop("ask")): line for line in lines}

    return run


@pytest.mark.parametrize("kind", CLIENTS)
def test_both_clients_get_text_streams_tools_and_usage(play, point, kind):
    point(cheap=f"{kind}:small", expensive=f"{kind}:large")
    came = play("text", "stream", "final", "tools", "models")
    for client in CLIENTS:
        whole = {"text": TEXT, "stop": STOP[client], "usage": USAGE[client]}
        assert came[client, "text"] == whole
        assert came[client, "final"] == whole
        called = {"name": "weather", "input": TOOL_INPUT, "text": TEXT}
        assert came[client, "tools"] == called
        assert {"auto", "small", "large"} <= set(came[client, "models"]["ids"])
    ends = {"first": "message_start", "last": "message_stop"}
    assert came["anthropic", "stream"] == {"text": TEXT} | ends
    assert came["openai", "stream"] == {"text": TEXT, "last": "stop", "counted": 0}


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("status", THROWN)
def test_each_client_throws_its_own_class(play, point, kind, status):
    point(expensive=f"{kind}:fault-{status}")
    came = play("text", "stream")
    for (client, _), line in came.items():
        expected = THROWN[status][CLIENTS.index(client)]
        assert (line["thrown"], line["own"], line["status"]) == (expected, True, status)
        assert f"played {status}" in line["message"]
        assert line["retryAfter"] == (RETRY_AFTER if status == 429 else None)
    assert len(came) == 4


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize("fault", ["stall", "cut", "malformed"])
def test_each_client_throws_its_own_class_when_a_stream_breaks(play, point, settings, kind, fault):
    settings.SHADOWEVAL_STREAM_IDLE_TIMEOUT_S = 0.5
    point(expensive=f"{kind}:{fault}")
    came = play("stream")
    for line in came.values():
        assert line["own"] is True
        assert (line["lost"], line["status"]) == (False, None)
    assert len(came) == 2
