"""Which addresses the server may ask when somebody else names them; pure.

Names are resolved here, and whoever connects should connect to the address that was checked: asked
twice, a name may answer differently. Link-local addresses (169.254.169.254 hands out a cloud's
credentials) are asked for nobody.
"""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: NAT64 (RFC 6052), IPv4-compatible (RFC 4291) and IPv4-translated (RFC 2765) addresses.
_V4_AT_THE_END = tuple(
    ipaddress.IPv6Network(net) for net in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96")
)
#: What clouds hand credentials out at, though it is an address of a private network.
_METADATA = {ipaddress.ip_address(one) for one in ("fd00:ec2::254", "100.100.100.200")}


class Forbidden(ValueError):
    """An address that must not be asked."""


def is_public(text: str) -> bool:
    """Return whether an address is one of the internet, also where it leads on to an older one.

    Example:
        >>> [is_public(one) for one in ("1.1.1.1", "10.0.0.1", "64:ff9b::10.0.0.1")]
        [True, False, False]
    """
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    address = _inner(address)
    return address.is_global and not address.is_multicast


def is_never_asked(text: str) -> bool:
    """Return whether an address hands out credentials, or is of one wire alone.

    Example:
        >>> [is_never_asked(one) for one in ("169.254.169.254", "10.0.0.1", "::1")]
        [True, False, False]
    """
    address = _inner(ipaddress.ip_address(text))
    return address.is_link_local or address in _METADATA


def _inner(address: _Address) -> _Address:
    """Return the IPv4 address that a translator or a tunnel would ask, else the address."""
    if isinstance(address, ipaddress.IPv4Address) or address.is_loopback:
        return address
    is_last = any(address in network for network in _V4_AT_THE_END)
    last = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if is_last else None
    return last or address.ipv4_mapped or address.sixtofour or address


def resolve(host: str, port: int, *, private: bool) -> str:
    """Return an address of a host that may be asked; all of them have to be such.

    Args:
        host: a name or an address.
        port: of the connection.
        private: whether it may lie inside a private network, or be this machine.

    Raises:
        Forbidden: when one of its addresses may not be asked.
        OSError: when it has none.
    """
    found = [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if any(is_never_asked(one) for one in found):
        raise Forbidden("this address is never asked")
    if not private and not all(is_public(one) for one in found):
        raise Forbidden("this address is private")
    return found[0]


def check_url(url: str, *, private: bool) -> None:
    """Refuse an address whose host may not be asked; one without an address yet passes.

    Raises:
        Forbidden: when it may not.
    """
    parts = urlsplit(url)
    try:
        resolve(parts.hostname or "", parts.port or 443, private=private)
    except OSError:
        return
