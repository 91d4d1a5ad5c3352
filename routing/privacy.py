"""How a project stores texts, from its row and the settings; who its end users are, as hashes."""

from __future__ import annotations

import hashlib
import hmac
import json
from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from routing import redaction
from routing.models import Project
from routing.redaction import Keeping
from routing.types import ChatRequest


def keeping(project: Project) -> Keeping | None:
    """Return how the project's texts are stored; None when everything is, as it was sent."""
    return read(project.keeps, json.dumps(project.redactions))


@lru_cache(maxsize=256)
def read(keeps: str, redactions: str) -> Keeping | None:
    """Return how texts are stored, from a project's columns.

    Args:
        keeps: of `Project.Keeps`.
        redactions: as JSON.
    """
    if keeps == Project.Keeps.ALL:
        return None
    plugged = tuple(import_string(path) for path in settings.SHADOWEVAL_REDACTORS)
    own = redaction.own(json.loads(redactions))
    return Keeping(keeps, redaction.DEFAULT + plugged + own, _key("text"))


def end_user(project_id: int, named: str) -> str:
    """Return the keyed hash of an end user; "" of nobody. Another one in each project."""
    if not named:
        return ""
    said = f"{project_id}|{named}".encode(errors="replace")
    return hmac.new(_key("end-user"), said, hashlib.sha256).hexdigest()


def end_user_of(project_id: int, request: ChatRequest) -> str:
    """Return the hash of whom a request names as its end user."""
    return end_user(project_id, redaction.user_of(request))


def _key(purpose: str) -> bytes:
    return f"shadoweval privacy {purpose}|{settings.SECRET_KEY}".encode()
