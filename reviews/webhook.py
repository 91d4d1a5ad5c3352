"""The webhook: one signed JSON message to the address that the operator set.

Receivers check `x-shadoweval-signature`: `v1=` and the HMAC-SHA256 of `<timestamp>.<body>`, keyed
with the shared secret, and refuse timestamps that are old.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import time
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from reviews.errors import NotSent
from routing import reaching

_TIMEOUT_S = 10.0
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


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


def _address(host: str, port: int, is_local: bool) -> str:
    """Return an address of the host that may be asked.

    Raises:
        NotSent: when one of its addresses is private and the operator did not allow that.
    """
    is_free = is_local or settings.SHADOWEVAL_WEBHOOK_PRIVATE
    try:
        return reaching.resolve(host, port, private=is_free)
    except reaching.Forbidden as exc:
        raise NotSent(
            f"The webhook was not asked: {exc}; SHADOWEVAL_WEBHOOK_PRIVATE allows private ones."
        ) from exc
