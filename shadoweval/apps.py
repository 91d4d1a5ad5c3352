"""What is checked before a command runs."""

from django.apps import AppConfig


class ShadowevalConfig(AppConfig):
    """The app `shadoweval`."""

    name = "shadoweval"

    def ready(self) -> None:
        """Register the checks of settings."""
        from shadoweval import checks  # noqa: F401
