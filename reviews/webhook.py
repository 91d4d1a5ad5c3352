"""The webhook: one signed JSON message to the address that the operator set.

Receivers check `x-shadoweval-signature`: `v1=` and the HMAC-SHA256 of `<timestamp>.<body>`, keyed
with the shared secret, and refuse timestamps that are old.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from reviews.errors import NotSent

_TIMEOUT_S = 10.0
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
#: NAT64 (RFC 6052), IPv4-compatible (RFC 4291) and IPv4-translated (RFC 2765) addresses.
_V4_AT_THE_END = tuple(
    ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")
)


def send(message: dict[str, Any]) -> None:
    """Post one message; call it outside a transaction, it may take seconds.

    Redirects are not followed: an answer other than 2xx is a failure.

    Raises:
        NotSent: when the address may not be asked, cannot be reached, or refuses.
    """
    url = urlsplit(settings.SHADOWEVAL_WEBHOOK_URL)
    body = json.dumps(message, separators=(",", ":"), sort_keys=True).encode()
    try:
        status = _post(url, body)
    except (OSError, ValueError, http.client.HTTPException) as exc:  # a port, a name that is none
        raise NotSent(f"The webhook was not reached: {type(exc).__name__}.") from exc
    if not 200 <= status < 300:
        raise NotSent(f"The webhook answered {status}.")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature header of a body.

    >>> signature("k", "1700000000", b"{}")
    'v1=c6ef4734033cee2367414a0939385eca0397754aa7a59716da7463a9298b5146'
    """
    signed = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={signed.hexdigest()}"


def _post(url: SplitResult, body: bytes) -> int:
    timestamp = str(int(time.time()))
    headers = {"content-type": "application/json", "x-shadoweval-timestamp": timestamp}
    if settings.SHADOWEVAL_WEBHOOK_SECRET:
        headers["x-shadoweval-signature"] = signature(
            settings.SHADOWEVAL_WEBHOOK_SECRET, timestamp, body
        )
    connection = _connection(url)
    try:
        target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        connection.request("POST", target, body, headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    host = url.hostname or ""
    is_local = host in _LOOPBACK
    if url.scheme != "https" and not is_local:
        raise NotSent("The webhook's address must begin with https://.")
    port = url.port or (443 if url.scheme == "https" else 80)
    # Connected here to the address that was checked: asked twice, a name may answer differently.
    sock = socket.create_connection((_address(host, port, is_local), port), _TIMEOUT_S)
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    if url.scheme == "https":
        sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
    connection.sock = sock
    return connection


def _is_public(text: str) -> bool:
    """Return whether an address is one of the internet, also where it leads on to an older one.

    Example:
        >>> [_is_public(one) for one in ("1.1.1.1", "10.0.0.1", "64:ff9b::10.0.0.1")]
        [True, False, False]
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        if address.is_site_local:
            return False
        address = _inner(address)
    return address.is_global and not address.is_multicast


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the IPv4 address that a translator or a tunnel would ask, else the address."""
    is_last = any(address in network for network in _V4_AT_THE_END)
    last = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if is_last else None
    return last or address.sixtofour or address


def _address(host: str, port: int, is_local: bool) -> str:
    """Return an address of the host that may be asked.

    Raises:
        NotSent: when one of its addresses is private and the operator did not allow that.
    """
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    is_free = is_local or settings.SHADOWEVAL_WEBHOOK_PRIVATE
    if not is_free and not all(_is_public(address) for address in found):
        raise NotSent("The webhook's address is private; SHADOWEVAL_WEBHOOK_PRIVATE allows it.")
    return found[0]
