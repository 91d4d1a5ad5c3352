"""People who can log in."""

from django.contrib.auth.models import User

from reviews import permissions


def person(name, *roles):
    """Make somebody with roles; their password is what `visit` types."""
    permissions.ensure_roles()
    user = User.objects.create_user(name, password="pw-for-tests")
    permissions.give(user, *roles)
    return user
