"""Wires routing and reviews together."""

# Loaded with the package, so that tasks sent from any process go to the configured broker.
from shadoweval.celery import app as celery_app

__all__ = ["celery_app"]
