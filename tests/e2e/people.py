"""People who can log in, and waiting for what they see."""

import time

from django.contrib.auth.models import User

from reviews import permissions


def person(name, *roles):
    """Make somebody with roles; their password is what `visit` types."""
    permissions.ensure_roles()
    user = User.objects.create_user(name, password="pw-for-tests")
    permissions.give(user, *roles)
    return user


def wait_for(condition, seconds=15):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
