"""Fixtures of the review tests."""

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection

from reviews import permissions
from routing import shifts
from tests.smtp import Smtp


@pytest.fixture
def as_role(client):
    """Log a new person with these roles in, and return their client."""

    def log_in(*roles):
        permissions.ensure_roles()
        user = User.objects.create_user("-".join(roles))
        permissions.give(user, *roles)
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def worker(transactional_db):
    """Run shadow jobs all the time, as a worker would."""
    stop = threading.Event()

    def work():
        while not stop.wait(0.05):
            shifts.run()
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def smtp(settings):
    """A mail server that the settings name, with a login."""
    server = Smtp()
    settings.SHADOWEVAL_MAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "me", "s3cret"
    settings.PUBLIC_URL = "https://eval.example.org"
    yield server
    server.close()
