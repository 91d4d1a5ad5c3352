"""What the routing package is told of this one when it starts."""

from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    """The app `reviews`."""

    name = "reviews"

    def ready(self) -> None:
        """Let no request go whose pair people or statistics refer to; count judges' calls."""
        from reviews import judge_usage, keeping
        from routing import retention, usage

        for condition in keeping.CONDITIONS:
            retention.keep(condition)
        usage.also(judge_usage.CALLS)
