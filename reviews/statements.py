"""What a sign-off, its decisions and its comments say, as JSON whose hash stands in the trail.

The trail itself holds no reason and no comment; with the hash, none can be changed unseen. People
are in it by number too: names can change.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reviews.models import Approval, Comment, Revision, SignOff

REVISION = (
    "revision", "threshold", "thresholds", "reason", "rollout", "deploy_at", "if_guard_fails",
    "requester_id",
)  # fmt: skip
DECISION = ("revision", "user", "user_id", "role", "decision", "comment", "at")


def of_revision(row: SignOff, kept: Revision | None = None) -> dict[str, Any]:
    """Return what a sign-off asks for now, or asked for in an earlier revision.

    Without its evidence, its roles and the policy before it: the trail names those itself.
    """
    asked = kept or row
    return {
        "revision": kept.number if kept else row.revision,
        "threshold": asked.threshold,
        "thresholds": asked.thresholds,
        "reason": asked.reason,
        "rollout": asked.rollout,
        "deploy_at": _time(asked.deploy_at) if asked.deploy_at else None,
        "if_guard_fails": str(asked.if_guard_fails),
        "requester_id": row.requester_id,
    }


def of_decision(row: Approval, name: str) -> dict[str, Any]:
    """Return a decision, under the name that its person had then."""
    return {
        "revision": row.revision,
        "user": name,
        "user_id": row.user_id,
        "role": row.role,
        "decision": str(row.decision),
        "comment": row.comment,
        "at": _time(row.created_at),
    }


def of_comment(row: Comment) -> dict[str, Any]:
    """Return a comment that decides nothing."""
    return {
        "revision": row.revision,
        "user_id": row.user_id,
        "text": row.text,
        "at": _time(row.created_at),
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
