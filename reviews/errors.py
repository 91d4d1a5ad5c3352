"""What can go wrong between a pair and a signature.

ReviewError
├── NotAllowed      the person may not do this; says who may
├── Conflict        the state moved on: a lease ended, a sign-off was decided
└── NothingToSign   the evidence does not carry the request
"""


class ReviewError(Exception):
    """Root of the tree; the message is shown to the person as it is."""


class NotAllowed(ReviewError):
    """The person lacks the role, or is the wrong person."""


class Conflict(ReviewError):
    """Somebody or something was faster."""


class NothingToSign(ReviewError):
    """There is no rated sample behind the threshold."""
