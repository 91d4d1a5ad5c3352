"""Entries of the audit trail that a page says in words."""

from __future__ import annotations

import re
from typing import Any

from django import template

from reviews import sentences
from reviews.models import AuditEntry

register = template.Library()

_HASH = re.compile(r"[0-9a-f]{64}")
#: As long as the hash of an entry is shown; whole ones are in the download.
_SHOWN = 12


@register.filter
def in_words(entry: AuditEntry) -> str:
    """Return what happened to a person's roles in a sentence; empty for every other event."""
    return sentences.of_person(entry.event, entry.subject, entry.detail)


@register.filter
def shortly(value: Any) -> str:
    """Return one detail of an entry for the eye: hashes cut, no brackets, a dash for nothing.

    Example:
        >>> shortly("ab" * 32), shortly(["engineering", "product"]), shortly(0.28), shortly("")
        ('abababababab', 'engineering, product', '0.28', '–')
        >>> shortly([{"name": "errors", "n": 0, "worse": False}, {"name": "late", "p": None}])
        'errors (n 0, worse no), late (p –)'
    """
    if value in (None, "", []):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(shortly(one) for one in value)
    if isinstance(value, dict):
        rest = ", ".join(f"{key} {shortly(one)}" for key, one in value.items() if key != "name")
        return f"{value['name']} ({rest})" if "name" in value else f"({rest})"
    text = str(value)
    return text[:_SHOWN] if _HASH.fullmatch(text) else text
