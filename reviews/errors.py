"""What can go wrong between a pair and a signature.

ReviewError
├── NotAllowed      the person may not do this; says who may
├── Conflict        the state moved on: a lease ended, a sign-off was decided
├── NothingToSign   the evidence does not carry the request
├── BadInput        a form says something that cannot be done
├── TooOften        somebody tries again and again; wait a little
├── NotSent         the mail server did not take a mail
├── CannotTell      a figure that only asking a model would show
└── CannotPrint     what sets a PDF is not on this machine
"""


class ReviewError(Exception):
    """Root of the tree; the message is shown to the person as it is."""


class NotAllowed(ReviewError):
    """The person lacks the role, or is the wrong person."""


class Conflict(ReviewError):
    """Somebody or something was faster."""


class BadInput(ReviewError):
    """What was sent is missing something, or names what does not exist."""


class NothingToSign(ReviewError):
    """There is no rated sample behind the threshold."""


class TooOften(ReviewError):
    """Somebody tries again and again."""


class NotSent(ReviewError):
    """A mail is not on its way."""


class CannotTell(ReviewError):
    """Only asking a model would show it."""


class CannotPrint(ReviewError):
    """A report cannot be set as PDF here; its page can be printed."""
