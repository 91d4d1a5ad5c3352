"""A real nginx with the shipped configuration: it sends on at once, and one process may be away."""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The first one that looks up names of an upstream again.
OLDEST = (1, 27, 3)


def _version():
    if not (program := shutil.which("nginx")):
        return (0,)
    said = subprocess.run([program, "-v"], capture_output=True, text=True).stderr
    return tuple(map(int, re.search(r"nginx/([\d.]+)", said)[1].split(".")))


pytestmark = pytest.mark.skipif(_version() < OLDEST, reason="no nginx 1.27.3 or newer here")


class Web(BaseHTTPRequestHandler):
    """Echoes what the proxy said; a stream is two events, the second one when the test says so."""

    protocol_version = "HTTP/1.1"
    go_on = threading.Event()

    def log_message(self, *args):
        pass

    def do_POST(self):
        size = len(self.rfile.read(int(self.headers["content-length"])))
        said = json.dumps({**dict(self.headers), "size": size}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", "16")
        self.end_headers()
        self.wfile.write(b"data: 1\n")
        assert self.go_on.wait(10)
        self.wfile.write(b"data: 2\n")


@contextmanager
def web(port=0):
    server = ThreadingHTTPServer(("127.0.0.1", port), Web)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def pair():
    with web() as first, web() as second:
        yield first, second


@contextmanager
def proxy(tmp_path, first, second, port):
    """Run nginx before two addresses and yield how to ask it."""
    said = (ROOT / "deploy" / "nginx.conf").read_text()
    for old, new in {
        "web1:8000": f"127.0.0.1:{first}", "web2:8000": f"127.0.0.1:{second}",
        "listen 8080": f"listen 127.0.0.1:{port}", "/tmp/": f"{tmp_path}/",
        "worker_processes auto": f"error_log {tmp_path}/log; worker_processes 1",
    }.items():  # fmt: skip
        assert old in said
        said = said.replace(old, new)
    (tmp_path / "nginx.conf").write_text(said)
    nginx = ["nginx", "-g", "daemon off; user root;", "-e", f"{tmp_path}/log"]
    running = subprocess.Popen([*nginx, "-c", tmp_path / "nginx.conf"])
    try:
        _listens(port, running)
        yield lambda *args, **more: _ask(port, *args, **more)
    finally:
        running.terminate()
        running.wait(10)


def _listens(port, running):
    end = time.monotonic() + 20
    while time.monotonic() < end and running.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    pytest.fail("nginx does not start")


def _ask(port, method, path, body=None, headers=None):
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers or {})
    return connection.getresponse()


def test_an_event_is_passed_on_before_the_next_one_is_there(pair, tmp_path, unused_tcp_port):
    Web.go_on.clear()
    with proxy(tmp_path, *pair, unused_tcp_port) as ask:
        answer = ask("GET", "/v1/messages")
        assert answer.read(8) == b"data: 1\n"
        Web.go_on.set()
        assert answer.read() == b"data: 2\n"


def test_what_a_web_process_is_told(pair, tmp_path, unused_tcp_port):
    """What the front saw is believed, also of a private network; what came before it is not."""
    with proxy(tmp_path, *pair, unused_tcp_port) as ask:
        came = {"host": "shadow.example", "x-forwarded-for": "127.0.0.1, 203.0.113.7, 10.0.0.2"}
        told = json.load(ask("POST", "/v1/messages", b"x" * 5_000_000, came))
        assert told["Host"] == "shadow.example"
        assert told["X-Forwarded-For"] == "10.0.0.2"
        assert told["size"] == 5_000_000
        assert ask("GET", "/metrics").status == 404


def test_one_of_two_is_away_and_no_request_fails(tmp_path, unused_tcp_port_factory):
    with web() as first, proxy(tmp_path, first, *_free(unused_tcp_port_factory)) as ask:
        assert [ask("POST", "/v1/messages", b"{}").status for _ in range(20)] == [200] * 20


def test_what_the_proxy_says_itself_is_an_error_that_clients_can_read(
    tmp_path, unused_tcp_port_factory
):
    away, *ports = (unused_tcp_port_factory() for _ in range(3))
    with proxy(tmp_path, away, *ports) as ask:
        answer = ask("POST", "/v1/messages", b"{}")
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert json.load(answer)["error"]["type"] == "overloaded_error"
        large = ask("POST", "/v1/messages", headers={"content-length": "60000000"})
        assert large.status == 413
        assert json.load(large)["error"]["type"] == "request_too_large"


def _free(factory):
    return factory(), factory()
