"""What a provider's headers mean to us, and which of them the client gets too."""

from __future__ import annotations

import re
from collections.abc import Mapping

_LONGEST_RETRY_S = 86_400
#: Of one connection, of the provider's own site, or ours: not part of what it answered.
_KEPT_BACK = re.compile(
    r"connection|keep-alive|transfer-encoding|content-(length|encoding|type)|date|server|trailer"
    r"|te|upgrade|proxy-.*|set-cookie2?|alt-svc|strict-transport-security|via|x-shadoweval-.*"
)


def passed_back(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the provider's headers that the client gets too, names in lower case."""
    kept: dict[str, str] = {}
    for name, value in ((name.lower(), value) for name, value in headers.items()):
        if not _KEPT_BACK.fullmatch(name):
            kept[name] = f"{kept[name]}, {value}" if name in kept else value
    return kept


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read the header; what is no time within a day is not believed."""
    try:
        seconds = float(headers["retry-after"])
    except (KeyError, ValueError):
        return None
    return seconds if 0 <= seconds <= _LONGEST_RETRY_S else None
