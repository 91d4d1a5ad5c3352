"""What is logged, and how: never a prompt, an answer or a secret."""

from typing import Any


def logging(how: str, level: str) -> dict[str, Any]:
    """Return Django's LOGGING.

    Args:
        how: `line` for people, `json` for collectors; see loglines.
        level: of everything that is not named below.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "shadoweval.loglines.Line",
                "format": "{asctime} {levelname} {name}: {message}",
                "style": "{",
            },
            "json": {"()": "shadoweval.loglines.Json"},
        },
        "handlers": {
            "console": {
                "class": "logging.StreamHandler",
                "formatter": how,
            }
        },
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # These print request bodies or URLs at INFO and below.
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
            "anthropic": {"level": "WARNING"},
            "sentence_transformers": {"level": "WARNING"},
            # These tell every step of setting a report.
            "weasyprint": {"level": "ERROR"},
            "fontTools": {"level": "WARNING"},
            # Repeats itself while the database is away; whoever needed a connection says so once.
            "psycopg.pool": {"level": "ERROR"},
        },
    }
