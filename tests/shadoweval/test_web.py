"""The web process alone: how it ends, and what its clients see of that."""

import contextlib
import json
import resource
import signal
import socket
import threading
from urllib.parse import unquote, urlsplit

import pytest

from routing.live import live
from routing.models import Completion, Request
from shadoweval import web as web_process
from tests.routing.conformance.provider import TEXT
from tests.shadoweval.conftest import free_port, stores

ASKED = {"model": "auto", "max_tokens": 20, "messages": [{"role": "user", "content": "Why?"}]}


def get(client, path, **headers):
    """Ask on a kept connection; return status, body and whether the server will close it."""
    client.request("GET", path, headers=headers)
    reply = client.getresponse()
    return reply.status, json.loads(reply.read()), reply.getheader("connection") == "close"


def ask(running, key):
    """Ask for an answer; return its status and the type of its error."""
    client = running.connect()
    client.request("POST", "/v1/messages", json.dumps(ASKED), {"x-api-key": key})
    reply = client.getresponse()
    return reply.status, json.loads(reply.read()).get("error", {}).get("type", "")


def through(port):
    """Return the URL of the tests' database behind a port of loopback."""
    url = urlsplit(stores()["DATABASE_URL"])
    return f"postgresql://{url.username}@127.0.0.1:{port}{url.path}"


@contextlib.contextmanager
def forwarding(port):
    """Let the port lead to the socket of the tests' database."""
    place = unquote(urlsplit(stores()["DATABASE_URL"]).netloc.rpartition("@")[2])
    with socket.create_server(("127.0.0.1", port)) as listener:
        threading.Thread(target=_accept, args=(listener, place), daemon=True).start()
        yield


def _accept(listener, place):
    with contextlib.suppress(OSError):  # closed
        while True:
            client, _ = listener.accept()
            there = socket.socket(socket.AF_UNIX)
            there.connect(f"{place}/.s.PGSQL.5432")
            for ends in ((client, there), (there, client)):
                threading.Thread(target=_copy, args=ends, daemon=True).start()


def _copy(source, target):
    with contextlib.suppress(OSError):
        while said := source.recv(65_536):
            target.sendall(said)
        target.shutdown(socket.SHUT_WR)


@pytest.fixture
def begin_stream(api_key):
    """Return a function that begins a stream and returns it after its first line."""

    def begin(client):
        body = json.dumps(ASKED | {"stream": True})
        client.request("POST", "/v1/messages", body, {"x-api-key": api_key})
        reply = client.getresponse()
        return reply, reply.readline()

    return begin


def text_of(stream):
    """Return what the deltas of a stream add up to."""
    events = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith(b"data: ")]
    deltas = [event["delta"] for event in events if event["type"] == "content_block_delta"]
    return "".join(delta["text"] for delta in deltas)


def test_it_may_open_as_many_files_as_the_system_allows(monkeypatch):
    """Each collection takes eight; the usual 1,024 would be used up by some hundred."""
    before = soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    monkeypatch.setattr(web_process, "server", lambda _: pytest.fail("begun"))
    try:
        with pytest.raises(pytest.fail.Exception, match="begun"):
            web_process.main(["--port", "0"])
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_asked_to_stop_it_ends_what_it_has_begun_and_records_it(
    point, provider, web, begin_stream, eventually
):
    point()
    provider.gap_s = 0.25  # 13 events
    running = web()
    kept, busy = running.connect(), running.connect()
    assert get(kept, "/readyz") == (200, {"status": "ok"}, False)
    stream, first = begin_stream(busy)
    running.process.send_signal(signal.SIGTERM)
    eventually(lambda: not running.accepts())
    # A request that comes on a kept connection now is served, and the connection ends with it.
    assert get(kept, "/readyz") == (503, {"status": "draining"}, True)
    assert text_of(first + stream.read()) == TEXT
    # The stream's headers had promised to keep its connection: it is good for one more.
    assert get(busy, "/healthz") == (200, {"status": "ok"}, True)
    code, said = running.finish()
    assert code == 0
    assert "Traceback" not in said
    row = Request.objects.get()
    assert (row.status, row.error, row.is_stream) == (200, "", True)
    assert Completion.objects.get().text == TEXT


@pytest.mark.slow
def test_a_second_signal_cuts_a_stream_and_what_came_of_it_is_recorded(
    point, provider, web, begin_stream, eventually
):
    point(expensive="anthropic:stall")
    running = web()
    stream, _ = begin_stream(running.connect())
    running.process.send_signal(signal.SIGINT)
    eventually(lambda: not running.accepts())
    running.process.send_signal(signal.SIGINT)
    last = stream.read().strip().rsplit(b"\n\n", 1)[-1]
    assert last.startswith(b"event: error")
    assert b"being stopped" in last
    code, said = running.finish()
    assert code == 0
    assert "cutting 1 request" in said
    assert Completion.objects.get().is_partial


@pytest.mark.slow
def test_with_notice_it_accepts_and_says_that_it_will_go(point, web, eventually):
    point()
    running = web("--notice", "60")
    running.process.send_signal(signal.SIGTERM)
    eventually(lambda: get(running.connect(), "/readyz", host="10.0.0.7")[0] == 503)
    assert get(running.connect(), "/healthz") == (200, {"status": "ok"}, True)
    running.process.send_signal(signal.SIGTERM)
    assert running.finish()[0] == 0


@pytest.mark.slow
def test_without_a_policy_it_is_not_ready(transactional_db, web):
    running = web()
    assert get(running.connect(), "/readyz") == (503, {"status": "no policy known"}, False)
    assert get(running.connect(), "/healthz")[0] == 200


@pytest.mark.slow
def test_without_its_database_it_starts_answers_and_recovers(
    point, project, api_key, web, eventually, settings
):
    point()
    live.start()
    live.stop()
    port, indexes = free_port(), str(settings.SHADOWEVAL_INDEX_DIR)
    away = {"DATABASE_URL": through(port)}
    unknowing = web(env=away | {"SHADOWEVAL_INDEX_DIR": indexes + "-none"})
    knowing = web(env=away | {"SHADOWEVAL_INDEX_DIR": indexes})
    assert ask(unknowing, api_key) == (503, "api_error")
    assert ask(knowing, api_key) == (200, "")
    not_ready = (503, {"status": "the database was not reached yet"}, False)
    assert get(knowing.connect(), "/readyz") == get(unknowing.connect(), "/readyz") == not_ready
    with forwarding(port):
        for running in (unknowing, knowing):
            eventually(lambda r=running: get(r.connect(), "/readyz")[0] == 200, limit_s=60)
            assert ask(running, api_key) == (200, "")
        eventually(lambda: Request.objects.count() == 3, limit_s=60)
        for running in (unknowing, knowing):
            running.process.send_signal(signal.SIGTERM)
            code, said = running.finish()
            assert (code, "Traceback" in said) == (0, False), said
