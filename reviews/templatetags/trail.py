"""Entries of the audit trail that a page says in words."""

from __future__ import annotations

from django import template

from reviews import sentences
from reviews.models import AuditEntry

register = template.Library()


@register.filter
def in_words(entry: AuditEntry) -> str:
    """Return what happened to a person's roles in a sentence; empty for every other event."""
    return sentences.of_person(entry.event, entry.subject, entry.detail)
