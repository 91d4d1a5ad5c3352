"""`manage.py serve` as a process: started, used, stopped, killed, started again."""

import json
import signal
import socket
import time
import urllib.request
from pathlib import Path

import pytest

from tests.shadoweval.conftest import free_port, read_until

_READY = "Shadoweval is ready"


def processes_of(folder):
    """Return the ids of processes that name the folder in their command or environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            about = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in about:
            found.append(int(entry.name))
    return found


def ask(port, key):
    body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/messages", json.dumps(body).encode(), {"x-api-key": key}
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return dict(reply.headers), json.load(reply)


@pytest.mark.slow
def test_start_use_stop_and_recovery_from_a_kill(serve):
    port = free_port()
    first = serve(port)
    read_until(first, _READY)
    note = (serve.folder / "var" / "first-start.txt").read_text()
    key = next(word.strip("\"'") for word in note.split() if "sk-shadow-" in word).split(" ")[-1]
    key = key[key.index("sk-shadow-") :]
    headers, message = ask(port, key)
    assert headers["x-shadoweval-tier"] == "expensive"
    assert "Simulated" in message["content"][0]["text"]

    first.kill()
    first.wait()
    deadline = time.monotonic() + 30
    while processes_of(serve.folder) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert processes_of(serve.folder) == []

    second = serve(port)
    said = read_until(second, _READY) + read_until(second, "Ctrl-C stops everything")
    assert "were printed at the first start" in said
    assert key not in said
    ask(port, key)
    second.send_signal(signal.SIGINT)
    assert second.wait(60) == 0
    assert "Stopped." in second.stdout.read()
    assert processes_of(serve.folder) == []


def test_a_port_in_use_is_one_sentence(serve):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        process = serve(port)
        said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert said.strip().splitlines()[-1].startswith(f"CommandError: Port {port}")
    assert "SHADOWEVAL_PORT" in said
    assert "Traceback" not in said


def test_a_folder_that_cannot_be_made_is_one_sentence(serve):
    (serve.folder / "a-file").touch()
    process = serve(free_port(), serve.folder / "a-file" / "var")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    assert "SHADOWEVAL_VAR" in said
    assert "Traceback" not in said


def test_a_database_that_cannot_be_reached_is_one_sentence(serve):
    process = serve(free_port(), DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    sentence = said.strip().splitlines()[-1]
    assert sentence.startswith("CommandError: The database cannot be used: ")
    assert "refused" in sentence
    assert "psycopg.pool" not in said
    assert "Traceback" not in said
