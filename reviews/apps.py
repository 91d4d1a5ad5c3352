"""What the routing package is told of this one when it starts."""

from django.apps import AppConfig


class ReviewsConfig(AppConfig):
    """The app `reviews`."""

    name = "reviews"

    def ready(self) -> None:
        """Let no request go whose pair people or statistics refer to; count judges' calls.

        What stops a challenger is told in the trail.
        """
        from reviews import audit, judge_usage, keeping
        from routing import challenging, retention, usage

        for condition in keeping.CONDITIONS:
            retention.keep(condition)
        usage.also(judge_usage.CALLS)
        challenging.on_stopped(audit.challenger_stopped)
