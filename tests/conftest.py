"""Fixtures that many tests share: a tiny router, a project, and the running service."""

import asyncio
import functools
import hashlib
import os
import random
import threading
import time

import numpy as np
import pgtrigger
import pytest
import uvicorn
from django.conf import settings as django_settings
from django.db import connection
from django.test import TransactionTestCase, override_settings
from hypothesis import HealthCheck, settings

from routing import access, bootstrap
from routing.embedders import ids
from routing.indexes import shelf
from routing.models import RouterVersion
from routing.routers import embedding
from tests import oidc, servers
from tests.emptying import Emptier

#: The same examples in every run, and no times: `--hypothesis-profile=default` looks for new ones.
settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def django_db_keepdb():
    """A server of our own has the test database already, migrated."""
    return servers.are_ours("DATABASE_URL")


@pytest.fixture(scope="session", autouse=True)
def emptying():
    """After a test that commits, delete its rows in our own server; elsewhere Django flushes."""
    patch = pytest.MonkeyPatch()
    if servers.are_ours("DATABASE_URL"):
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda test: _emptier().empty())
    yield
    patch.undo()


@functools.cache
def _emptier():
    return Emptier(connection.settings_dict["HOST"], connection.settings_dict["NAME"])


@pytest.fixture(scope="session", autouse=True)
def quick_passwords():
    """Hash passwords once, not a million times: what is tested is who comes in."""
    quick = "django.contrib.auth.hashers.MD5PasswordHasher"
    with override_settings(PASSWORD_HASHERS=[quick, *django_settings.PASSWORD_HASHERS]):
        yield


@pytest.fixture(autouse=True)
def same_draws(request, monkeypatch):
    """Each test's own ids and draws, the same in every run: who is sampled follows from ids."""
    drawn = random.Random(request.node.nodeid)
    monkeypatch.setattr(os, "urandom", drawn.randbytes)  # uuid4 and `routing.ids`
    monkeypatch.setattr(random, "_urandom", drawn.randbytes)  # secrets


@pytest.fixture(scope="session")
def all_indexes(tmp_path_factory):
    """The folder of all tests' index files."""
    return tmp_path_factory.mktemp("indexes")


@pytest.fixture(autouse=True)
def own_indexes(request, settings, all_indexes):
    """Index files of a test's collections are its own: their ids come again."""
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()
    settings.SHADOWEVAL_INDEX_DIR = all_indexes / name


@pytest.fixture
def starter(db):
    """A router whose head is zero: every query that no rule catches scores 0.5."""
    artifact = embedding.dumps(np.zeros(256), 0.0)
    return RouterVersion.objects.create(
        name="test-1",
        kind=embedding.KIND,
        embedder=ids.STATIC,
        artifact=artifact,
        sha256=hashlib.sha256(artifact).hexdigest(),
        is_starter=True,
    )


@pytest.fixture
def project(starter):
    """The default project with its first policy: always expensive, simulated provider."""
    return bootstrap.ensure_project(bootstrap.DEFAULT_PROJECT, "Default", starter)


@pytest.fixture
def demo(starter):
    """A project of demo content, with its first policy."""
    return bootstrap.ensure_project("demo", "Demo", starter, "demo")


@pytest.fixture
def unsigned(db):
    """Let policies go live that nobody approved: for tests of routing, not of signing."""
    # Not `ignore`: it changes each statement, which raw SQL with named values does not survive.
    pgtrigger.disable("reviews.SignedDeployment:signed")
    yield
    if not connection.in_atomic_block:  # else rolled back with everything
        pgtrigger.enable("reviews.SignedDeployment:signed")


@pytest.fixture
def api_key(project):
    """A key of the default project."""
    return access.create_key(project, "test")[0]


@pytest.fixture
def service(server):
    """The address of the whole application."""
    port = server.servers[0].sockets[0].getsockname()[1]
    return f"http://127.0.0.1:{port}"


class Prompt(uvicorn.Server):
    """Ends when it shall; uvicorn's own looks ten times a second, and each test would wait."""

    async def main_loop(self):
        """Serve until told to end."""
        while not await self.on_tick(0):  # noqa: ASYNC110 - another thread tells it
            await asyncio.sleep(0.01)


def _wait(is_so, most_s=30.0):
    end = time.monotonic() + most_s
    while not is_so() and time.monotonic() < end:
        time.sleep(0.01)


@pytest.fixture
def server(transactional_db, project):
    """The whole ASGI application on a real socket."""
    from shadoweval.asgi import Application

    config = uvicorn.Config(Application(), port=0, log_level="warning", lifespan="on")
    server = Prompt(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    _wait(lambda: server.started or not thread.is_alive())
    # A thread opens the collections, and requests are served meanwhile.
    _wait(lambda: shelf.is_fresh or not thread.is_alive())
    yield server
    server.should_exit = True
    thread.join(30)
    connection.close()
    connection.close_pool()


@pytest.fixture
def idp(settings):
    """A real OpenID Connect provider on the loopback that the settings name."""
    provider = oidc.Provider()
    settings.SHADOWEVAL_OIDC_URL = provider.url
    settings.SHADOWEVAL_OIDC_CLIENT_ID = oidc.CLIENT
    settings.SHADOWEVAL_OIDC_CLIENT_SECRET = oidc.SECRET
    settings.SHADOWEVAL_OIDC_NAME = "Keycloak"
    settings.PUBLIC_URL = "http://testserver"
    provider.redirect_uris.add("http://testserver/oidc/sso/callback/")
    yield provider
    provider.close()
