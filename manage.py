#!/usr/bin/env python
"""Run Shadoweval's commands: `serve`, `doctor`, `replay`, `demo` and Django's own."""

import os
import sys


def main() -> None:
    """Hand the command line to Django."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shadoweval.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit(
            "Django is not installed for this Python. "
            "Run `make install`, then use `.venv/bin/python manage.py`."
        )
    from django.core.exceptions import ImproperlyConfigured
    from django.db import Error as DatabaseError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as exc:
        sys.exit(str(exc))
    except DatabaseError as exc:
        from shadoweval.reach import database_problem

        reason = database_problem() or str(exc).strip() or type(exc).__name__
        sys.exit(f"The database cannot be used: {reason}\nIs it running (`make run`)?")


if __name__ == "__main__":
    main()
