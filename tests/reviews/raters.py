"""People who rate, and what they say."""

from reviews import rating
from reviews.models import Rater


def rater(name):
    """Make a person's rater, without a login."""
    return Rater.objects.create(kind=Rater.Kind.HUMAN, name=name)


def say(shown, by, choice="equal", left=True, right=True, **more):
    """Rate what was shown."""
    return rating.submit(
        shown.token, by, choice=choice, left_adequate=left, right_adequate=right, **more
    )
