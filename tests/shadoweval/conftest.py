"""Real processes: `serve`, and a web process alone, on the databases of the test run."""

import os
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from tests.routing.conftest import eventually, point, provider  # noqa: F401

ROOT = Path(__file__).parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def serve(tmp_path_factory):
    """Start `serve` on a folder and a port; whatever is still running at the end is killed."""
    folder = tmp_path_factory.mktemp("serve")
    folder.parent.chmod(0o755)  # as root, the database's own account must get through
    folder.chmod(0o755)
    started = []

    def start(port, var=folder / "var", **more):
        env = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "REDIS_URL"}}
        env |= {
            "SHADOWEVAL_VAR": str(var),
            "SHADOWEVAL_PORT": str(port),
            "PYTHONUNBUFFERED": "1",
        } | more
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        started.append(process)
        return process

    start.folder = folder
    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def read_until(process, wanted):
    said = ""
    for line in process.stdout:
        said += line
        if wanted in line:
            return said
    raise AssertionError(f"ended without {wanted!r}:\n{said}")


def stores():
    """Return the environment of a process that shall work on the test's own database."""
    name = connection.settings_dict["NAME"]
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}")
    return {"DATABASE_URL": url.geturl(), "REDIS_URL": os.environ["REDIS_URL"]}


class Web:
    """A web process of its own.

    Attributes:
        port: where it listens on loopback.
        process: it.
    """

    def __init__(self, *options, env=None):
        self.port = free_port()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "shadoweval.web", "--port", str(self.port), *options],
            cwd=ROOT, env=os.environ | stores() | (env or {}), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def connect(self):
        """Return a connection of HTTP/1.1, which is kept until one side closes it."""
        client = HTTPConnection("127.0.0.1", self.port, timeout=20)
        client.connect()
        return client

    def accepts(self):
        """Tell whether it takes a connection."""
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return False
        return True

    def finish(self):
        """Wait for its end; return its exit code and what it said."""
        said = self.process.communicate(timeout=60)[0]
        return self.process.returncode, said


@pytest.fixture
def web(transactional_db, eventually):  # noqa: F811
    """Return a function that starts a web process and waits until it serves."""
    started = []

    def start(*options, env=None):
        started.append(Web(*options, env=env))
        eventually(started[-1].accepts, limit_s=200)
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()
