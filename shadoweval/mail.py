"""Read the address of a mail server, such as `smtp+tls://user:password@mail.example.org:587`."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

#: Scheme to usual port: plain, plain and then STARTTLS, TLS from the first byte.
PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


class Server(NamedTuple):
    """Where mail is handed in."""

    host: str
    port: int
    user: str
    password: str
    starts_tls: bool
    is_tls: bool


def read(name: str, url: str) -> Server | None:
    """Return the server of an address, or None when there is no address.

    Args:
        name: of the setting, for the error; the address is never shown, it holds a password.
        url: begins with one of the schemes of PORTS.

    Raises:
        ImproperlyConfigured: when host or port are missing or make no sense.

    Example:
        >>> read("X", "smtp+tls://me:s%40x@mail.example.org")
        Server(host='mail.example.org', port=587, user='me', password='s@x', \
starts_tls=True, is_tls=False)
    """
    if not url:
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or PORTS[parts.scheme]
    except ValueError:
        host, port = None, 0
    if not host:
        raise ImproperlyConfigured(f"{name} must read like smtp+tls://user:password@host:587.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Server(host, port, user, password, parts.scheme == "smtp+tls", parts.scheme == "smtps")
