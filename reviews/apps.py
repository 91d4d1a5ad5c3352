"""What the routing package is told of this one when it starts."""

from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    """The app `reviews`."""

    name = "reviews"

    def ready(self) -> None:
        """Let no request go whose pair people or statistics still refer to."""
        from reviews import keeping
        from routing import retention

        for condition in keeping.CONDITIONS:
            retention.keep(condition)
