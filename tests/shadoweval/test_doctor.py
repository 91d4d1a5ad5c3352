"""The doctor names what is missing and what to do about it."""

from http.server import BaseHTTPRequestHandler
from io import StringIO
from threading import Thread

import pytest
from django.core.management import CommandError, call_command

from routing import bootstrap
from routing.models import Deployment
from routing.types import TierSpec
from tests.local_http import Server

pytestmark = pytest.mark.django_db


def ask_doctor():
    out = StringIO()
    try:
        call_command("doctor", stdout=out)
    except CommandError as exc:
        out.write(f"failed: {exc}")
    return out.getvalue()


def test_a_whole_installation_is_in_order(project):
    said = ask_doctor()
    assert "Everything is in order." in said
    assert "MEND" not in said
    assert "Postgres" in said


def test_what_is_missing_is_named_with_the_remedy(db):
    said = ask_doctor()
    assert "MEND  Router: no router yet: start once with `manage.py serve`" in said
    assert "MEND  Policy" in said
    assert "failed: 2 of 7 checks failed" in said


def test_redis_away_is_one_line_among_the_others(project, settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "redis://127.0.0.1:1",
        }
    }
    said = ask_doctor()
    assert "MEND  Redis: " in said
    assert "ok    Policy" in said
    assert Deployment.objects.count() == 1


@pytest.mark.parametrize(
    ("status", "said"),
    [(200, "ok    Provider"), (401, "refuses the key SHOP_API_KEY"), (500, "answers 500")],
)
def test_each_named_provider_is_asked_for_its_models(starter, httpserver_for, status, said):
    url = httpserver_for(status)
    tiers = [TierSpec("openai", name, url, "SHOP_API_KEY") for name in ("a", "b")]
    bootstrap.ensure_project("shop", "Shop", starter, cheap=tiers[0], expensive=tiers[1])
    assert said in ask_doctor()


@pytest.fixture
def httpserver_for():
    """Return a function that starts a server with one status for every GET."""
    servers = []

    def start(status):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = b'{"object": "list", "data": []}'
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = Server(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
