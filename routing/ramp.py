"""Who decides a request of one project: the live policy, or on a ramp one of two."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from routing.models import Deployment, Policy
from routing.records import clean, is_drawn
from routing.types import ChatRequest
from routing.wire.shape import Shape


@dataclass(frozen=True)
class Ramp:
    """The policies that a deployment lets decide; without a rest the target decides everything.

    Attributes:
        share: in (0, 1], of the conversations that the target decides.
    """

    target: Policy
    rest: Policy | None = None
    share: float = 1.0

    @classmethod
    def of(cls, row: Deployment) -> Ramp:
        """Return what a deployment says."""
        return cls(row.policy, row.rest, row.share)

    @property
    def policies(self) -> tuple[Policy, ...]:
        """Who may decide, the target first."""
        return (self.target,) if self.rest is None else (self.target, self.rest)

    def choose(self, request: ChatRequest, shape: Shape, request_id: UUID) -> Policy:
        """Return who decides: the policy that the client named, else the drawn one.

        Turns of a conversation that the client named are drawn alike. Where only its maker's marks
        tell a conversation, they are those of its last turn: its model stays (`sticky`), and
        either policy may decide.
        """
        if self.rest is None:
            return self.target
        named = next((one for one in self.policies if one.name == request.model), None)
        if named is not None:
            return named
        mark = shape.state_ids[0] if shape.state_ids else str(request_id)
        is_in = is_in_share(self.target.pk, request.session or mark, self.share)
        return self.target if is_in else self.rest


def is_in_share(target_id: int, key: str, share: float) -> bool:
    """Draw by a hash: who is in a share is in every larger one of the same target.

    Args:
        target_id: of the policy that is deployed; the next one draws others first.
        key: of the conversation.
        share: in (0, 1].

    Example:
        >>> [is_in_share(7, "basket-1", share) for share in (0.01, 0.99, 1.0)]
        [False, True, True]
    """
    # What clients send as JSON may hold half a character, which no hash takes.
    return is_drawn(clean(f"ramp|{target_id}|{key}"), share)
